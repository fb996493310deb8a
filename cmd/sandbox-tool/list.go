package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/store"
)

type listOptions struct {
	storeFlags
	all  bool
	size bool
}

func listCommand() *cobra.Command {
	var o listOptions
	c := command("list", func(c *cobra.Command, args []string) error {
		return runList(o, args, c.OutOrStdout(), c.ErrOrStderr())
	})
	c.Args = between(0, 1000)
	c.ValidArgsFunction = completeInstalled
	c.Long = `Without APP every app is listed, your own and those of the whole machine. SIZE is
that of its files. With --size, OWN is what an uninstall would free and SHARED what
other apps, or releases of them, use too: contents are kept once, however many
have them.`
	c.Flags().BoolVarP(&o.all, "all", "a", false, "also runtimes, extensions and the older releases that are kept")
	c.Flags().BoolVar(&o.size, "size", false, "count what each takes on the disk")
	o.add(c)
	return c
}

func runList(o listOptions, names []string, stdout, stderr io.Writer) error {
	stores, done, err := o.readable()
	if err != nil {
		return err
	}
	defer done()
	rows, err := o.rows(stores, names)
	if rows == nil {
		return err
	}
	if o.json {
		return errors.Join(cli.WriteJSON(stdout, rows), err)
	}
	return errors.Join(o.print(stdout, stderr, rows), err)
}

// rows are nil when a name means nothing; an error beside them is about others.
func (o *listOptions) rows(stores []*store.Store, names []string) ([]installedRow, error) {
	rows, failed := []installedRow{}, []error{}
	var have []string
	met := map[string]bool{}
	for _, s := range stores {
		records, err := s.Records()
		failed = append(failed, err)
		sizes := map[repo.Ref]store.Size{}
		if o.size {
			if sizes, err = s.Sizes(); err != nil {
				failed = append(failed, err)
			}
		}
		for _, r := range records {
			have = append(have, string(r.Ref().ID))
			if !o.wants(r, names, met) {
				continue
			}
			more, err := o.of(s, r, sizes)
			rows, failed = append(rows, more...), append(failed, err)
		}
	}
	for _, name := range names {
		if !met[name] {
			return nil, o.suggest(&store.NotInstalled{Name: name, Have: have})
		}
	}
	return rows, errors.Join(failed...)
}

// wants tells whether a record is to be listed, and marks the name that meant it.
func (o *listOptions) wants(r store.Record, names []string, met map[string]bool) bool {
	if len(names) == 0 {
		return o.all || r.Ref().Kind == manifest.App
	}
	i := slices.IndexFunc(names, func(name string) bool { return store.Means(name, r.Ref()) })
	if i >= 0 {
		met[names[i]] = true
	}
	return i >= 0
}

// of is the row of a record, and with --all those of the older releases.
func (o *listOptions) of(s *store.Store, r store.Record, sizes map[repo.Ref]store.Size) ([]installedRow, error) {
	list := []store.Record{r}
	if o.all {
		var err error
		if list, err = s.Deployments(r.Ref()); err != nil {
			return nil, err
		}
	}
	var rows []installedRow
	for _, r := range list {
		row := installedOf(s, r)
		if size, ok := sizes[r.Ref()]; ok && r.Current {
			row.Own, row.Shared = &size.Own, &size.Shared
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (o *listOptions) print(w, stderr io.Writer, rows []installedRow) error {
	if len(rows) == 0 {
		cli.Note(stderr, "nothing is installed; 'sandbox search' shows what can be")
		return nil
	}
	out := bufio.NewWriter(w) // the table is written cell by cell
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "APP\tVERSION\tRELEASE\tCHANNEL\tSIZE\tFROM\tNOTE"
	if o.size {
		head = "APP\tVERSION\tRELEASE\tCHANNEL\tSIZE\tOWN\tSHARED\tFROM\tNOTE"
	}
	fmt.Fprintln(t, head)
	for _, r := range rows {
		sizes := amount.Bytes(r.Size)
		if o.size {
			sizes += "\t-\t-"
			if r.Own != nil {
				sizes = amount.Bytes(r.Size) + "\t" + amount.Bytes(*r.Own) + "\t" + amount.Bytes(*r.Shared)
			}
		}
		from := r.Remote
		if from == "" {
			from = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Ref.ID, safe.Text(r.Version), r.N, r.Ref.Channel, sizes, safe.Text(from), safe.Text(r.notes()))
	}
	return errors.Join(t.Flush(), out.Flush())
}

// notes is what else there is to say, in words.
func (r *installedRow) notes() string {
	var notes []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(r.Ref.Kind != manifest.App, "%s", r.Ref.Kind)
	add(r.Ref.Kind != manifest.App && r.Explicit, "asked for")
	add(!r.Current, "kept for a rollback")
	add(r.System, "of the machine")
	add(r.Current && r.Held, "held")
	add(r.Current && r.Pinned != 0, "pinned to release %d", r.Pinned)
	add(r.Current && r.Rejected != 0, "rolled back from release %d", r.Rejected)
	add(r.Current && r.EOL != "", "no more releases: %s", r.EOL)
	add(r.Current && r.ReplacedBy != "", "replaced by %s", r.ReplacedBy)
	return strings.Join(notes, ", ")
}
