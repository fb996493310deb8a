package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

func repoCommand() *cobra.Command {
	c := parent("repo")
	c.Long = `A repository is a directory of plain files that any web server carries. DIR is that
directory; without it, $SANDBOX_REPO. URL is one that lies on a server already, behind
ssh or in a bucket of an S3-compatible store: ssh://[USER@]HOST[:PORT]/PATH or
s3://BUCKET/PREFIX. 'sandbox help publishing' is a tour.`
	c.AddCommand(repoInitCommand(), repoShowCommand(), repoSetCommand(), repoRefreshCommand(), repoGCCommand(), repoServeCommand(),
		repoRotateCommand(), repoSignCommand(), repoPublisherCommand(), repoUploadCommand(), repoUnlockCommand())
	return c
}

// destinationOf is the repository that a verb of "sandbox repo" is about.
func destinationOf(args []string) (destination, error) {
	if len(args) > 0 {
		return findDestination(args[0], "")
	}
	return findDestination("", "")
}

func dirsOnly(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

type repoInitOptions struct {
	signing
	roles       []string
	publish     publish.InitOptions
	asJSON      bool
	destination destination
}

func repoInitCommand() *cobra.Command {
	var o repoInitOptions
	c := child("init [FLAGS] DIR|URL", "make an empty repository", exactly(1), nil)
	c.ValidArgsFunction = completeDestination
	c.Long = `Makes the layout and the first metadata in DIR or at URL, which is new or empty, and a file
NAME.sandboxremote for users to add it by. Prints the fingerprint, which users compare
who add it by its address.
The key signs in every role unless --role gives a role another: root (kept offline),
targets (which publishers there are), bins (the releases), snapshot, timestamp (renewed
by cron). --role takes public halves too (.pub) when the secret one is not needed now.`
	o.signing.flags(c)
	f := c.Flags()
	f.StringArrayVar(&o.roles, "role", nil, "`ROLE=KEY`: sign in ROLE with KEY")
	f.IntVar(&o.publish.RootThreshold, "root-threshold", 1, "`N`: the root changes only when N of its keys sign")
	f.StringVar(&o.publish.URL, "url", "", "`URL`: where users will find it")
	f.StringVar(&o.publish.Title, "title", "", "`TEXT`: what users see it called")
	f.StringVar(&o.publish.Name, "name", "", "`NAME`: of the .sandboxremote file; default: that of the directory")
	f.IntVar(&o.publish.Bins, "bins", 1, "`N`: over how many files the index is spread: 1, 16 or 256")
	f.IntVar(&o.publish.TimestampDays, "timestamp-days", 0, "`N`: how long the repository counts as fresh, 1 to 90 (default 14)")
	f.IntVar(&o.publish.Keep, "keep", 0, "`N`: how many releases of a channel stay available (default 5)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		t, err := findDestination(args[0], "")
		if err != nil {
			return err
		}
		o.destination = t
		return runRepoInit(c.Context(), o, c.OutOrStdout(), newProgress(os.Stderr))
	}
	return c
}

func runRepoInit(ctx context.Context, o repoInitOptions, stdout io.Writer, p *progress) error {
	signers, ring, err := o.signers(ctx)
	if err != nil {
		return err
	}
	i := o.publish
	i.Options = publishOptions(signers, ring, p)
	if i.Roles, err = parseRoles(ring, o.roles); err != nil {
		return err
	}
	for _, s := range signers {
		i.Default = append(i.Default, s.Public())
	}
	if len(i.Default) == 0 && len(i.Roles) < len(publish.InitRoles) {
		return cli.Usagef("'sandbox key create NAME' makes a key; then 'sandbox repo init --key NAME "+o.destination.String()+"'", "a repository needs a key")
	}
	made, err := o.destination.init(ctx, i)
	p.clear()
	if err != nil {
		return err
	}
	if o.asJSON {
		return cli.WriteJSON(stdout, map[string]string{"dir": made.Dir, "fingerprint": made.Fingerprint, "remote_file": made.RemoteFile})
	}
	cli.Note(p.w, "wrote %s; its fingerprint is", made.RemoteFile)
	return safe.Line(stdout, "%s", made.Fingerprint)
}

// parseRoles reads ROLE=KEY.
func parseRoles(ring *key.Ring, words []string) (map[string][]key.Public, error) {
	roles := map[string][]key.Public{}
	for _, w := range words {
		role, spec, ok := strings.Cut(w, "=")
		if !ok || spec == "" {
			return nil, cli.Usagef("the roles are "+strings.Join(publish.InitRoles, ", "), "cannot read %q: it is not of the form ROLE=KEY", w)
		}
		if !isRole(role) {
			return nil, cli.Usagef("the roles are "+strings.Join(publish.InitRoles, ", "), "there is no role %q", role)
		}
		p, err := ring.FindPublic(spec)
		if err != nil {
			return nil, fmt.Errorf("cannot use key %q: %w", spec, err)
		}
		roles[role] = append(roles[role], p)
	}
	return roles, nil
}

func isRole(text string) bool {
	for _, r := range publish.InitRoles {
		if r == text {
			return true
		}
	}
	return false
}

// repoFlagsFor are of the verbs whose argument is DIR.
type dirFlags struct {
	signing
	json bool
}

func (o *dirFlags) add(c *cobra.Command) {
	o.signing.flags(c)
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.ValidArgsFunction = completeDestination
}

func (o *dirFlags) change(c *cobra.Command, args []string, p *progress, sweeps bool, do func(*publish.Repository) error) error {
	t, err := destinationOf(args)
	if err != nil {
		return err
	}
	return o.signing.change(c.Context(), t, p, sweeps, do)
}

func repoRefreshCommand() *cobra.Command {
	var o dirFlags
	c := child("refresh [FLAGS] [DIR|URL]", "renew what would expire", between(0, 1), nil)
	c.Long = `Signs a new timestamp, and renews every other role that has used up two thirds of its
life and whose key is here. Made for cron: it asks for nothing when the key of the
timestamp has no passphrase or is in an agent, and says only what needs you.`
	o.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var out *publish.Refreshed
		var expired error
		p := newProgress(os.Stderr)
		err := o.change(c, args, p, false, func(r *publish.Repository) (err error) {
			if out, err = r.Refresh(); out != nil {
				expired, err = err, nil // what was renewed counts
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range out.Expiring {
			cli.Warn(p.w, "role %q expires on %s; renew it with its key", e.Role, e.Expires.Format(time.DateOnly))
		}
		if expired != nil {
			return expired
		}
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), map[string]any{"timestamp": out.Timestamp, "renewed": append([]string{}, out.Renewed...), "expiring": append([]publish.Expiry{}, out.Expiring...)})
		}
		return safe.Line(c.OutOrStdout(), "%s", out.Timestamp.Format(time.RFC3339))
	}
	return c
}

