package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sandbox/internal/amount"
	"sandbox/internal/safe"
	"sandbox/permissions"
)

// Grant is a permission in words.
type Grant struct {
	Risk permissions.Danger
	Why  string // why it is rated so
	Text string // continues "the app can …"
	Key  string // as the permission is written
	kind permissions.Kind
}

// Grants puts permissions into words, the riskiest first (what is cut off
// below is never the worst), and splits off the limits. What cannot be read is
// shown as the worst.
func Grants(texts []string) (grants, limits []Grant) {
	for _, text := range texts {
		p, err := permissions.Parse(text)
		if err != nil {
			grants = append(grants, Grant{permissions.High, "not a permission that is known", "do something that this program cannot read", safe.Text(text), ""})
			continue
		}
		danger, why := permissions.Risk(p)
		g := Grant{danger, safe.Text(why), permissions.Describe(p), safe.Text(p.String()), p.Kind}
		if p.Kind == permissions.Limit {
			limits = append(limits, g)
		} else {
			grants = append(grants, g)
		}
	}
	slices.SortStableFunc(grants, func(a, b Grant) int { return int(b.Risk) - int(a.Risk) })
	return grants, limits
}

// Dangerous counts the grants of high risk.
func Dangerous(grants []Grant) (n int) {
	for _, g := range grants {
		if g.Risk >= permissions.High {
			n++
		}
	}
	return n
}

// together says what two grants do that neither does alone.
func together(grants []Grant) string {
	has := func(kind permissions.Kind) bool {
		return slices.ContainsFunc(grants, func(g Grant) bool { return g.kind == kind && g.Key != "network:none" })
	}
	if has(permissions.Files) && has(permissions.Network) {
		return "Files and network together: what it can read, it can send away."
	}
	return ""
}

// leadWidth is the column of the risk words.
const leadWidth = 8

func (g Grant) line(why bool) Line {
	lead, tone := g.Risk.String(), Dim
	switch {
	case g.Risk >= permissions.High:
		lead, tone = "HIGH", Bad
	case g.Risk == permissions.Medium:
		tone = Warn
	}
	l := Line{Hang: leadWidth, Spans: []Span{{fmt.Sprintf("%-*s", leadWidth, lead), tone}, {g.Text, Plain}}}
	if why && g.Why != "" {
		l.Spans = append(l.Spans, Span{" – " + g.Why, Plain})
	}
	l.Spans = append(l.Spans, Span{"  " + g.Key, Dim})
	return l
}

// Details describes an instance at a moment. The full page has the reasons and
// the numbers that the short one leaves to the list.
func Details(i Instance, now time.Time, full bool) []Line {
	grants, limits := Grants(i.Permissions)
	out := heading(i, grants)
	for _, g := range grants {
		out = append(out, g.line(full))
	}
	if text := together(grants); text != "" {
		out = append(out, line(Span{text, Warn}))
	}
	if full {
		out = append(out, Line{})
	}
	out = append(out, restrained(i, limits)...)
	if full {
		out = append(out, Line{})
		out = append(out, facts(i, now)...)
	}
	return out
}

func heading(i Instance, grants []Grant) []Line {
	name := Span{safe.Text(i.Name), Strong}
	switch n := Dangerous(grants); {
	case len(grants) == 0:
		return []Line{line(name, Span{" was granted nothing: no file, no network, no device of yours.", Plain})}
	case n > 0:
		return []Line{line(name, Span{" can", Plain}, Span{fmt.Sprintf(" (%s)", amount.Of(n, "dangerous permission")), Bad})}
	}
	return []Line{line(name, Span{" can", Plain})}
}

// restrained are the limits, the notes and the command.
func restrained(i Instance, limits []Grant) []Line {
	var out []Line
	for _, n := range i.Notes {
		out = append(out, labelled("Note", safe.Text(n), Warn))
	}
	var words []string
	for _, l := range limits {
		words = append(words, l.Text)
	}
	if len(words) == 0 {
		words = []string{"none of its own"}
	}
	return append(out,
		labelled("Limits", strings.Join(words, "; "), Plain),
		labelled("Command", safe.Text(strings.Join(i.Command, " ")), Plain))
}

func facts(i Instance, now time.Time) []Line {
	output := "its own terminal"
	if i.Detached {
		output = "the log"
	}
	out := []Line{
		labelled("App", strings.TrimSpace(safe.Text(i.App)+" "+safe.Text(i.Version)), Plain),
		labelled("Started", fmt.Sprintf("%s, %s ago", i.Started.Format("2006-01-02 15:04:05"), age(now.Sub(i.Started))), Plain),
		labelled("Process", fmt.Sprintf("%d; %s in all", i.PID, processes(max(i.Pids, 0))), Plain),
		labelled("Memory", amount.Memory(i.Memory), Plain),
		labelled("CPU", cpuTime(i.CPU), Plain),
		labelled("Output", "goes to "+output, Plain),
	}
	if i.Pids < 0 {
		out[2] = labelled("Process", fmt.Sprint(i.PID), Plain)
	}
	if i.OOM > 0 {
		out = append(out, labelled("OOM", fmt.Sprintf("%s killed for want of memory", amount.Of(i.OOM, "process")), Bad))
	}
	return out
}

func cpuTime(d time.Duration) string {
	if d < 0 {
		return "this machine cannot tell"
	}
	return d.Truncate(10*time.Millisecond).String() + " used so far"
}

func labelled(label, text string, tone Tone) Line {
	return Line{Hang: leadWidth + 1, Spans: []Span{{fmt.Sprintf("%-*s", leadWidth+1, label), Dim}, {text, tone}}}
}

// processes says how many there are; the host counts threads as well.
func processes(n int64) string {
	if n == 1 {
		return "1 process or thread"
	}
	return fmt.Sprintf("%d processes and threads", n)
}
