package cli

import (
	"fmt"
	"io"
	"strings"
)

// Overview prints what a bare "sandbox" prints.
func Overview(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Run terminal and desktop apps in a sandbox, with permissions you decide on.\n\nUsage:\n  sandbox VERB [ARGUMENTS…]\n")
	for _, g := range Groups {
		fmt.Fprintf(&b, "\n%s:\n", g)
		for i := range Verbs {
			if v := &Verbs[i]; v.Group == g {
				fmt.Fprintf(&b, "  %-11s %s\n", v.Name, v.Summary)
			}
		}
	}
	b.WriteString("\nExit status:\n" + indent(ExitCodes))
	b.WriteString("\n'sandbox VERB --help' shows a verb's flags, 'sandbox help TOPIC' a topic.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Help prints what "sandbox VERB --help" prints for a verb of the lean program.
func (v *Verb) Help(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sandbox %s - %s\n\nUsage:\n  %s\n", v.Name, v.Summary, v.Line())
	if v.Detail != "" {
		b.WriteString("\n" + v.Detail + "\n")
	}
	b.WriteString("\nFlags:\n")
	for i := range v.Flags {
		fmt.Fprintf(&b, "  %-26s %s\n", v.Flags[i].spelling(), v.Flags[i].summary())
	}
	fmt.Fprintf(&b, "  %-26s %s\n", "-h, --help", "show this")
	_, err := io.WriteString(w, b.String())
	return err
}

// Line is the verb as one types it.
func (v *Verb) Line() string {
	return strings.TrimSpace("sandbox " + v.Name + " " + v.Usage)
}

func (f *Flag) spelling() string {
	s := "    --" + f.Name
	if f.Short != "" {
		s = "-" + f.Short + ", --" + f.Name
	}
	if f.Arg != "" {
		s += " " + f.Arg
	}
	return s
}

func (f *Flag) summary() string {
	if f.Repeat {
		return f.Summary + " (repeatable)"
	}
	return f.Summary
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}
