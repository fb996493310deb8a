package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/client"
	"sandbox/repo/export"
)

type infoOptions struct {
	clientFlags
	info client.InfoOptions
}

func infoCommand() *cobra.Command {
	var o infoOptions
	c := command("info", func(c *cobra.Command, args []string) error {
		return runInfo(c.Context(), o, args[0], c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = exactly(1)
	c.ValidArgsFunction = completeOffered
	c.Long = `What the app may do, who published it, how large it is and which releases are
kept. Nothing is installed.`
	c.Flags().StringVar(&o.info.From, "from", "", "`REMOTE`: as REMOTE offers it")
	c.Flags().BoolVar(&o.info.Stored, "offline", false, "ask nobody: tell what was seen last")
	o.clientFlags.add(c)
	c.RegisterFlagCompletionFunc("from", completeRemotes)
	return c
}

type infoDoc struct {
	releaseRow
	Name        string   `json:"name,omitempty"`
	Summary     string   `json:"summary,omitempty"`
	License     string   `json:"license,omitempty"`
	Homepage    string   `json:"homepage,omitempty"`
	Remote      string   `json:"remote"`
	Fingerprint string   `json:"fingerprint"`
	Also        []string `json:"also"` // remotes that offer it too
	Download    int64    `json:"download"`
	Disk        int64    `json:"disk"`
	Permissions []askRow `json:"permissions"`

	Registers export.Registration `json:"registers"` // what the desktop will offer it for

	Releases  []releaseRow `json:"releases"` // older ones that are kept
	Installed *releaseRow  `json:"installed"`
	Checked   time.Time    `json:"checked"` // when the repository was asked
}

func runInfo(ctx context.Context, o infoOptions, arg string, stdout io.Writer, p *progress) error {
	all, err := wants([]string{arg})
	if err != nil {
		return err
	}
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	in, err := c.Info(ctx, all[0], o.info)
	p.clear()
	if err != nil {
		return err
	}
	if o.json {
		return cli.WriteJSON(stdout, infoOf(in))
	}
	if in.Stored {
		cli.Note(p.w, "the remote was asked %s", age(in.Age))
	}
	printInfo(stdout, in)
	return nil
}

func infoOf(in *client.Info) infoDoc {
	d := infoDoc{releaseRow: rowOf(in.Release), Remote: in.Origin.Label(), Fingerprint: in.Origin.Root, Also: []string{},
		Download: in.Download, Disk: in.Disk, Permissions: asksOf(in.Manifest, in.Required, in.Optional), Registers: export.Registers(in.Manifest), Releases: []releaseRow{}, Checked: in.Origin.Checked()}
	if m := in.Manifest; m != nil {
		d.Name, d.Summary, d.License, d.Homepage = m.Name, m.Summary, m.License, m.Homepage
	}
	for _, o := range in.Also {
		d.Also = append(d.Also, o.Label())
	}
	for _, r := range in.Older {
		d.Releases = append(d.Releases, rowOf(r))
	}
	if in.Installed != nil {
		row := rowOf(in.Installed.Release)
		d.Installed = &row
	}
	return d
}

func printInfo(w io.Writer, in *client.Info) {
	line := func(name, format string, args ...any) {
		text := safe.Sprintf(format, args...)
		if strings.TrimSpace(text) != "" {
			safe.Line(w, "%-12s %s", name, text)
		}
	}
	r := in.Release
	line("app", "%s", r.Ref.ID)
	if m := in.Manifest; m != nil {
		line("name", "%s", m.Name)
		line("summary", "%s", m.Summary)
		line("license", "%s", m.License)
		line("homepage", "%s", m.Homepage)
	}
	line("version", "%s (release %d of %s, %s)", r.Version, r.N, r.Ref.Channel, r.Time.Format("2006-01-02"))
	switch {
	case in.Installed == nil:
		line("installed", "no")
	default:
		where := ""
		if in.Installed.System {
			where = ", for the whole machine"
		}
		line("installed", "%s (release %d)%s", in.Installed.Release.Version, in.Installed.Release.N, where)
	}
	line("remote", "%s (%s)", in.Origin.Label(), in.Origin.Root)
	for _, o := range in.Also {
		line("also", "%s", o.Label())
	}
	line("publisher", "%s", publisherOf(r.Publisher.Key))
	if !r.Runtime.IsZero() {
		line("runtime", "%s/%s", r.Runtime.ID, r.Runtime.Channel)
	}
	line("download", "%s", amount.Bytes(in.Download))
	line("on disk", "%s", amount.Bytes(in.Disk))
	line("end", "%s", r.EOL)
	line("replaced by", "%s", r.ReplacedBy)
	for i, old := range in.Older {
		name := ""
		if i == 0 {
			name = "kept"
		}
		line(name, "%s (release %d, %s)", old.Version, old.N, old.Time.Format("2006-01-02"))
	}
	(&consent{w: w, colour: w == os.Stdout && cli.Colour(os.Stdout)}).asks(in.Manifest, in.Required, in.Optional)
}
