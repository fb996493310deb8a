package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo/client"
	"sandbox/repo/remote"
	"sandbox/repo/trust"
)

func remoteCommand() *cobra.Command {
	c := parent("remote")
	c.Long = "A remote is a repository that apps are installed from, under a name you choose."
	c.AddCommand(remoteListCommand(), remoteAddCommand(), remoteShowCommand(), remoteModifyCommand(), remoteRemoveCommand())
	return c
}

// remoteFlags are what can be chosen about a remote.
type remoteFlags struct {
	title    string
	priority int
	allow    []string
	deny     []string
}

func (o *remoteFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.title, "title", "", "`TEXT`: what it is")
	f.IntVar(&o.priority, "priority", 0, "`N`: of two remotes that offer the same, the one with the higher N is taken")
	f.StringArrayVar(&o.allow, "allow", nil, "`PATTERN`: only take what matches: an ID, or its beginning and a star; may be repeated")
	f.StringArrayVar(&o.deny, "deny", nil, "`PATTERN`: never take what matches; may be repeated")
}

// apply changes what was given on the command line.
func (o *remoteFlags) apply(c *cobra.Command, r *remote.Remote) error {
	if c.Flags().Changed("title") {
		r.Title = o.title
	}
	if c.Flags().Changed("priority") {
		r.Priority = o.priority
	}
	for _, list := range []struct {
		texts []string
		to    *[]remote.Pattern
	}{{o.allow, &r.Allow}, {o.deny, &r.Deny}} {
		for _, text := range list.texts {
			p, err := remote.ParsePattern(text)
			if err != nil {
				return cli.Exit(cli.UsageError, err)
			}
			*list.to = append(*list.to, p)
		}
	}
	return nil
}

func remoteAddCommand() *cobra.Command {
	var o struct {
		clientFlags
		consent
		remoteFlags
		key string
	}
	c := &cobra.Command{Use: "add [FLAGS] NAME URL|FILE [URL]", Short: "add a repository and trust it", Args: between(2, 3), DisableFlagsInUseLine: true,
		Long: `URL is https://, http:// or file://, or an absolute directory. A repository is
trusted by the fingerprint of its first root: given with --key, brought along by a
.sandboxremote FILE, or shown and asked about. Without a terminal it must be given.`}
	f := c.Flags()
	f.StringVar(&o.key, "key", "", "`FINGERPRINT`: the one that its operator tells, sha256:…")
	o.remoteFlags.add(c)
	o.clientFlags.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		p := newProgress(os.Stderr)
		o.reach(p)
		r := remote.Remote{Name: args[0]}
		if err := o.apply(c, &r); err != nil {
			return err
		}
		file, err := addressOf(&r, args[1:])
		if err != nil {
			return err
		}
		cl, done, err := o.open(p)
		if err != nil {
			return err
		}
		defer done()
		n, err := cl.LookAt(c.Context(), r, o.key, file)
		if err != nil {
			return err
		}
		if err := addRemote(c.Context(), &o.consent, cl, n); err != nil {
			return err
		}
		return printRemote(c.OutOrStdout(), cl, n.Name, o.json)
	}
	return c
}

// addressOf fills in the address from the arguments behind the name.
func addressOf(r *remote.Remote, args []string) (file *remote.File, err error) {
	text := args[0]
	if strings.HasSuffix(text, remote.FileSuffix) && remote.IsFile(text) {
		if file, err = remote.ReadFile(text); err != nil {
			return nil, err
		}
		if r.Title == "" {
			r.Title = file.Title
		}
		if len(args) == 1 {
			if r.Address = file.Address; r.Address.IsZero() {
				return nil, hint.With(fmt.Errorf("%q does not say where the repository is", text), "give its URL behind the file")
			}
			return file, nil
		}
		text = args[1]
	} else if len(args) == 2 {
		return nil, cli.Usagef("see 'sandbox remote add --help'", "unexpected argument %q", args[1])
	}
	r.Address, err = remote.ParseAddress(text)
	return file, err
}