func repoGCCommand() *cobra.Command {
	var o dirFlags
	var g publish.Collection
	c := child("gc [FLAGS] [DIR|URL]", "remove what no release needs any more", between(0, 1), nil)
	c.Long = `Removes files that have been unreferenced for longer than a client may still ask for
them: the life of a timestamp and a day after a gc has first seen them so. Packs more
than half of which is of no use are written anew. Roots and the last ten versions of
all other metadata stay.`
	o.add(c)
	c.Flags().BoolVar(&g.Now, "now", false, "do not wait: clients that are downloading may fail and have to try again")
	c.Flags().BoolVarP(&g.DryRun, "dry-run", "n", false, "say what would go and remove nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		var out *publish.Collected
		p := newProgress(os.Stderr)
		err := o.change(c, args, p, !g.DryRun, func(r *publish.Repository) (err error) {
			out, err = r.GC(c.Context(), g)
			return err
		})
		if err != nil {
			return err
		}
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), map[string]any{"removed": append([]string{}, out.Removed...), "bytes": out.Bytes, "rewritten": out.Rewritten, "waiting": out.Waiting, "dry_run": g.DryRun})
		}
		gone := "removed"
		if g.DryRun {
			gone = "would go"
		}
		cli.Note(p.w, "%s: %s, %s; written anew: %s; kept for some days: %s", gone, amount.Of(len(out.Removed), "file"), amount.Bytes(out.Bytes), amount.Of(out.Rewritten, "pack"), amount.Of(out.Waiting, "file"))
		for _, name := range out.Removed {
			if err := safe.Line(c.OutOrStdout(), "%s", name); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func repoServeCommand() *cobra.Command {
	listen := "127.0.0.1:8080"
	asJSON := false
	c := child("serve [FLAGS] [DIR]", "serve a repository to try it", between(0, 1), nil)
	c.Long = `Answers over HTTP, to this machine alone unless --listen says otherwise, and prints
the address. For the world, any web server will do: 'sandbox help publishing'.`
	c.ValidArgsFunction = dirsOnly
	c.Flags().StringVar(&listen, "listen", listen, "`HOST:PORT`: where to listen; port 0 takes a free one")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		t, err := destinationOf(args)
		if err != nil {
			return err
		}
		dir, err := t.local(c)
		if err != nil {
			return err
		}
		if _, _, err := net.SplitHostPort(listen); err != nil {
			return usage(c, "cannot listen on %q: it is not of the form HOST:PORT", listen)
		}
		return publish.Serve(c.Context(), dir, listen, func(a net.Addr) {
			url := "http://" + a.String() + "/"
			if asJSON {
				cli.WriteJSON(c.OutOrStdout(), map[string]string{"url": url})
				return
			}
			fmt.Fprintln(c.OutOrStdout(), url)
		})
	}
	return c
}

