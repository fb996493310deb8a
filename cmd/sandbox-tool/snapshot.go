package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
)

func snapshotCommand() *cobra.Command {
	c := parent("snapshot")
	c.Long = fmt.Sprintf(`A snapshot is a copy of an app's home. One is made before each update, and the last
%d of these are kept; those that you make stay until you delete them.`, snapshot.Kept)
	c.AddCommand(snapshotListCommand(), snapshotCreateCommand(), snapshotRestoreCommand(), snapshotDeleteCommand())
	return c
}

// snapshotVerb is one of its verbs: what all have in common.
func snapshotVerb(use, short, long string, least, most int, run func(ctx context.Context, args []string, asJSON bool, stdout, stderr io.Writer) error) *cobra.Command {
	asJSON := false
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: between(least, most), DisableFlagsInUseLine: true}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		return run(c.Context(), args, asJSON, c.OutOrStdout(), c.ErrOrStderr())
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return homeWords(), cobra.ShellCompDirectiveNoFileComp
		}
		return snapshotWords(args[0]), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// homes are the apps that have one, installed or not.
func homes() ([]*snapshot.Home, error) {
	dirs, err := userDirs()
	if err != nil {
		return nil, err
	}
	return snapshot.All(dirs)
}

// homeOf is the home that a person means.
func homeOf(name string) (*snapshot.Home, error) {
	all, err := homes()
	if err != nil {
		return nil, err
	}
	var match []*snapshot.Home
	var have, words []string
	for _, h := range all {
		if string(h.ID) == name {
			return h, nil
		}
		if strings.EqualFold(h.ID.Base(), name) {
			match = append(match, h)
			have = append(have, string(h.ID))
		}
		words = append(words, string(h.ID), strings.ToLower(h.ID.Base()))
	}
	switch {
	case len(match) == 1:
		return match[0], nil
	case len(match) > 1:
		return nil, hint.With(fmt.Errorf("%q means more than one app", name), "name one of %s", strings.Join(have, ", "))
	}
	err = fmt.Errorf("%q has no data here", name)
	if near := cli.Nearest(name, words); near != "" {
		return nil, hint.With(err, "did you mean %s?", near)
	}
	return nil, hint.With(err, "an app has a home once it has run")
}

func homeWords() (words []string) {
	all, _ := homes()
	for _, h := range all {
		words = append(words, string(h.ID))
	}
	return words
}

func snapshotWords(app string) (words []string) {
	h, err := homeOf(app)
	if err != nil {
		return nil
	}
	list, _ := h.List()
	for _, i := range list {
		words = append(words, i.Name+"\t"+string(i.Reason))
	}
	return words
}

func snapshotListCommand() *cobra.Command {
	return snapshotVerb("list [APP]", "list snapshots",
		"Of APP or of every app, the oldest first. NEW is what a snapshot took when it was\nmade: the rest it shares with the one before.", 0, 1, runSnapshotList)
}

func runSnapshotList(_ context.Context, args []string, asJSON bool, stdout, _ io.Writer) error {
	all, err := homes()
	if len(args) == 1 {
		h, err2 := homeOf(args[0])
		all, err = []*snapshot.Home{h}, err2
	}
	if err != nil {
		return err
	}
	rows := []snapshot.Info{}
	for _, h := range all {
		list, err := h.List()
		if err != nil {
			return err
		}
		rows = append(rows, list...)
	}
	if asJSON {
		return cli.WriteJSON(stdout, rows)
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "APP\tSNAPSHOT\tMADE\tSIZE\tNEW\tWHY")
	for _, i := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", safe.Text(i.App), i.Name, i.Time.Local().Format(time.DateTime), amount.Bytes(i.Bytes), amount.Bytes(i.Copied), safe.Text(why(i)))
	}
	return t.Flush()
}

// why says in words what a snapshot is for.
func why(i snapshot.Info) string {
	text := map[snapshot.Reason]string{snapshot.Manual: "by hand", snapshot.Update: "before an update",
		snapshot.Rollback: "before a rollback", snapshot.Restored: "before a restore"}[i.Reason]
	if i.Version != "" {
		text += fmt.Sprintf(", of version %s (%d)", i.Version, i.N)
	}
	if i.Running {
		text += ", while it ran"
	}
	if i.Note != "" {
		text += ": " + i.Note
	}
	return text
}

