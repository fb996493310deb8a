package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

type lintOptions struct {
	path   string
	json   bool
	strict bool
}

func lintCommand() *cobra.Command {
	o := lintOptions{path: "."}
	c := command("lint", func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.path = args[0]
		}
		return runLint(o, c.OutOrStdout())
	})
	c.Args = between(0, 1)
	c.Long = `Prints every problem of the manifest with its place and the way out, then what
a reviewer would say. DIR holds a ` + manifest.FileName + `; the default is the current directory.
The exit status is 1 when there are errors; warnings alone do not count.`
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().BoolVar(&o.strict, "strict", false, "let warnings count as errors")
	return c
}

func runLint(o lintOptions, stdout io.Writer) error {
	problems, err := problemsOf(o.path)
	if err != nil {
		return err
	}
	if o.json {
		err = cli.WriteJSON(stdout, append([]manifest.Problem{}, problems...))
	} else {
		err = manifest.Explain(stdout, problems)
	}
	if err != nil {
		return err
	}
	return verdict(problems, o.strict)
}

// problemsOf is everything there is to say about the manifest at path, which
// may name the file or its directory. An error means that it could not be read.
func problemsOf(path string) ([]manifest.Problem, error) {
	m, err := loadManifest(path)
	if all, ok := errors.AsType[manifest.Problems](err); ok {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return manifest.Lint(m), nil
}

func loadManifest(path string) (*manifest.Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read manifest: %w", err), "name a directory that holds a %s, or the file itself", manifest.FileName)
	}
	if !info.IsDir() && filepath.Base(path) != manifest.FileName {
		return loadFile(path)
	}
	if !info.IsDir() {
		path = filepath.Dir(path)
	}
	return manifest.Load(filepath.Clean(path))
}

// loadFile reads a manifest that has another name than it will have in a bundle.
func loadFile(path string) (*manifest.Manifest, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not wait for its writer
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	defer f.Close()
	data, err := manifest.Read(f, path)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(path, data)
}

func verdict(problems []manifest.Problem, strict bool) error {
	bad := 0
	for _, p := range problems {
		if !p.Warning || strict {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("the manifest has %s", amount.Of(bad, "error"))
}
