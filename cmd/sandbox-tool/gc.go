package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/repo"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
)

func gcCommand() *cobra.Command {
	var o storeFlags
	c := command("gc", func(c *cobra.Command, _ []string) error {
		return runGC(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
	})
	c.Long = fmt.Sprintf(`Runtimes that nothing needs, releases beyond the %d that are kept for a rollback,
contents that no release has, and what an interruption left, also of downloads that
would go on from there. What an instance runs from stays. Updates and uninstalls do
this by themselves, but for the downloads.`, store.Kept)
	o.add(c)
	return c
}

func runGC(ctx context.Context, o storeFlags, stdout, stderr io.Writer) error {
	f := store.Freed{Unused: []repo.Ref{}}
	s, err := o.change(ctx, stderr)
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was ever installed
	case err != nil:
		return err
	default:
		defer s.close()
		if f, err = s.GC(s.lock); err != nil {
			return err
		}
	}
	if dirs, err := userDirs(); err == nil && !o.system {
		snapshot.Sweep(dirs.Data)
	}
	if o.json {
		return cli.WriteJSON(stdout, f)
	}
	fmt.Fprintf(stdout, "%s freed: %s, %s, %d unused\n", amount.Bytes(f.Bytes), amount.Of(f.Objects, "content"), amount.Of(f.Releases, "release"), len(f.Unused))
	for _, r := range f.Unused {
		cli.Note(stderr, "%s was not needed any more", r)
	}
	if f.Partial > 0 {
		cli.Note(stderr, "forgotten: %s, of which a part had come", amount.Of(f.Partial, "file"))
	}
	if f.Busy > 0 {
		cli.Note(stderr, "%s kept, from which instances run", amount.Of(f.Busy, "release"))
	}
	return nil
}

// clearUp removes what an update has made superfluous. The update itself is done,
// so a failure here is a warning.
func clearUp(ctx context.Context, s *store.Store, stderr io.Writer) {
	l, err := s.Lock(ctx)
	var f store.Freed
	if err == nil {
		f, err = s.Trim(l)
		l.Unlock()
	}
	if err != nil {
		cli.Warn(stderr, "%v", err)
	}
	for _, r := range f.Unused {
		cli.Note(stderr, "%s went: nothing needs it any more", r.ID)
	}
}
