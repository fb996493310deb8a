package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/repo/client"
	"sandbox/repo/export"
	"sandbox/repo/key"
)

// consent is what a person agreed to on the command line, and how the rest is
// asked. -y agrees to going ahead, and to nothing that has a flag of its own.
type consent struct {
	yes    bool
	agreed [len(client.Needs)]bool
	in     *os.File // the terminal; nil when nobody can be asked
	w      io.Writer
	colour bool
	shown  bool // the plan was, with what it would change
}

func (o *consent) add(c *cobra.Command) {
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "go ahead without asking; agrees to none of the following")
	words := map[client.Need]string{
		client.NeedPermissions: "agree to wider permissions",
		client.NeedOrigin:      "agree to another repository than before",
		client.NeedPublisher:   "agree to another publisher's key than before",
		client.NeedExpired:     "agree to metadata that has expired",
	}
	for i, n := range client.Needs {
		c.Flags().BoolVar(&o.agreed[i], strings.TrimPrefix(n.Flag(), "--"), false, words[n])
	}
}

// reach finds out whether somebody can be asked.
func (o *consent) reach(p *progress) {
	o.w, o.colour = p.w, cli.Colour(os.Stderr)
	if cli.Terminal(os.Stdin) && cli.Terminal(os.Stderr) {
		o.in = os.Stdin
	}
}

// ask asks a question that is answered by y or n; otherwise is the answer of an
// empty line.
func (o *consent) ask(ctx context.Context, otherwise bool, format string, args ...any) (bool, error) {
	choice := "[y/N]"
	if otherwise {
		choice = "[Y/n]"
	}
	for range 3 {
		fmt.Fprintf(o.w, "%s %s ", safe.Text(fmt.Sprintf(format, args...)), choice)
		line, err := readLine(ctx, int(o.in.Fd()))
		if err != nil {
			fmt.Fprintln(o.w)
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(string(line))) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		case "":
			return otherwise, nil
		}
	}
	return false, nil
}

// needs settles what a plan needs: by flag, by question, or not.
func (o *consent) needs(ctx context.Context, p *client.Plan) error {
	agreed := map[*client.Step]client.Need{}
	for _, s := range p.Steps {
		for i, n := range client.Needs {
			if !s.Needs.Has(n) {
				continue
			}
			ok := o.agreed[i]
			if !ok && o.in != nil {
				o.explain(s, n)
				var err error
				if ok, err = o.ask(ctx, false, "%s", question(s, n)); err != nil {
					return err
				}
			}
			if !ok {
				break // the rest need not be asked
			}
			agreed[s] |= n
		}
	}
	p.Settle(func(s *client.Step) client.Need { return agreed[s] })
	return nil
}

func question(s *client.Step, n client.Need) string {
	id := s.Release.Ref.ID
	switch n {
	case client.NeedPermissions:
		return fmt.Sprintf("Allow %s that?", id)
	case client.NeedOrigin:
		return fmt.Sprintf("Take %s from there from now on?", id)
	case client.NeedPublisher:
		return fmt.Sprintf("Trust this publisher with %s?", id)
	}
	return fmt.Sprintf("Install %s all the same?", id)
}

// explain says what a need is about, when the plan has not.
func (o *consent) explain(s *client.Step, n client.Need) {
	id := s.Release.Ref.ID
	switch n {
	case client.NeedPermissions:
		safe.Line(o.w, "%s asks for more than you have accepted:", id)
		o.changes(s, true)
	case client.NeedOrigin:
		safe.Line(o.w, "%s came from another repository:", id)
		safe.Line(o.w, "  until now  %s (%s)", s.Old.Remote, s.Old.RemoteFingerprint)
		safe.Line(o.w, "  now        %s (%s)", s.Origin.Label(), s.Origin.Root)
	case client.NeedPublisher:
		safe.Line(o.w, "%s is signed by another publisher than before:", id)
		safe.Line(o.w, "  until now  %s", publisherOf(s.OldPublisher))
		safe.Line(o.w, "  now        %s", publisherOf(s.Release.Publisher.Key))
		if s.Old == nil {
			safe.Line(o.w, "  what is in its home would be the new one's to read")
		}
	case client.NeedExpired:
		safe.Line(o.w, "What vouches for %s has expired: %s", id, strings.Join(s.Origin.Stale(), ", "))
	}
}

