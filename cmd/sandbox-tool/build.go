package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo/bundle"
	"sandbox/repo/export"
	"sandbox/repo/installed"
)

type buildOptions struct {
	dir     string
	out     string
	runtime string
	update  bool
	json    bool
}

func buildCommand() *cobra.Command {
	o := buildOptions{dir: "."}
	c := command("build", func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.dir = args[0]
		}
		return runBuild(c.Context(), o, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(0, 1)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	c.Long = `DIR holds the manifest and its sources; the default is the current directory.
The same input gives the same bytes. Prints the directory of the bundle.`
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "`DIR`: put the bundle in DIR (default: build in the directory of the manifest)")
	f.StringVar(&o.runtime, "runtime", "", "`DIR`: bundle of the runtime that the manifest names (default: the installed one)")
	f.BoolVar(&o.update, "update-lock", false, "take the newest packages in place of those in sandbox.lock")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.MarkFlagDirname("out")
	c.MarkFlagDirname("runtime")
	return c
}

// installedRuntime is the runtime that the manifest in dir names, when it is
// installed; it stays there until done is called. What is wrong with the manifest
// is said by the build.
func installedRuntime(dir string, p *progress) (runtime string, done func()) {
	none := func() {}
	m, err := manifest.Load(dir)
	if err != nil || m.Runtime.ID == "" {
		return "", none
	}
	dirs, err := userDirs()
	if err != nil {
		return "", none
	}
	b, err := installed.Runtime(installed.Places(dirs, os.Getenv), m.Runtime)
	if _, missing := errors.AsType[*installed.NotInstalled](err); err != nil {
		if !missing {
			p.warn(err.Error())
		}
		return "", none
	}
	cli.Note(p.w, "runtime: %s, release %d, as it is installed", m.Runtime, b.Deployment.N)
	return b.Dir, b.Release
}

func runBuild(ctx context.Context, o buildOptions, stdout io.Writer, p *progress) error {
	if o.runtime == "" {
		dir, done := installedRuntime(o.dir, p)
		defer done()
		o.runtime = dir
	}
	result, err := bundle.Build(ctx, bundle.Options{
		Dir:     o.dir,
		Out:     o.out,
		Runtime: o.runtime,
		Update:  o.update,
		Run:     steps{o.runtime, os.Stderr},
		Progress: func(e bundle.Event) {
			switch {
			case e.Warning:
				p.warn(e.Text)
			case e.Stage != "done": // the result says it
				p.step(e.Stage, e.Text, e.Done, e.Total)
			}
		},
	})
	p.clear()
	if problems, ok := errors.AsType[manifest.Problems](err); ok {
		manifest.Explain(p.w, problems)
		return verdict(problems, false)
	}
	if err != nil {
		return err
	}
	if err := tryExports(result, p); err != nil {
		return err
	}
	if o.json {
		return cli.WriteJSON(stdout, builtRow{result.Dir, result.Digest, string(result.Layout), result.Files, result.Bytes, append([]string{}, result.Warnings...)})
	}
	cli.Note(p.w, "%s, %s, %s", amount.Of(result.Files, "file"), amount.Bytes(result.Bytes), result.Digest)
	_, err = fmt.Fprintln(stdout, safe.Text(result.Dir))
	return err
}

// tryExports warns of what the manifest wants to show and cannot: users would be
// told so at each installation.
func tryExports(result *bundle.Result, p *progress) error {
	notes, err := export.Try(result.Dir)
	for _, n := range notes {
		p.warn(n.Text)
		result.Warnings = append(result.Warnings, n.Text)
	}
	return err
}

type builtRow struct {
	Dir      string   `json:"dir"`
	Digest   string   `json:"digest"`
	Layout   string   `json:"layout"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Warnings []string `json:"warnings"`
}