func addRemote(ctx context.Context, o *consent, cl *client.Client, n *client.NewRemote) error {
	if n.Address.Insecure() {
		cli.Note(o.w, "%s is not encrypted: others can see what you install, but not change it", n.Address)
	}
	if !n.Known {
		if err := o.firstUse(ctx, n.Address.String(), n.First.Fingerprint); err != nil {
			return err
		}
	}
	return cl.AddRemote(ctx, n)
}

type remoteRow struct {
	Name        string     `json:"name"`
	URL         string     `json:"url"`
	Title       string     `json:"title,omitempty"`
	Fingerprint string     `json:"fingerprint"`
	Priority    int        `json:"priority"`
	Allow       []string   `json:"allow"`
	Deny        []string   `json:"deny"`
	Disabled    bool       `json:"disabled"`
	Machine     bool       `json:"machine"` // configured for every user
	Added       time.Time  `json:"added"`
	Checked     *time.Time `json:"checked"` // when it was last asked
	RootVersion int64      `json:"root_version,omitempty"`
	RootExpires *time.Time `json:"root_expires,omitempty"`
	Installed   []string   `json:"installed"` // IDs that came from it
}

func remoteRows(cl *client.Client) ([]remoteRow, error) {
	origins, err := cl.Origins()
	if err != nil {
		return nil, err
	}
	records, err := cl.Store.Records()
	if err != nil {
		return nil, err
	}
	rows := []remoteRow{}
	for _, o := range origins {
		row := remoteRow{Name: o.Name, URL: o.Address.String(), Title: o.Title, Fingerprint: o.Root, Priority: o.Priority,
			Allow: texts(o.Allow), Deny: texts(o.Deny), Disabled: o.Disabled, Machine: o.Machine, Added: o.Added, Installed: []string{}}
		if t := o.Checked(); !t.IsZero() {
			row.Checked = &t
		}
		if root, err := trust.StoredRoot(o.Dir()); err == nil {
			row.RootVersion, row.RootExpires = root.Version, &root.Expires
		}
		for _, rec := range records {
			if rec.RemoteFingerprint == o.Root {
				row.Installed = append(row.Installed, string(rec.Ref().ID))
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func texts(list []remote.Pattern) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, string(p))
	}
	return out
}

func remoteListCommand() *cobra.Command {
	var o clientFlags
	c := &cobra.Command{Use: "list", Short: "list remotes, the most preferred first", Args: exactly(0), DisableFlagsInUseLine: true}
	o.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, done, err := o.open(newProgress(os.Stderr))
		if err != nil {
			return err
		}
		defer done()
		rows, err := remoteRows(cl)
		if err != nil {
			return err
		}
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), rows)
		}
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", r.Name, safe.Text(r.URL), r.Priority, r.state())
		}
		return t.Flush()
	}
	return c
}

func (r *remoteRow) state() string {
	state := "never asked"
	if r.Checked != nil {
		state = "asked " + age(time.Since(*r.Checked))
	}
	if r.Disabled {
		state = "disabled, " + state
	}
	if r.Machine {
		state += ", of the machine"
	}
	return state
}

func remoteShowCommand() *cobra.Command {
	var o clientFlags
	c := &cobra.Command{Use: "show NAME", Short: "show what is known of a remote", Args: exactly(1), DisableFlagsInUseLine: true, ValidArgsFunction: completeRemotes}
	o.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, done, err := o.open(newProgress(os.Stderr))
		if err != nil {
			return err
		}
		defer done()
		return printRemote(c.OutOrStdout(), cl, args[0], o.json)
	}
	return c
}

func printRemote(w io.Writer, cl *client.Client, name string, asJSON bool) error {
	rows, err := remoteRows(cl)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Name != name {
			continue
		}
		if asJSON {
			return cli.WriteJSON(w, r)
		}
		r.print(w)
		return nil
	}
	return hint.With(fmt.Errorf("%w: %q", remote.ErrNoRemote, name), "see 'sandbox remote list'")
}