// proceed asks whether to go ahead.
func (o *consent) proceed(ctx context.Context, what string) error {
	if o.yes {
		return nil
	}
	if o.in == nil {
		return hint.With(errors.New("cannot ask whether to go ahead: there is no terminal"), "-y goes ahead without asking")
	}
	ok, err := o.ask(ctx, true, "%s", what)
	if err == nil && !ok {
		err = errors.New("nothing was changed: you said no")
	}
	return err
}

// publisherOf is a publisher's key for people.
func publisherOf(k []byte) string {
	if len(k) != len(key.Public{}) {
		return "unknown"
	}
	return key.Public(k).Fingerprint()
}

// show prints what a plan would do.
func (o *consent) show(p *client.Plan) {
	o.shown = true
	for _, s := range p.Steps {
		o.step(s)
	}
	for _, n := range p.Notes {
		cli.Note(o.w, "%s", n)
	}
	if len(p.Steps) > 1 {
		safe.Line(o.w, "in all: %s to download, %s on disk", amount.Bytes(p.Download()), amount.Bytes(p.Disk()))
	}
}

func (o *consent) step(s *client.Step) {
	r := s.Release
	what := r.Version
	if s.Old != nil {
		what = s.Old.Release.Version + " → " + r.Version
	}
	if r.Ref.Channel != manifest.DefaultChannel {
		what += " (" + r.Ref.Channel + ")"
	}
	safe.Line(o.w, "%s %s %s, from %s: %s to download, %s on disk", s.Action, r.Ref.ID, what, s.Origin.Label(), amount.Bytes(s.Download), amount.Bytes(s.Disk))
	if s.Old == nil {
		if s.Manifest.Summary != "" {
			safe.Line(o.w, "  %s", s.Manifest.Summary)
		}
		safe.Line(o.w, "  published by %s on %s", publisherOf(r.Publisher.Key), r.Time.Format("2006-01-02"))
		for _, also := range s.Also {
			safe.Line(o.w, "  also offered by %s", also.Label())
		}
		if r.Ref.Kind != manifest.Runtime {
			o.asks(s.Manifest, s.Required, s.Optional)
		}
		return
	}
	if !s.Needs.Has(client.NeedPermissions) || o.in == nil {
		o.changes(s, false) // else they are shown with the question
	}
}

// asks lists permissions before anything is installed.
func (o *consent) asks(m *manifest.Manifest, required, optional permissions.Set) {
	all := required.All()
	if len(all) == 0 {
		fmt.Fprintln(o.w, "  it asks for nothing: no network, none of your files")
	}
	for i, p := range all {
		if i == 0 {
			fmt.Fprintln(o.w, "  the app can")
		}
		o.permission("    ", p, reason(m, p))
	}
	for _, p := range required.Denied() {
		safe.Line(o.w, "    %s", permissions.DescribeDenied(p))
	}
	for i, p := range optional.All() {
		if i == 0 {
			fmt.Fprintln(o.w, "  and may ask you later to")
		}
		o.permission("    ", p, reason(m, p))
	}
	for i, line := range export.Registers(m).Lines(export.Registration{}) {
		if i == 0 {
			fmt.Fprintln(o.w, "  your desktop will offer it to")
		}
		safe.Line(o.w, "    %s", line)
	}
}

func reason(m *manifest.Manifest, p permissions.Permission) string {
	if m == nil {
		return ""
	}
	for _, e := range m.Permissions {
		if e.Permission == p {
			return e.Reason
		}
	}
	return ""
}