type roleRow struct {
	Role      string   `json:"role"`
	Threshold int      `json:"threshold"`
	Keys      []string `json:"keys"` // fingerprints
	Version   int64    `json:"version"`
	Expires   string   `json:"expires,omitempty"`
	Patterns  []string `json:"patterns,omitempty"`
}

func repoShowCommand() *cobra.Command {
	asJSON := false
	c := child("show [FLAGS] [DIR|URL]", "show a repository's keys, publishers and releases", between(0, 1), nil)
	c.ValidArgsFunction = completeDestination
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		t, err := destinationOf(args)
		if err != nil {
			return err
		}
		p := newProgress(os.Stderr)
		return t.look(c.Context(), publishOptions(nil, nil, p), func(r *publish.Repository) error {
			p.clear()
			return showRepo(c.OutOrStdout(), r, asJSON)
		})
	}
	return c
}

func repoSetCommand() *cobra.Command {
	var s publish.Settings
	var title, url string
	var days, keep int
	asJSON := false
	c := child("set [FLAGS] [DIR|URL]", "change a repository's title, address and habits", between(0, 1), nil)
	c.ValidArgsFunction = completeDestination
	c.Long = "Needs no key. Writes the .sandboxremote file anew and prints its path."
	f := c.Flags()
	f.StringVar(&url, "url", "", "`URL`: where users will find it")
	f.StringVar(&title, "title", "", "`TEXT`: what users see it called")
	f.StringVar(&s.Name, "name", "", "`NAME`: of the .sandboxremote file")
	f.IntVar(&days, "timestamp-days", 0, "`N`: how long the repository counts as fresh from the next refresh on, 1 to 90")
	f.IntVar(&keep, "keep", 0, "`N`: how many releases of a channel stay available from the next one on")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		for name, set := range map[string]func(){
			"url": func() { s.URL = &url }, "title": func() { s.Title = &title },
			"timestamp-days": func() { s.TimestampDays = &days }, "keep": func() { s.Keep = &keep },
		} {
			if c.Flags().Changed(name) {
				set()
			}
		}
		t, err := destinationOf(args)
		if err != nil {
			return err
		}
		var path string
		err = new(signing).change(c.Context(), t, newProgress(os.Stderr), false, func(r *publish.Repository) (err error) {
			path, err = r.Set(s)
			return err
		})
		if err != nil {
			return err
		}
		path = t.show(path)
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), map[string]string{"remote_file": path})
		}
		return safe.Line(c.OutOrStdout(), "%s", path)
	}
	return c
}

