package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/client"
	"sandbox/repo/store"
)

// runFileCommand is what the lean program hands 'sandbox run FILE.sandbox' to. It
// takes the same arguments, makes what is in the file ready in a store of its own
// below the cache, and hands back the directory. Nothing is installed.
func runFileCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run-file", Hidden: true, DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			return cli.Exit(cli.NotStarted, runFile(c.Context(), args, newProgress(os.Stderr)))
		},
	}
}

func runFile(ctx context.Context, args []string, p *progress) error {
	v, ok := cli.Find("run")
	if !ok {
		return errors.New("internal error: no verb run")
	}
	a, err := v.Parse(args)
	if err != nil {
		return err
	}
	dir, base, err := readyFile(ctx, a.Rest[0], p)
	if err != nil {
		return err
	}
	before := args[:len(args)-len(a.Rest)]
	line := []string{"run"}
	if base != "" && !a.Has("runtime") {
		line = append(line, "--runtime", base)
	}
	line = append(append(line, before...), dir)
	return cli.Exec(cli.Lean, append(line, a.Rest[1:]...))
}

// readyFile deploys the app in a file, asking what an installation asks.
func readyFile(ctx context.Context, path string, p *progress) (dir, base string, err error) {
	c, done, err := openFileCache(p)
	if err != nil {
		return "", "", err
	}
	defer done()
	o := changeOptions{file: path}
	o.reach(p)
	f, err := o.openFile(ctx, c, p)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	app, err := f.App()
	if err != nil {
		return "", "", err
	}
	if err := o.ready(ctx, c, f, p); err != nil {
		return "", "", err
	}
	return c.Deployed(app)
}

func (o *changeOptions) ready(ctx context.Context, c *client.Client, f *client.CarriedFile, p *progress) error {
	// Whoever names a file means what is in it, also when they ran a newer one.
	plan, err := c.PlanFile(ctx, f, nil, client.PlanOptions{Downgrade: true})
	if err != nil || len(plan.Steps) == 0 {
		return err
	}
	p.clear()
	o.show(plan)
	if o.in == nil {
		return hint.With(fmt.Errorf("cannot run %q: its permissions have not been accepted, and there is no terminal to ask at", o.file), "run it once at a terminal, or use 'sandbox install --file'")
	}
	if err := o.needs(ctx, plan); err != nil {
		return err
	}
	if len(plan.Held) > 0 {
		return errors.New("not started: you said no")
	}
	if err := o.proceed(ctx, "Run it?"); err != nil {
		return err
	}
	_, err = c.Apply(ctx, plan)
	p.clear()
	return err
}

// fileCache is where what is in single files is made ready to run.
func fileCache(d disk.Dirs) string { return filepath.Join(d.Cache, "files") }

// openFileCache is a client for a store below the cache. What the user's own and
// the machine's store hold counts as present, and what they trust is trusted.
func openFileCache(p *progress) (*client.Client, func(), error) {
	dirs, err := userDirs()
	if err != nil {
		return nil, nil, err
	}
	s, err := store.Open(fileCache(dirs))
	if err != nil {
		return nil, nil, err
	}
	all, err := store.Readable(dirs)
	if err != nil {
		return nil, nil, err
	}
	c := &client.Client{Store: s, Others: all, Trust: store.UserDir(dirs), Progress: p.event}
	return c, func() {
		c.Close()
		for _, other := range all {
			other.Close()
		}
		s.Close()
	}, nil
}
