package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

// repoFlags are of every verb that changes a repository named by --repo.
type repoFlags struct {
	signing
	repo string
	json bool
}

func (o *repoFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.repo, "repo", "", "`DIR|URL`: the repository; default: $SANDBOX_REPO")
	o.signing.flags(c)
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.RegisterFlagCompletionFunc("repo", func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		return completeAddress(text)
	})
}

// change has do change the repository.
func (o *repoFlags) change(ctx context.Context, p *progress, do func(*publish.Repository) error) error {
	t, err := findDestination(o.repo, " with --repo DIR")
	if err != nil {
		return err
	}
	return o.signing.change(ctx, t, p, false, do)
}

func publishOptions(signers []key.Signer, ring *key.Ring, p *progress) publish.Options {
	return publish.Options{
		Keys: signers, Ring: ring,
		Progress: func(e publish.Event) {
			switch {
			case e.Warning:
				p.warn(e.Text)
			case e.Stage == "upload", e.Stage == "reading":
				p.bytes(e.Stage, e.Text, e.Done, e.Total, 0)
			default:
				p.step(e.Stage, e.Text, e.Done, e.Total)
			}
		},
		Wait: func(holder string) {
			if holder == "" {
				holder = "somebody else"
			}
			p.clear()
			cli.Note(p.w, "waiting: %s is changing the repository", holder)
		},
	}
}

// authorFlags are of the verbs that make a release.
type authorFlags struct {
	author string
	moved  bool
}

func (o *authorFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.author, "author", "", "`KEY`: sign the release itself with KEY; default: the key that signed the one before")
	c.Flags().BoolVar(&o.moved, "new-author", false, "let the author's key change; who has the app will be asked")
	c.RegisterFlagCompletionFunc("author", completeKeys)
}

func (o *authorFlags) signer(ctx context.Context, s signing) (key.Signer, error) {
	if o.author == "" {
		return nil, nil
	}
	ring, err := keyRing(ctx, s.file)
	if err != nil {
		return nil, err
	}
	found, err := ring.Find(o.author)
	if err != nil {
		return nil, fmt.Errorf("cannot use key %q: %w", o.author, err)
	}
	return found, nil
}

type publishOptionsSet struct {
	repoFlags
	authorFlags
	request publish.Request
}

func publishCommand() *cobra.Command {
	var o publishOptionsSet
	c := command("publish", func(c *cobra.Command, args []string) error {
		o.request.Bundles = args
		return runPublish(c.Context(), o, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(1, 10_000)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	c.Long = `Puts bundles into a repository, all of them or none: a run that is interrupted
changes nothing that users see, and may be repeated. Contents that the repository has
already are not compressed again. A bundle that is published already is left alone.
Prints one line for each bundle: its release, version, and bytes to download.
The older releases of a channel stay available, five in all unless the repository
says otherwise.`
	o.repoFlags.add(c)
	f := c.Flags()
	f.StringVar(&o.request.Channel, "channel", "", "`CHANNEL`: such as stable or beta; default: the one in the manifest")
	f.StringVar(&o.request.Arch, "arch", "", "`ARCH`: x86_64 or aarch64, of bundles for several; default: this machine's")
	f.StringVar(&o.request.Publisher, "publisher", "", "`NAME`: fail unless the bundles are those of publisher NAME")
	o.authorFlags.add(c)
	f.BoolVar(&o.request.Force, "force", false, "make a new release even of what is published already")
	return c
}

func runPublish(ctx context.Context, o publishOptionsSet, stdout io.Writer, p *progress) error {
	var err error
	if o.request.Author, err = o.signer(ctx, o.signing); err != nil {
		return err
	}
	o.request.NewAuthor = o.moved
	var out []publish.Published
	err = o.change(ctx, p, func(r *publish.Repository) (err error) {
		out, err = r.Publish(ctx, o.request)
		return err
	})
	if err != nil {
		return err
	}
	rows := []publishedRow{}
	for _, one := range out {
		rows = append(rows, rowOfPublished(one))
		switch {
		case one.Unchanged:
			cli.Note(p.w, "%s is published already, as release %d", one.Ref, one.N)
		default:
			cli.Note(p.w, "%s: %s packed, %s to download, %s installed", one.Ref, amount.Of(one.Objects, "new file"), amount.Bytes(one.Download), amount.Bytes(one.Installed))
		}
	}
	if o.json {
		return cli.WriteJSON(stdout, rows)
	}
	for _, r := range rows {
		if err := printRelease(stdout, r); err != nil {
			return err
		}
	}
	return nil
}

// publishedRow is a release in JSON, wherever this program prints one for a
// packager.
type publishedRow struct {
	Ref        string `json:"ref"`
	N          uint64 `json:"n"`
	Version    string `json:"version"`
	Target     string `json:"target,omitempty"`
	Tree       string `json:"tree"`
	Role       string `json:"role"`
	Download   int64  `json:"download"`
	Installed  int64  `json:"installed"`
	Author     string `json:"author"` // fingerprint of the key
	Time       string `json:"time"`
	EOL        string `json:"eol,omitempty"`
	ReplacedBy string `json:"replaced_by,omitempty"`
	Unchanged  bool   `json:"unchanged"`
	Objects    int    `json:"objects"` // compressed for it
	Packed     int64  `json:"packed"`  // their bytes
	Dir        string `json:"dir,omitempty"`
}

func rowOfPublished(p publish.Published) publishedRow {
	row := rowOfRelease(&publish.Release{Release: p.Release, Role: p.Role})
	row.Unchanged, row.Objects, row.Packed, row.Dir = p.Unchanged, p.Objects, p.Packed, p.Dir
	return row
}

func rowOfRelease(r *publish.Release) publishedRow {
	var author key.Public
	copy(author[:], r.Publisher.Key)
	return publishedRow{
		Ref: r.Ref.String(), N: r.N, Version: r.Version, Target: r.Target, Tree: r.Tree.String(), Role: r.Role,
		Download: r.Download, Installed: r.Installed, Author: author.Fingerprint(),
		Time: r.Time.Format("2006-01-02T15:04:05Z"), EOL: r.EOL, ReplacedBy: r.ReplacedBy,
	}
}

func printRelease(w io.Writer, r publishedRow) error {
	_, err := fmt.Fprintf(w, "%s@%d\t%s\t%d\n", safe.Text(r.Ref), r.N, safe.Text(r.Version), r.Download)
	return err
}

func promoteCommand() *cobra.Command {
	var o repoFlags
	var a authorFlags
	c := command("promote", nil)
	c.Args = exactly(2)
	c.Long = `Offers a release under another channel, with the next number there: nothing is
packed, and who has the old release of that channel updates to it. RELEASE is a ref
such as app/org.example.App/x86_64/beta, ref@N for an older one, or as much as is
unique: an id, or ID/CHANNEL. To go back to an older release, promote it to its own
channel: 'sandbox promote app/org.example.App/x86_64/stable@7 stable'.`
	o.add(c)
	a.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		author, err := a.signer(c.Context(), o.signing)
		if err != nil {
			return err
		}
		var out *publish.Published
		err = o.change(c.Context(), newProgress(os.Stderr), func(r *publish.Repository) (err error) {
			out, err = r.Promote(c.Context(), publish.Promotion{From: args[0], Channel: args[1], Author: author, NewAuthor: a.moved})
			return err
		})
		if err != nil {
			return err
		}
		if out.Unchanged {
			cli.Note(os.Stderr, "%s has it already, as release %d", out.Ref, out.N)
		}
		row := rowOfPublished(*out)
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), row)
		}
		return printRelease(c.OutOrStdout(), row)
	}
	return c
}

