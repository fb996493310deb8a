package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
)

type uninstallOptions struct {
	storeFlags
	deleteData bool
	yes        bool
}

func uninstallCommand() *cobra.Command {
	var o uninstallOptions
	c := command("uninstall", func(c *cobra.Command, args []string) error {
		return runUninstall(c.Context(), o, args, c.OutOrStdout(), c.ErrOrStderr())
	})
	c.Args = between(1, 1000)
	c.ValidArgsFunction = completeInstalled
	c.Long = `What an app has kept in its home stays, unless --delete-data says otherwise; so do
the snapshots of it. Runtimes that nothing needs any more go too. An instance that
runs keeps its files until it ends. Prints one line for each thing removed: ID,
version, release.`
	c.Flags().BoolVar(&o.deleteData, "delete-data", false, "remove the homes of the apps and their snapshots too")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before data are deleted")
	o.add(c)
	return c
}

type uninstallDoc struct {
	Removed []installedRow `json:"removed"`
	Unused  []repo.Ref     `json:"unused"` // that came along and went along
	Freed   int64          `json:"freed"`
	Busy    bool           `json:"busy"` // instances still run from something of it
	Data    []manifest.ID  `json:"data"` // whose data were deleted
}

func runUninstall(ctx context.Context, o uninstallOptions, names []string, stdout, stderr io.Writer) error {
	s, list, err := o.chosen(ctx, stderr, names)
	if err != nil {
		return err
	}
	defer s.close()
	if err := stillNeeded(s.Store, list); err != nil {
		return err
	}
	homes, err := o.homes(ctx, list, stderr)
	if err != nil {
		return err
	}
	doc := uninstallDoc{Removed: []installedRow{}, Unused: []repo.Ref{}, Data: []manifest.ID{}}
	var ids []manifest.ID
	for _, r := range list {
		busy, err := s.Uninstall(s.lock, r.Ref())
		if err != nil {
			return err
		}
		doc.Removed, doc.Busy = append(doc.Removed, installedOf(s.Store, r)), doc.Busy || busy
		ids = append(ids, r.Ref().ID)
	}
	freed, failed := s.GC(s.lock)
	doc.Unused, doc.Freed = append(doc.Unused, freed.Unused...), freed.Bytes
	syncExports(stderr, o.system, ids...)
	for _, h := range homes {
		if err := h.RemoveAll(ctx); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		doc.Data = append(doc.Data, h.ID)
	}
	if o.json {
		return errors.Join(cli.WriteJSON(stdout, doc), failed)
	}
	for _, r := range doc.Removed {
		fmt.Fprintln(stdout, r.Ref.ID, safe.Text(r.Version), r.N)
	}
	for _, r := range doc.Unused {
		cli.Note(stderr, "%s went too: nothing needs it any more", r.ID)
	}
	if doc.Busy {
		cli.Note(stderr, "instances still run; their files go when they have ended, with the next 'sandbox gc'")
	}
	if freed.Fetching {
		cli.Note(stderr, "a download goes on; what nothing needs any more goes when that is done")
	}
	o.tellData(list, stderr)
	return failed
}

// stillNeeded refuses to take away what others run on.
func stillNeeded(s *store.Store, going []store.Record) error {
	all, err := s.Records()
	if err != nil {
		return nil // what cannot be read is no reason to keep what can
	}
	for _, r := range going {
		var users []string
		for _, other := range all {
			goes := slices.ContainsFunc(going, func(g store.Record) bool { return g.Ref() == other.Ref() })
			if !goes && other.Needs(r.Ref()) {
				users = append(users, string(other.Ref().ID))
			}
		}
		if len(users) > 0 {
			return hint.With(fmt.Errorf("cannot uninstall %s: %s needs it", r.Ref().ID, strings.Join(users, ", ")),
				"uninstall these first; it then goes by itself")
		}
	}
	return nil
}

// homes are those to be deleted, after a person has agreed, and none of a running
// app.
func (o *uninstallOptions) homes(ctx context.Context, list []store.Record, stderr io.Writer) ([]*snapshot.Home, error) {
	if !o.deleteData {
		return nil, nil
	}
	dirs, err := userDirs()
	if err != nil {
		return nil, err
	}
	var homes []*snapshot.Home
	for _, r := range list {
		h := snapshot.Of(dirs, r.Ref().ID)
		if r.Ref().Kind != manifest.App || !h.Known() {
			continue
		}
		if h.Running() {
			return nil, hint.With(fmt.Errorf("cannot delete the data of %s: the app is running", h.ID), "sandbox stop %s", h.ID)
		}
		if other := o.otherOf(r.Ref(), list); other != "" {
			return nil, hint.With(fmt.Errorf("cannot delete the data of %s: they are also those of %s", h.ID, other), "uninstall that too, or leave --delete-data out")
		}
		homes = append(homes, h)
	}
	if len(homes) == 0 || o.yes {
		return homes, nil
	}
	var names []string
	for _, h := range homes {
		names = append(names, string(h.ID))
	}
	return homes, confirm(ctx, stderr, fmt.Sprintf("Delete all data of %s, and the snapshots of them?", strings.Join(names, ", ")))
}

// otherOf is what else is installed of the same app, and shares its home: from
// another channel, or for the whole machine.
func (o *uninstallOptions) otherOf(ref repo.Ref, going []store.Record) string {
	stores, done, err := (&storeFlags{}).readable()
	if err != nil {
		return ""
	}
	defer done()
	for _, s := range stores {
		records, _ := s.Records()
		for _, r := range records {
			goes := s.System() == o.system && slices.ContainsFunc(going, func(g store.Record) bool { return g.Ref() == r.Ref() })
			if r.Ref().ID != ref.ID || r.Ref().Kind != ref.Kind || goes {
				continue
			}
			if s.System() {
				return r.Ref().String() + " of the machine"
			}
			return r.Ref().String()
		}
	}
	return ""
}

// tellData says that data stay.
func (o *uninstallOptions) tellData(list []store.Record, stderr io.Writer) {
	dirs, err := userDirs()
	if err != nil || o.deleteData {
		return
	}
	for _, r := range list {
		if h := snapshot.Of(dirs, r.Ref().ID); r.Ref().Kind == manifest.App && h.Known() {
			cli.Note(stderr, "the data of %s stay in %s", h.ID, h.Dir())
		}
	}
}

// confirm asks before something that cannot be undone. Without a terminal it
// refuses: the flag must say so.
func confirm(ctx context.Context, stderr io.Writer, question string) error {
	if !cli.Terminal(os.Stdin) || !cli.Terminal(os.Stderr) {
		return hint.With(errors.New("nothing was changed: there is no terminal to ask at"), "to agree beforehand, add --yes: %s", question)
	}
	ask := consent{in: os.Stdin, w: stderr}
	ok, err := ask.ask(ctx, false, "%s", question)
	if err == nil && !ok {
		err = errors.New("nothing was changed")
	}
	return err
}
