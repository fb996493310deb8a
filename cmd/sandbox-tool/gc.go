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
contents that no release has, what was made ready to run a single file, and what an
interruption left, also of downloads that would go on from there. What an instance
runs from stays, and what a download under way may need. Updates and uninstalls clear
up after themselves. Prints how much was freed.`, store.Kept)
	o.add(c)
	return c
}

// gcDoc is what gc freed, in the store and in the cache of single files.
type gcDoc struct {
	store.Freed
	Files store.Freed `json:"files"`
}

func runGC(ctx context.Context, o storeFlags, stdout, stderr io.Writer) error {
	doc := gcDoc{store.Freed{Unused: []repo.Ref{}}, store.Freed{Unused: []repo.Ref{}}}
	s, err := o.change(ctx, stderr)
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was ever installed
	case err != nil:
		return err
	default:
		defer s.close()
		if doc.Freed, err = s.GC(s.lock); err != nil {
			return err
		}
	}
	if dirs, err := userDirs(); err == nil && !o.system {
		snapshot.Sweep(dirs.Data)
		if doc.Files, err = clearFiles(ctx, fileCache(dirs), stderr); err != nil {
			return err
		}
	}
	if o.json {
		return cli.WriteJSON(stdout, doc)
	}
	f, files := doc.Freed, doc.Files
	fmt.Fprintf(stdout, "%s freed: %s, %s, %d unused\n", amount.Bytes(f.Bytes+files.Bytes), amount.Of(f.Objects+files.Objects, "content"),
		amount.Of(f.Releases+files.Releases, "release"), len(f.Unused)+len(files.Unused))
	for _, r := range f.Unused {
		cli.Note(stderr, "%s was not needed any more", r)
	}
	for _, r := range files.Unused {
		cli.Note(stderr, "%s was run from a file; the next time you are asked about it again", r)
	}
	if files.Bytes > 0 {
		cli.Note(stderr, "%s of it was of files that were run", amount.Bytes(files.Bytes))
	}
	if n := f.Partial + files.Partial; n > 0 {
		cli.Note(stderr, "forgotten: %s, of which a part had come", amount.Of(n, "file"))
	}
	if f.Fetching || files.Fetching {
		cli.Note(stderr, "a download goes on: what nothing refers to stays until it is done")
	}
	if n := f.Busy + files.Busy; n > 0 {
		cli.Note(stderr, "%s kept, from which instances run", amount.Of(n, "release"))
	}
	return nil
}

// clearFiles removes what was made ready of single files and no instance runs from.
func clearFiles(ctx context.Context, dir string, stderr io.Writer) (store.Freed, error) {
	none := store.Freed{Unused: []repo.Ref{}}
	s, err := lockStore(ctx, dir, stderr)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	defer s.close()
	return s.Clear(s.lock)
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