func retractCommand() *cobra.Command {
	var o repoFlags
	all := false
	c := command("retract", nil)
	c.Args = exactly(1)
	c.Long = `Takes a release out of the repository. Nobody gets it any more; those who have it
keep it and can run it. They are not led back to an older release, because numbers
only grow: when the current release goes, its channel offers nothing until the next
'sandbox publish', or 'sandbox promote REF@N CHANNEL' with an older one. Its files go
with 'sandbox repo gc'. RELEASE is as for promote.`
	o.add(c)
	c.Flags().BoolVar(&all, "all", false, "every release of its channel")
	c.RunE = func(c *cobra.Command, args []string) error {
		var gone []*publish.Release
		err := o.change(c.Context(), newProgress(os.Stderr), func(r *publish.Repository) (err error) {
			gone, err = r.Retract(args[0], all)
			return err
		})
		if err != nil {
			return err
		}
		return printReleases(c.OutOrStdout(), gone, o.json)
	}
	return c
}

func printReleases(w io.Writer, releases []*publish.Release, asJSON bool) error {
	rows := []publishedRow{}
	for _, r := range releases {
		rows = append(rows, rowOfRelease(r))
	}
	if asJSON {
		return cli.WriteJSON(w, rows)
	}
	for _, r := range rows {
		if err := printRelease(w, r); err != nil {
			return err
		}
	}
	return nil
}

func eolCommand() *cobra.Command {
	var o repoFlags
	var l publish.EndOfLife
	c := command("eol", nil)
	c.Args = exactly(1)
	c.Long = `Tells the users of an app or a runtime that there will be no more releases, and what
to use in its place. It stays installed and can be installed. RELEASE is as for
promote.`
	c.Flags().StringVarP(&l.Why, "message", "m", "", "`TEXT`: one sentence for its users")
	c.Flags().StringVar(&l.ReplacedBy, "replaced-by", "", "`ID`: what takes over, an id or a ref")
	c.Flags().BoolVar(&l.Undo, "undo", false, "take it back")
	o.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if l.Undo == (l.Why != "" || l.ReplacedBy != "") {
			return usage(c, "give --message, --replaced-by or both, or --undo alone")
		}
		var out *publish.Release
		err := o.change(c.Context(), newProgress(os.Stderr), func(r *publish.Repository) (err error) {
			out, err = r.EndOfLife(args[0], l)
			return err
		})
		if err != nil {
			return err
		}
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), rowOfRelease(out))
		}
		return printRelease(c.OutOrStdout(), rowOfRelease(out))
	}
	return c
}
