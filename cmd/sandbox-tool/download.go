package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo/client"
	"sandbox/repo/remote"
)

type downloadOptions struct {
	clientFlags
	plan client.PlanOptions
	out  string
}

func downloadCommand() *cobra.Command {
	var o downloadOptions
	c := command("download", func(c *cobra.Command, args []string) error {
		return runDownload(c.Context(), o, args, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(1, 64)
	c.ValidArgsFunction = completeOffered
	c.Long = `Writes apps, with what they run on and what vouches for them, into one file. On
the other machine 'sandbox install --file FILE' installs from it, with the same
checks. Prints the name of the file.`
	c.Flags().StringVarP(&o.out, "out", "o", "", "`FILE`: write FILE (default: the last part of the ID and .sandbox)")
	c.Flags().StringVar(&o.plan.From, "from", "", "`REMOTE`: take it from REMOTE and from no other")
	o.clientFlags.add(c)
	c.MarkFlagFilename("out", "sandbox")
	c.RegisterFlagCompletionFunc("from", completeRemotes)
	return c
}

type carriedDoc struct {
	File     string       `json:"file"`
	Bytes    int64        `json:"bytes"`
	Releases []releaseRow `json:"releases"`
}

func runDownload(ctx context.Context, o downloadOptions, args []string, stdout io.Writer, p *progress) error {
	all, err := wants(args)
	if err != nil {
		return err
	}
	if o.out == "" {
		name := string(all[0].ID.Base())
		if name == "" {
			name = all[0].Text
		}
		o.out = strings.ToLower(name) + remote.BundleSuffix
	}
	if _, err := os.Lstat(o.out); err == nil {
		return hint.With(fmt.Errorf("cannot write %q: %w", o.out, errors.New("it is there already")), "name another file with --out")
	}
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	carried, err := c.Download(ctx, all, o.plan, o.out)
	p.clear()
	if err != nil {
		return err
	}
	if o.json {
		doc := carriedDoc{carried.Path, carried.Bytes, []releaseRow{}}
		for _, r := range carried.Releases {
			doc.Releases = append(doc.Releases, rowOf(r))
		}
		return cli.WriteJSON(stdout, doc)
	}
	for _, r := range carried.Releases {
		cli.Note(p.w, "%s %s is in it", r.Ref.ID, r.Version)
	}
	_, err = fmt.Fprintln(stdout, safe.Text(carried.Path))
	return err
}
