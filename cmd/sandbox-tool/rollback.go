package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
)

type rollbackOptions struct {
	storeFlags
	release  uint64
	withData bool
	dryRun   bool
}

func rollbackCommand() *cobra.Command {
	var o rollbackOptions
	c := command("rollback", func(c *cobra.Command, args []string) error {
		return runRollback(c.Context(), o, args[0], c.OutOrStdout(), c.ErrOrStderr())
	})
	c.Args = exactly(1)
	c.ValidArgsFunction = completeInstalled
	c.Long = `Makes the release before the current one, or that of --release, current again: it
is still on the disk, so nothing is downloaded. An update does not undo this by
itself; a release newer than the one left is taken again.
With --with-data the app's home becomes what it was before the update from that
release; what is in it now is kept as a snapshot. The app must not be running then.
Prints one line: ID, version, release.`
	c.Flags().Uint64Var(&o.release, "release", 0, "`N`: that release, as 'sandbox list --all APP' shows them")
	c.Flags().BoolVar(&o.withData, "with-data", false, "take the app's home back too")
	c.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would be done and do nothing")
	o.add(c)
	return c
}

type rollbackDoc struct {
	From     installedRow   `json:"from"`
	To       installedRow   `json:"to"`
	Restored *snapshot.Info `json:"restored"` // null: the data stay as they are
	Saved    *snapshot.Info `json:"saved"`    // what was in the home until now
	Done     bool           `json:"done"`
}

func runRollback(ctx context.Context, o rollbackOptions, name string, stdout, stderr io.Writer) error {
	s, rec, err := o.one(ctx, stderr, name)
	if err != nil {
		return err
	}
	defer s.close()
	from, to, err := s.Target(rec.Ref(), o.release)
	if err != nil {
		return err
	}
	doc := rollbackDoc{From: installedOf(s.Store, from), To: installedOf(s.Store, to)}
	home, before, err := o.data(from, to)
	if err != nil {
		return err
	}
	doc.Restored = before
	if !o.dryRun {
		// The data first: a program can be expected to read what an older one wrote,
		// not the other way round.
		if before != nil {
			saved, err := home.Restore(ctx, before.Name, snapshot.Options{Reason: snapshot.Rollback, N: from.Release.N, Version: from.Release.Version})
			if err != nil {
				return err
			}
			if saved.Name != "" {
				doc.Saved = &saved
			}
		}
		if _, _, err := s.Rollback(s.lock, rec.Ref(), to.Release.N); err != nil {
			return err
		}
		doc.Done = true
		syncExports(stderr, o.system, rec.Ref().ID)
	}
	return o.tell(doc, home, stdout, stderr)
}

// data finds what --with-data would restore.
func (o *rollbackOptions) data(from, to store.Record) (*snapshot.Home, *snapshot.Info, error) {
	dirs, err := userDirs()
	if err != nil {
		return nil, nil, err
	}
	home := snapshot.Of(dirs, from.Ref().ID)
	if !o.withData {
		return home, nil, nil
	}
	if from.Ref().Kind != manifest.App {
		return nil, nil, cli.Usagef("drop it", "cannot use --with-data: a %s has no data", from.Ref().Kind)
	}
	before, err := home.Before(to.Release.N)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot roll the data of %s back: %w", home.ID, err)
	}
	if home.Running() {
		return nil, nil, hint.With(fmt.Errorf("cannot roll the data of %s back: the app is running", home.ID), "sandbox stop %s", home.ID)
	}
	return home, &before, nil
}

func (o *rollbackOptions) tell(doc rollbackDoc, home *snapshot.Home, stdout, stderr io.Writer) error {
	if o.json {
		return cli.WriteJSON(stdout, doc)
	}
	if _, err := fmt.Fprintln(stdout, doc.To.Ref.ID, safe.Text(doc.To.Version), doc.To.N); err != nil {
		return err
	}
	if doc.Restored != nil {
		cli.Note(stderr, "data of %s: the snapshot %s, from before the update", home.ID, doc.Restored.Name)
	} else if _, err := home.Before(doc.To.N); err == nil && doc.To.N < doc.From.N {
		cli.Note(stderr, "the data stay as they are; --with-data would take them back too")
	}
	if doc.Saved != nil {
		cli.Note(stderr, "what was there until now: 'sandbox snapshot restore %s %s'", home.ID, doc.Saved.Name)
	}
	if doc.Done && doc.To.N < doc.From.N {
		cli.Note(stderr, "updates leave it at that until there is a release after %d", doc.From.N)
	}
	return nil
}
