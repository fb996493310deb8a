package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/store"
)

// errReadOnly is a disk that cannot be written to.
var errReadOnly error = unix.EROFS

func repairCommand() *cobra.Command {
	var o clientFlags
	c := command("repair", func(c *cobra.Command, _ []string) error {
		return runRepair(c.Context(), o, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Long = `Looks for what 'sandbox verify' finds, and mends it: contents that are wrong are
taken from another copy on this disk, or fetched again from the repository they
came from. A release that an instance runs from is left alone. Prints one line for
each thing that is still wrong, and then exits with 1.`
	o.add(c)
	return c
}

func runRepair(ctx context.Context, o clientFlags, stdout io.Writer, p *progress) error {
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	l, err := c.Store.Lock(ctx)
	if err != nil {
		return err
	}
	defer l.Unlock()
	p.step("verify", c.Store.Dir(), 0, 0)
	r, err := c.Store.Repair(ctx, l, c.Refetch)
	p.clear()
	if o.json {
		return errors.Join(cli.WriteJSON(stdout, r), err, left(r))
	}
	for _, d := range r.Left {
		fmt.Fprintln(stdout, safe.Text(d.String()))
	}
	switch {
	case r.Contents+r.Releases > 0:
		cli.Note(p.w, "mended: %s, %s", amount.Of(r.Contents, "content"), amount.Of(r.Releases, "release"))
	case err == nil && len(r.Left) == 0:
		cli.Note(p.w, "there is nothing to mend")
	}
	return errors.Join(err, left(r))
}

func left(r store.Repaired) error {
	if len(r.Left) == 0 {
		return nil
	}
	return fmt.Errorf("not as it was installed, still: %s", amount.Of(len(r.Left), "thing"))
}