func (r *remoteRow) print(w io.Writer) {
	line := func(name, text string) {
		if text != "" {
			safe.Line(w, "%-12s %s", name, text)
		}
	}
	line("remote", r.Name)
	line("url", r.URL)
	line("title", r.Title)
	line("fingerprint", r.Fingerprint)
	line("priority", fmt.Sprint(r.Priority))
	line("state", r.state())
	line("allow", strings.Join(r.Allow, " "))
	line("deny", strings.Join(r.Deny, " "))
	if r.RootExpires != nil {
		line("root", fmt.Sprintf("version %d, until %s", r.RootVersion, r.RootExpires.Format("2006-01-02")))
	}
	line("installed", strings.Join(r.Installed, " "))
}

func remoteModifyCommand() *cobra.Command {
	var o struct {
		clientFlags
		remoteFlags
		url                       string
		enable, disable, noFilter bool
	}
	c := &cobra.Command{Use: "modify [FLAGS] NAME", Short: "change a remote", Args: exactly(1), DisableFlagsInUseLine: true, ValidArgsFunction: completeRemotes,
		Long: "The repository stays the same one, known by its fingerprint, wherever it moves."}
	f := c.Flags()
	f.StringVar(&o.url, "url", "", "`URL`: where the repository is now")
	o.remoteFlags.add(c)
	f.BoolVar(&o.noFilter, "no-filter", false, "forget the patterns of before")
	f.BoolVar(&o.enable, "enable", false, "use it again")
	f.BoolVar(&o.disable, "disable", false, "do not use it for now")
	o.clientFlags.add(c)
	c.MarkFlagsMutuallyExclusive("enable", "disable")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, done, err := o.open(newProgress(os.Stderr))
		if err != nil {
			return err
		}
		defer done()
		r, err := cl.Remotes().Get(args[0])
		if err != nil {
			return err
		}
		if o.url != "" {
			if r.Address, err = remote.ParseAddress(o.url); err != nil {
				return err
			}
		}
		if o.noFilter {
			r.Allow, r.Deny = nil, nil
		}
		if err := o.apply(c, r); err != nil {
			return err
		}
		r.Disabled = (r.Disabled || o.disable) && !o.enable
		if err := cl.Remotes().Put(*r); err != nil {
			return err
		}
		return printRemote(c.OutOrStdout(), cl, r.Name, o.json)
	}
	return c
}

func remoteRemoveCommand() *cobra.Command {
	var o clientFlags
	force := false
	c := &cobra.Command{Use: "remove [FLAGS] NAME", Short: "forget a remote", Args: exactly(1), DisableFlagsInUseLine: true, ValidArgsFunction: completeRemotes,
		Long: `What came from it stays installed, and gets no updates until the repository is
added again. Which releases were seen of it is kept in mind.`}
	c.Flags().BoolVar(&force, "force", false, "even if something installed came from it")
	o.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, done, err := o.open(newProgress(os.Stderr))
		if err != nil {
			return err
		}
		defer done()
		rows, err := remoteRows(cl)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Name == args[0] && !r.Machine && len(r.Installed) > 0 && !force {
				return hint.With(fmt.Errorf("cannot remove the remote %q: %s came from it", r.Name, strings.Join(r.Installed, ", ")), "--force removes it; what is installed stays, without updates")
			}
		}
		if err := cl.Remotes().Remove(args[0]); err != nil {
			return err
		}
		if o.json {
			return cli.WriteJSON(c.OutOrStdout(), map[string]string{"removed": args[0]})
		}
		return nil
	}
	return c
}

// completeRemotes completes the names of remotes.
func completeRemotes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var o clientFlags
	quiet := &progress{w: io.Discard, now: time.Now}
	cl, done, err := o.open(quiet)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer done()
	origins, _ := cl.Origins()
	var words []string
	for _, r := range origins {
		words = append(words, r.Name+"\t"+r.Address.String())
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