var riskColours = map[permissions.Danger]string{permissions.Low: "\x1b[32m", permissions.Medium: "\x1b[33m", permissions.High: "\x1b[1;31m"}

func (o *consent) permission(indent string, p permissions.Permission, why string) {
	risk, _ := permissions.Risk(p)
	word := fmt.Sprintf("%-6s", risk)
	if o.colour {
		word = riskColours[risk] + word + "\x1b[0m"
	}
	text := safe.Sprintf("%s (%s)", permissions.Describe(p), p)
	if why != "" {
		text += safe.Sprintf(": %s", why)
	}
	fmt.Fprintf(o.w, "%s%s  %s\n", indent, word, text)
}

func none(p permissions.Permission) bool { return p == permissions.Permission{} }

// changes lists what a release may do that the one before could not, and what
// it may do no more.
func (o *consent) changes(s *client.Step, onlyWider bool) {
	for _, line := range s.Registers() {
		safe.Line(o.w, "  new    offers to %s", line)
	}
	c := s.Changes
	for _, p := range c.Added {
		o.permission("  new    ", p, reason(s.Manifest, p))
	}
	for _, w := range c.Widened {
		switch {
		case w.Old == w.New && !none(w.Mask):
			safe.Line(o.w, "  wider  %s: no longer kept from it: %s", w.New, w.Mask)
		case none(w.New):
			safe.Line(o.w, "  wider  no limit any more: %s", w.Old)
		default:
			o.permission("  wider  ", w.New, reason(s.Manifest, w.New))
		}
	}
	if onlyWider {
		return
	}
	for _, n := range c.Narrowed {
		switch {
		case n.Old == n.New && !none(n.Mask):
			safe.Line(o.w, "  less   %s: now kept from it: %s", n.New, n.Mask)
		case none(n.Old):
			safe.Line(o.w, "  less   a limit: %s", n.New)
		default:
			safe.Line(o.w, "  less   %s in place of %s", n.New, n.Old)
		}
	}
	for _, p := range c.Removed {
		safe.Line(o.w, "  gone   %s", p)
	}
}

// tellFailed says what could not be looked for. A remote that does not answer is
// one trouble, however much came from it.
func tellFailed(w io.Writer, held []client.Held) {
	var reasons []string
	stay := map[string][]string{}
	for _, h := range held {
		if h.Err == nil {
			continue
		}
		why := h.Err.Error()
		if stay[why] == nil {
			reasons = append(reasons, why)
		}
		stay[why] = append(stay[why], fmt.Sprintf("%s %s", h.Ref.ID, h.Version))
	}
	for _, why := range reasons {
		verb := "stays"
		if len(stay[why]) > 1 {
			verb = "stay"
		}
		cli.Warn(w, "%s %s: %s", strings.Join(stay[why], ", "), verb, why)
	}
}

// tellHeld says what was not taken, and how it could be.
func (o *consent) tellHeld(held []client.Held) {
	tellFailed(o.w, held)
	for _, h := range held {
		switch {
		case h.Err != nil: // said
		case h.Version == "":
			cli.Warn(o.w, "%s %s is not installed: %s", h.Ref.ID, h.Newer, h.Why)
		default:
			cli.Warn(o.w, "%s stays at %s, %s is held: %s", h.Ref.ID, h.Version, h.Newer, h.Why)
		}
		if h.Step == nil || h.Err != nil || o.in != nil { // whoever was asked knows
			continue
		}
		if h.Step.Needs.Has(client.NeedPermissions) && !o.shown {
			o.changes(h.Step, true)
		}
		var flags []string
		for _, n := range client.Needs {
			if h.Step.Needs.Has(n) {
				flags = append(flags, n.Flag())
			}
		}
		if len(flags) > 0 {
			slices.Sort(flags)
			cli.Note(o.w, "to agree: %s", strings.Join(flags, " "))
		}
	}
}
