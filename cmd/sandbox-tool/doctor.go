package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/runtime"
)

type doctorOptions struct {
	json       bool
	noSelfTest bool
	lean       string // the launcher
	self       string // this program
}

// probeWord as the first argument makes this program the probe of a self-test.
const probeWord = "__probe"

func doctorCommand() *cobra.Command {
	o := doctorOptions{}
	c := command("doctor", func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return runProbe(args[1:], c.OutOrStdout())
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("cannot find this program: %w", err)
		}
		o.self, o.lean = self, filepath.Join(filepath.Dir(self), string(cli.Lean))
		return runDoctor(c.Context(), o, c.OutOrStdout())
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 && args[0] == probeWord {
			return nil
		}
		return exactly(0)(c, args)
	}
	c.Long = `Says what this kernel and session offer to apps, one line a finding: ok, degraded
(apps run with less than they could have) or missing (no app can run), with
what it costs and the way to lift it. Then it attacks from inside a real sandbox
and shows what was blocked; each attack is also made outside, where it must go
another way, or nothing is concluded from it.

The exit status is 1 when something is missing or an attack succeeded.
'sandbox help machine' explains the findings.`
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().BoolVar(&o.noSelfTest, "no-self-test", false, "only look, and start no sandbox")
	return c
}

// diagnosis is everything that a run of the verb found.
type diagnosis struct {
	OK       bool              `json:"ok"` // apps can run, and no attack succeeded
	Host     hostRow           `json:"host"`
	Findings []runtime.Finding `json:"findings"`
	SelfTest *selfTest         `json:"self_test"` // null when there was none
}

type hostRow struct {
	Kernel    string `json:"kernel"`
	Arch      string `json:"arch"`
	Distro    string `json:"distro"`
	UID       int    `json:"uid"`
	Container string `json:"container"` // empty outside of one
}

func runDoctor(ctx context.Context, o doctorOptions, w io.Writer) error {
	host, err := runtime.ThisHost()
	if err != nil {
		return err
	}
	facts := runtime.Examine(host, o.lean)
	d := diagnosis{
		Host:     hostRow{facts.Release, facts.Arch, facts.Distro.Name, facts.UID, facts.Container},
		Findings: runtime.Diagnose(facts),
	}
	d.OK = runtime.Runs(d.Findings)
	p := newPrinter(w, w == os.Stdout && cli.Colour(os.Stdout))
	if !o.json {
		p.findings(&d)
	}
	if !o.noSelfTest {
		d.SelfTest = &selfTest{Error: "no app can run here", Attacks: []result{}}
		if d.OK {
			d.SelfTest = attackAll(ctx, o, host)
			d.OK = d.SelfTest.held()
		}
		if !o.json {
			p.attacks(d.SelfTest)
		}
	}
	if o.json {
		err = cli.WriteJSON(w, d)
	} else {
		p.end(&d)
		err = p.err
	}
	if err == nil && !d.OK {
		err = cli.Status{Code: cli.Failed}
	}
	return err
}

// end is the last line: the verdict.
func (p *printer) end(d *diagnosis) {
	degraded := 0
	for i := range d.Findings {
		if d.Findings[i].State == runtime.Degraded {
			degraded++
		}
	}
	switch {
	case !runtime.Runs(d.Findings):
		p.line("\n%s", p.paint(red, "Apps cannot run here: lift what is missing first."))
	case !d.OK && d.SelfTest.Error != "":
		p.line("\n%s", p.paint(red, "Apps cannot run here: the self-test could not start one."))
	case !d.OK:
		p.line("\n%s", p.paint(red, "The sandbox does not hold here: do not run what you do not trust."))
	case degraded == 0:
		p.line("\n%s", p.paint(green, "Apps can run here."))
	default:
		p.line("\n%s", p.paint(green, fmt.Sprintf("Apps can run here, with %s degraded.", amount.Of(degraded, "thing"))))
	}
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// findings prints one line for each, and below those that are not ok the cost
// and the way out.
func (p *printer) findings(d *diagnosis) {
	who := fmt.Sprintf("uid %d", d.Host.UID)
	if d.Host.UID == 0 {
		who = "root"
	}
	where := ""
	if d.Host.Container != "" {
		where = ", in a " + d.Host.Container + " container"
	}
	distro := cmp.Or(d.Host.Distro, "unknown distribution")
	p.line("%s", safe.Text(fmt.Sprintf("%s, Linux %s, %s, as %s%s", distro, d.Host.Kernel, d.Host.Arch, who, where)))
	group := runtime.Group("")
	for i := range d.Findings {
		v := &d.Findings[i]
		if v.Group != group {
			group = v.Group
			p.line("\n%s", p.paint(bold, string(group)))
		}
		p.row(string(v.State), v.Title, v.Text)
		if v.State == runtime.Good {
			continue
		}
		if v.Cost != "" {
			p.note("cost:    ", v.Cost)
		}
		if v.Fix != nil {
			p.fix(v.Title, v.Fix)
		}
	}
}

// fix prints a way out in full once, and then only where it stands.
func (p *printer) fix(title string, f *runtime.Fix) {
	key := f.Text + f.Content + strings.Join(f.Commands, "\n")
	if before, ok := p.fixes[key]; ok {
		p.note("to lift: ", "as for "+before)
		return
	}
	p.fixes[key] = title
	p.note("to lift: ", f.Text)
	if f.File != "" {
		p.line("%s%s:", noteIndent, safe.Text(f.File))
		for _, l := range lines(f.Content) {
			p.line("%s| %s", noteIndent, safe.Text(l))
		}
	}
	for _, c := range f.Commands {
		prompt := "$ "
		if strings.HasPrefix(c, " ") { // goes on with the line above
			prompt = ""
		}
		p.line("%s%s%s", noteIndent, prompt, safe.Text(c))
	}
}