func snapshotCreateCommand() *cobra.Command {
	note := ""
	c := snapshotVerb("create APP", "copy an app's home as it is now",
		"An app that runs is held still meanwhile. Prints the name of the snapshot.", 1, 1,
		func(ctx context.Context, args []string, asJSON bool, stdout, stderr io.Writer) error {
			return runSnapshotCreate(ctx, args[0], note, asJSON, stdout, stderr)
		})
	c.Flags().StringVar(&note, "note", "", "`TEXT`: what it is for")
	return c
}

func runSnapshotCreate(ctx context.Context, app, note string, asJSON bool, stdout, stderr io.Writer) error {
	h, err := homeOf(app)
	if err != nil {
		return err
	}
	o := snapshot.Options{Reason: snapshot.Manual, Note: note, Freeze: freeze(h.ID)}
	o.N, o.Version = currentOf(h.ID)
	i, err := h.Create(ctx, o)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.WriteJSON(stdout, i)
	}
	if i.Running {
		cli.Note(stderr, "%s was held still meanwhile; what it had not written yet is not in it", h.ID)
	}
	if i.Skipped > 0 {
		cli.Note(stderr, "left out of it: %s (sockets, devices, files under a lease, directories that lie too deep)", amount.Of(i.Skipped, "thing"))
	}
	_, err = fmt.Fprintln(stdout, i.Name)
	return err
}

// currentOf is which release of an app is installed; 0 when none is.
func currentOf(id manifest.ID) (uint64, string) {
	stores, done, err := (&storeFlags{}).readable()
	if err != nil {
		return 0, ""
	}
	defer done()
	for _, s := range stores {
		records, _ := s.Records()
		if r, err := store.Choose(records, string(id)); err == nil {
			return r.Release.N, r.Release.Version
		}
	}
	return 0, ""
}

func snapshotRestoreCommand() *cobra.Command {
	return snapshotVerb("restore APP [SNAPSHOT]", "put a snapshot in the place of an app's home",
		"SNAPSHOT is a name as 'sandbox snapshot list' shows it, the beginning of one, or\n\"latest\", which is the default. What is in the home now becomes a snapshot, whose\nname is printed. The app must not be running.", 1, 2,
		func(ctx context.Context, args []string, asJSON bool, stdout, stderr io.Writer) error {
			return runSnapshotRestore(ctx, args, asJSON, stdout, stderr)
		})
}

type restoreDoc struct {
	Restored snapshot.Info  `json:"restored"`
	Saved    *snapshot.Info `json:"saved"` // null: there was no home
}

func runSnapshotRestore(ctx context.Context, args []string, asJSON bool, stdout, stderr io.Writer) error {
	h, err := homeOf(args[0])
	if err != nil {
		return err
	}
	i, err := h.Find(append(args[1:], "latest")[0])
	if err != nil {
		return err
	}
	o := snapshot.Options{Reason: snapshot.Restored}
	o.N, o.Version = currentOf(h.ID)
	saved, err := h.Restore(ctx, i.Name, o)
	if err != nil {
		return err
	}
	if asJSON {
		doc := restoreDoc{Restored: i}
		if saved.Name != "" {
			doc.Saved = &saved
		}
		return cli.WriteJSON(stdout, doc)
	}
	cli.Note(stderr, "the data of %s are those of %s", h.ID, i.Time.Local().Format(time.DateTime))
	if saved.Name != "" {
		_, err = fmt.Fprintln(stdout, saved.Name)
	}
	return err
}

func snapshotDeleteCommand() *cobra.Command {
	yes := false
	c := snapshotVerb("delete APP SNAPSHOT…", "delete snapshots", "The app's home is left alone.", 2, 1000,
		func(ctx context.Context, args []string, asJSON bool, stdout, stderr io.Writer) error {
			return runSnapshotDelete(ctx, args, yes, asJSON, stdout, stderr)
		})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func runSnapshotDelete(ctx context.Context, args []string, yes, asJSON bool, stdout, stderr io.Writer) error {
	h, err := homeOf(args[0])
	if err != nil {
		return err
	}
	rows := []snapshot.Info{}
	for _, name := range args[1:] {
		i, err := h.Find(name)
		if err != nil {
			return err
		}
		rows = append(rows, i)
	}
	if !yes {
		var names []string
		for _, i := range rows {
			names = append(names, i.Name)
		}
		if err := confirm(ctx, stderr, fmt.Sprintf("Delete %s of %s?", strings.Join(names, ", "), h.ID)); err != nil {
			return err
		}
	}
	for _, i := range rows {
		if err := h.Delete(ctx, i.Name); err != nil {
			return err
		}
	}
	if asJSON {
		return cli.WriteJSON(stdout, rows)
	}
	for _, i := range rows {
		fmt.Fprintln(stdout, i.Name)
	}
	return nil
}
