package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo"
	"sandbox/repo/client"
)

// changeOptions are of the verbs that install and update.
type changeOptions struct {
	clientFlags
	consent
	plan   client.PlanOptions
	dryRun bool
	file   string
	key    string
}

func (o *changeOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.plan.From, "from", "", "`REMOTE`: take it from REMOTE and from no other")
	f.Uint64Var(&o.plan.Release, "release", 0, "`N`: that very release, as 'sandbox info' lists them")
	f.BoolVar(&o.plan.Downgrade, "downgrade", false, "allow a release older than one that was seen")
	o.consent.add(c)
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would be done and do nothing")
	o.clientFlags.add(c)
	c.RegisterFlagCompletionFunc("from", completeRemotes)
}

func installCommand() *cobra.Command {
	var o changeOptions
	c := command("install", func(c *cobra.Command, args []string) error {
		return runInstall(c.Context(), o, args, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(0, 1000)
	c.ValidArgsFunction = completeOffered
	c.Long = `APP is an ID, ID/CHANNEL or the last part of an ID. What it may do, who published
it and how much there is to download is shown before anything is fetched; what it
runs on comes along. Later updates come from the same repository and publisher.
With --file it comes from a file that 'sandbox download' wrote. Prints one line for
each thing that was installed: ID, version, release.`
	o.flags(c)
	c.Flags().StringVar(&o.file, "file", "", "`FILE`: install what is in FILE, or the named of it")
	c.Flags().StringVar(&o.key, "key", "", "`FINGERPRINT`: trust the repository that FILE comes from by this fingerprint")
	c.MarkFlagFilename("file", "sandbox")
	return c
}

func runInstall(ctx context.Context, o changeOptions, args []string, stdout io.Writer, p *progress) error {
	if o.file == "" && len(args) == 0 {
		return cli.Usagef("see 'sandbox install --help'", "say what to install")
	}
	if o.key != "" && o.file == "" {
		return cli.Usagef("remotes are trusted by 'sandbox remote add --key'", "--key goes with --file")
	}
	all, err := wants(args)
	if err != nil {
		return err
	}
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	o.reach(p)
	var plan *client.Plan
	if o.file != "" {
		f, err := o.openFile(ctx, c, p)
		if err != nil {
			return err
		}
		defer f.Close()
		plan, err = c.PlanFile(ctx, f, all, o.plan)
		if err != nil {
			p.clear()
			return err
		}
	} else if plan, err = c.PlanInstall(ctx, all, o.plan); err != nil {
		p.clear()
		return err
	}
	return o.carryOut(ctx, c, plan, stdout, p, "Install?")
}

// openFile opens a single-file bundle and settles whether its repository is
// trusted.
func (o *changeOptions) openFile(ctx context.Context, c *client.Client, p *progress) (*client.CarriedFile, error) {
	f, err := c.OpenFile(ctx, o.file)
	if err != nil {
		return nil, err
	}
	if o.key != "" && o.key != f.First.Fingerprint {
		f.Close()
		return nil, hint.With(fmt.Errorf("cannot trust %q: it comes from the repository %s", o.file, f.First.Fingerprint), "the fingerprint that was given is another one")
	}
	if !f.Known && o.key == "" {
		p.clear()
		if err := o.firstUse(ctx, o.file, f.First.Fingerprint); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, f.Trust()
}

// firstUse asks a person to compare a fingerprint.
func (o *consent) firstUse(ctx context.Context, what, fingerprint string) error {
	if o.in == nil {
		err := fmt.Errorf("cannot trust %s: nobody vouches for it, and there is no terminal to ask at", what)
		return hint.With(err, "compare the fingerprint with what its operator says, and give it: --key %s", fingerprint)
	}
	safe.Line(o.w, "Nothing is known about %s yet. The fingerprint of its repository is", what)
	safe.Line(o.w, "  %s", fingerprint)
	ok, err := o.ask(ctx, false, "Is that what its operator says?")
	if err == nil && !ok {
		err = errors.New("nothing was changed: the repository is not trusted")
	}
	return err
}

// carryOut shows a plan, asks, and does it.
func (o *changeOptions) carryOut(ctx context.Context, c *client.Client, plan *client.Plan, stdout io.Writer, p *progress, question string) error {
	p.clear()
	if !o.json || o.in != nil {
		o.show(plan)
	}
	if o.dryRun {
		return o.result(stdout, plan, client.Result{}, true)
	}
	if err := o.needs(ctx, plan); err != nil {
		return err
	}
	if len(plan.Steps) > 0 {
		if err := o.proceed(ctx, question); err != nil {
			return err
		}
	}
	p.expect(plan)
	r, err := c.Apply(ctx, plan)
	p.clear()
	if len(r.Done) > 0 {
		clearUp(ctx, c.Store, p.w)
	}
	o.tellHeld(plan.Held)
	if err := errors.Join(o.result(stdout, plan, r, false), err); err != nil {
		return err
	}
	return o.unmet(plan)
}

// unmet is the failure of a plan that could not do what was asked for, or that
// waits for somebody to agree where nobody could be asked: whoever runs this by a
// timer must notice. What the user has held or pinned is as it was wanted.
func (o *changeOptions) unmet(plan *client.Plan) error {
	for _, h := range plan.Held {
		waits := o.in == nil && h.Err == nil && h.Step != nil && h.Step.Needs != 0
		if waits || h.Err != nil && !errors.Is(h.Err, client.ErrNoOrigin) {
			return cli.Status{Code: cli.Failed} // it was told already
		}
	}
	return nil
}

type stepRow struct {
	releaseRow
	Action      client.Action `json:"action"`
	Done        bool          `json:"done"`
	From        string        `json:"from"` // the remote
	Fingerprint string        `json:"fingerprint"`
	OldVersion  string        `json:"old_version,omitempty"`
	OldN        uint64        `json:"old_n,omitempty"`
	Download    int64         `json:"download"`
	Disk        int64         `json:"disk"`
	Explicit    bool          `json:"explicit"`
	Permissions []askRow      `json:"permissions"`
	Changes     []string      `json:"changes"`
	Needs       []string      `json:"needs"` // flags that agree
}

type askRow struct {
	Permission string `json:"permission"`
	Summary    string `json:"summary"`
	Risk       string `json:"risk"`
	Reason     string `json:"reason,omitempty"`
	Optional   bool   `json:"optional"`
}

type heldRow struct {
	Ref     repo.Ref `json:"ref"`
	Version string   `json:"version,omitempty"`
	Newer   string   `json:"newer,omitempty"`
	Why     string   `json:"why"`
	Needs   []string `json:"needs"`
	Failed  bool     `json:"failed"`
}

type changeDoc struct {
	Steps      []stepRow `json:"steps"`
	Held       []heldRow `json:"held"`
	Notes      []string  `json:"notes"`
	Downloaded int64     `json:"downloaded"`
}

// result prints what was done, or would be.
func (o *changeOptions) result(w io.Writer, plan *client.Plan, r client.Result, dry bool) error {
	done := map[repo.Ref]bool{}
	for _, rec := range r.Done {
		done[rec.Ref()] = true
	}
	if o.json {
		doc := changeDoc{[]stepRow{}, []heldRow{}, append([]string{}, plan.Notes...), r.Bytes}
		for _, s := range plan.Steps {
			doc.Steps = append(doc.Steps, stepOf(s, done[s.Release.Ref]))
		}
		for _, h := range append(plan.Held[:len(plan.Held):len(plan.Held)], r.Failed...) {
			row := heldRow{h.Ref, h.Version, h.Newer, h.Why, []string{}, h.Err != nil}
			if h.Step != nil {
				row.Needs = flagsOf(h.Step.Needs)
			}
			doc.Held = append(doc.Held, row)
		}
		return cli.WriteJSON(w, doc)
	}
	for _, s := range plan.Steps {
		if done[s.Release.Ref] || dry {
			if _, err := fmt.Fprintln(w, s.Release.Ref.ID, safe.Text(s.Release.Version), s.Release.N); err != nil {
				return err
			}
		}
	}
	return nil
}

func stepOf(s *client.Step, done bool) stepRow {
	row := stepRow{releaseRow: rowOf(s.Release), Action: s.Action, Done: done, From: s.Origin.Label(), Fingerprint: s.Origin.Root,
		Download: s.Download, Disk: s.Disk, Explicit: s.Explicit, Permissions: asksOf(s.Manifest, s.Required, s.Optional),
		Changes: []string{}, Needs: flagsOf(s.Needs)}
	if s.Old != nil {
		row.OldVersion, row.OldN = s.Old.Release.Version, s.Old.Release.N
		if text := s.Changes.String(); text != "" {
			row.Changes = lines(text)
		}
	}
	return row
}

func flagsOf(n client.Need) []string {
	flags := []string{}
	for _, need := range client.Needs {
		if n.Has(need) {
			flags = append(flags, need.Flag())
		}
	}
	return flags
}