func showRepo(w io.Writer, r *publish.Repository, asJSON bool) error {
	fingerprint, err := r.Fingerprint()
	if err != nil {
		return err
	}
	releases, err := r.Releases()
	if err != nil {
		return err
	}
	roles := roleRows(r)
	rows := []publishedRow{}
	for _, rel := range releases {
		rows = append(rows, rowOfRelease(rel))
	}
	if asJSON {
		return cli.WriteJSON(w, map[string]any{"fingerprint": fingerprint, "roles": roles, "releases": rows})
	}
	fmt.Fprintf(w, "fingerprint  %s\n", fingerprint)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, role := range roles {
		fmt.Fprintf(t, "%s\t%d of %d\t%s\t%s\t%s\n", role.Role, role.Threshold, len(role.Keys), role.Expires, strings.Join(role.Keys, " "), safe.Text(strings.Join(role.Patterns, " ")))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		end := ""
		if row.EOL != "" {
			end = "end of life: " + row.EOL
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", safe.Text(row.Target), row.N, safe.Text(row.Version), row.Time[:10], safe.Text(end))
	}
	return t.Flush()
}

func roleRows(r *publish.Repository) []roleRow {
	rows := []roleRow{}
	for _, role := range r.Roles() {
		row := roleRow{Role: role.Name, Threshold: role.Threshold, Keys: role.Keys, Version: role.Version, Patterns: role.Patterns}
		if !role.Expires.IsZero() {
			row.Expires = role.Expires.Format(time.DateOnly)
		}
		rows = append(rows, row)
	}
	return rows
}

func repoPublisherCommand() *cobra.Command {
	c := child("publisher", "let others publish under their ids, with keys of their own", nil, nil)
	asParent(c)
	c.AddCommand(publisherAddCommand(), publisherRemoveCommand())
	return c
}

func publisherAddCommand() *cobra.Command {
	var o repoFlags
	var patterns, keys []string
	threshold := 1
	replace := false
	c := child("add [FLAGS] NAME", "let NAME publish what matches", exactly(1), nil)
	c.Long = `From now on only NAME can publish what matches a pattern, and NAME nothing else:
clients hold to that too. A pattern is an id, or its beginning as in 'org.example.*';
'app/org.example.*' means apps only. Needs the key of the role targets.`
	o.add(c)
	f := c.Flags()
	f.StringArrayVar(&patterns, "pattern", nil, "`PATTERN`: what NAME may publish")
	f.StringArrayVar(&keys, "public", nil, "`KEY`: the public key (.pub) of NAME")
	f.IntVar(&threshold, "threshold", 1, "`N`: a release counts when N of the keys sign")
	f.BoolVar(&replace, "replace", false, "change the patterns and keys of a publisher that is there")
	c.RunE = func(c *cobra.Command, args []string) error {
		p := publish.Publisher{Name: args[0], Threshold: threshold}
		for _, text := range patterns {
			pattern, err := publish.ParsePattern(text)
			if err != nil {
				return cli.Exit(cli.UsageError, err)
			}
			p.Patterns = append(p.Patterns, pattern)
		}
		ring, err := keyRing(c.Context(), o.file)
		if err != nil {
			return err
		}
		for _, spec := range keys {
			k, err := ring.FindPublic(spec)
			if err != nil {
				return fmt.Errorf("cannot use key %q: %w", spec, err)
			}
			p.Keys = append(p.Keys, k)
		}
		var rows []roleRow
		err = o.change(c.Context(), newProgress(os.Stderr), func(r *publish.Repository) error {
			err := r.AddPublisher(p, replace)
			rows = roleRows(r)
			return err
		})
		if err != nil {
			return err
		}
		return printPublisher(c.OutOrStdout(), rows, p.Name, o.json)
	}
	return c
}

func printPublisher(w io.Writer, rows []roleRow, name string, asJSON bool) error {
	for _, row := range rows {
		if row.Role != "pub-"+name {
			continue
		}
		if asJSON {
			return cli.WriteJSON(w, row)
		}
		_, err := fmt.Fprintf(w, "%s\t%s\n", safe.Text(name), safe.Text(strings.Join(row.Patterns, " ")))
		return err
	}
	return errors.New("internal error: the publisher is not there")
}

func publisherRemoveCommand() *cobra.Command {
	var o repoFlags
	c := child("remove [FLAGS] NAME", "take the right from NAME, and all releases along with it", exactly(1), nil)
	c.Long = `Its releases are not found any more; those who have them keep them. Prints them.
Needs the keys of the roles targets and bins.`
	o.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var gone []*publish.Release
		err := o.change(c.Context(), newProgress(os.Stderr), func(r *publish.Repository) (err error) {
			gone, err = r.RemovePublisher(args[0])
			return err
		})
		if err != nil {
			return err
		}
		return printReleases(c.OutOrStdout(), gone, o.json)
	}
	return c
}
