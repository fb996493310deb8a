package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

func initCommand() *cobra.Command {
	c := command("init", func(c *cobra.Command, args []string) error {
		id := "org.example.App"
		if len(args) == 1 {
			id = args[0]
		}
		if err := runInit(".", id); err != nil {
			return err
		}
		cli.Note(c.ErrOrStderr(), "wrote %s: edit it, then 'sandbox lint' and 'sandbox build'", manifest.FileName)
		return nil
	})
	c.Args = between(0, 1)
	c.Long = "Writes " + manifest.FileName + " to the current directory for the app called ID, a reverse domain\nname such as org.gnu.Nano. An existing file is left alone."
	return c
}

func runInit(dir, unsafeID string) error {
	id, err := manifest.ParseID(unsafeID)
	if err != nil {
		return cli.Exit(cli.UsageError, err)
	}
	path := dir + "/" + manifest.FileName
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return hint.With(fmt.Errorf("cannot write %s: it exists already", manifest.FileName), "move it away first")
	}
	if err != nil {
		return fmt.Errorf("cannot write the manifest: %w", err)
	}
	_, err = f.Write(manifest.Template(string(id)))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("cannot write the manifest: %w", err)
	}
	return nil
}
