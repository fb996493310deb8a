package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo"
	"sandbox/repo/client"
)

type searchOptions struct {
	clientFlags
	search client.SearchOptions
}

func searchCommand() *cobra.Command {
	var o searchOptions
	c := command("search", func(c *cobra.Command, args []string) error {
		return runSearch(c.Context(), o, args, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(0, 100)
	c.Long = `Looks for apps whose ID, name or summary has every WORD; without one, for all. The
lists of the remotes are asked for anew when they are older than six hours; without
a network those that were seen last are searched. One line for each app: ID, version,
remote, summary; a star stands before what is installed.`
	f := c.Flags()
	f.StringVar(&o.search.From, "from", "", "`REMOTE`: only what REMOTE offers")
	f.BoolVar(&o.search.All, "all", false, "runtimes and extensions too")
	f.BoolVar(&o.search.Stored, "offline", false, "ask nobody: search what was seen last")
	f.BoolVar(&o.search.Refresh, "refresh", false, "ask the remotes, however lately that was")
	o.clientFlags.add(c)
	c.MarkFlagsMutuallyExclusive("offline", "refresh")
	c.RegisterFlagCompletionFunc("from", completeRemotes)
	return c
}

type hitRow struct {
	Ref       repo.Ref `json:"ref"`
	Version   string   `json:"version"`
	Name      string   `json:"name"`
	Summary   string   `json:"summary"`
	License   string   `json:"license"`
	Homepage  string   `json:"homepage"`
	Remote    string   `json:"remote"`
	Download  int64    `json:"download"`
	Disk      int64    `json:"disk"`
	Installed string   `json:"installed"` // version, or nothing
}

func runSearch(ctx context.Context, o searchOptions, words []string, stdout io.Writer, p *progress) error {
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	list, err := c.Search(ctx, words, o.search)
	p.clear()
	if err != nil {
		return err
	}
	if o.json {
		rows := []hitRow{}
		for _, h := range list.Hits {
			rows = append(rows, hitRow{h.Ref, h.Version, h.Name, h.Summary, h.License, h.Homepage, h.Origin.Name, h.Download, h.CatalogueRow.Installed, h.Installed})
		}
		return cli.WriteJSON(stdout, rows)
	}
	if list.Offline && list.Age >= 10*time.Minute {
		cli.Note(p.w, "the remotes were asked %s", age(list.Age))
	}
	if len(list.Hits) == 0 {
		cli.Note(p.w, "nothing found")
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, h := range list.Hits {
		star := ""
		if h.Installed != "" {
			star = "*"
		}
		id := string(h.Ref.ID)
		if h.Ref.Channel != "stable" {
			id += "/" + h.Ref.Channel
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\t%s\n", star, id, safe.Text(h.Version), safe.Text(h.Origin.Name), safe.Text(h.Summary))
	}
	return t.Flush()
}
