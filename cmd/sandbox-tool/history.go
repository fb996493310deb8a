package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/store"
)

func historyCommand() *cobra.Command {
	var o storeFlags
	c := command("history", func(c *cobra.Command, args []string) error {
		return runHistory(o, args, c.OutOrStdout())
	})
	c.Args = between(0, 1)
	c.ValidArgsFunction = completeInstalled
	c.Long = "What was installed, updated, rolled back and removed, the oldest first: of APP,\ninstalled or not, or of everything."
	o.add(c)
	return c
}

type historyRow struct {
	store.Event
	System bool `json:"system"`
}

func runHistory(o storeFlags, names []string, stdout io.Writer) error {
	stores, done, err := o.readable()
	if err != nil {
		return err
	}
	defer done()
	rows := []historyRow{}
	for _, s := range stores {
		events, err := s.History()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range events {
			if len(names) == 0 || store.Means(names[0], e.Ref) {
				rows = append(rows, historyRow{e, s.System()})
			}
		}
	}
	if len(names) > 0 && len(rows) == 0 {
		return o.suggest(fmt.Errorf("there is no history: %w", &store.NotInstalled{Name: names[0], Have: known(stores)}))
	}
	slices.SortStableFunc(rows, func(a, b historyRow) int { return a.Time.Compare(b.Time) })
	if o.json {
		return cli.WriteJSON(stdout, rows)
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Time.Local().Format(time.DateTime), safe.Text(r.Action), r.Ref.ID, safe.Text(r.what()))
	}
	return t.Flush()
}

func known(stores []*store.Store) (ids []string) {
	for _, s := range stores {
		records, _ := s.Records()
		for _, r := range records {
			ids = append(ids, string(r.Ref().ID))
		}
	}
	return ids
}

// what is a change of releases in words.
func (r *historyRow) what() string {
	release := func(version string, n uint64) string {
		if version == "" {
			return fmt.Sprintf("release %d", n)
		}
		return fmt.Sprintf("%s (%d)", version, n)
	}
	text := ""
	switch {
	case r.From != 0 && r.To != 0:
		text = release(r.FromVersion, r.From) + " → " + release(r.ToVersion, r.To)
	case r.To != 0:
		text = release(r.ToVersion, r.To)
	case r.From != 0:
		text = release(r.FromVersion, r.From)
	}
	if r.Remote != "" {
		text += " from " + r.Remote
	}
	if r.Note != "" {
		text += ": " + r.Note
	}
	if r.System {
		text += " (machine)"
	}
	return text
}
