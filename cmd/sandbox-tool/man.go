package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
)

func manCommand() *cobra.Command {
	c := command("man", func(c *cobra.Command, args []string) error {
		return writePages(c.Root(), args[0])
	})
	c.Args = exactly(1)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return c
}

// writePages writes sandbox.1 and one page a verb, as git does.
func writePages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write the man pages: %w", err)
	}
	for name, page := range pages(root) {
		if err := disk.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
			return fmt.Errorf("cannot write the man pages: %w", err)
		}
	}
	return nil
}

func pages(root *cobra.Command) map[string]string {
	all := map[string]string{"sandbox.1": overviewPage()}
	for _, c := range root.Commands() {
		if _, listed := cli.Find(c.Name()); listed {
			all["sandbox-"+c.Name()+".1"] = verbPage(c)
		}
	}
	return all
}

func overviewPage() string {
	var b strings.Builder
	title(&b, "sandbox", "run apps in a sandbox, with permissions you decide on")
	b.WriteString(".SH SYNOPSIS\n.B sandbox\n.I VERB\n[\\fIARGUMENTS\\fR…]\n")
	for _, g := range cli.Groups {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(string(g)))
		for i := range cli.Verbs {
			if v := &cli.Verbs[i]; v.Group == g {
				fmt.Fprintf(&b, ".TP\n.BR sandbox\\-%s (1)\n%s\n", roff(v.Name), roff(v.Summary))
			}
		}
	}
	exitPart(&b)
	return b.String()
}

func verbPage(c *cobra.Command) string {
	var b strings.Builder
	title(&b, "sandbox-"+c.Name(), c.Short)
	if takesArguments(c) {
		commandPart(&b, c, "SYNOPSIS")
	}
	subPages(&b, c, "")
	exitPart(&b)
	b.WriteString(".SH SEE ALSO\n.BR sandbox (1)\n")
	return b.String()
}

// subPages are the verbs below a verb, with those below them.
func subPages(b *strings.Builder, c *cobra.Command, above string) {
	for _, sub := range c.Commands() {
		heading := strings.TrimSpace(above + " " + strings.ToUpper(sub.Name()))
		if sub.HasSubCommands() {
			subPages(b, sub, heading)
			continue
		}
		commandPart(b, sub, heading)
	}
}

// commandPart is what one types, what it does, and its flags.
func commandPart(b *strings.Builder, c *cobra.Command, heading string) {
	fmt.Fprintf(b, ".SH %s\n.B %s\n", roff(heading), roff(c.UseLine()))
	if c.Long != "" {
		if !c.Parent().HasParent() {
			b.WriteString(".SH DESCRIPTION\n")
		} else {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(c.Long) + "\n")
	}
	if !c.Parent().HasParent() {
		b.WriteString(".SH OPTIONS\n")
	}
	c.InitDefaultHelpFlag()
	c.LocalFlags().SortFlags = false
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(spelling(f))), roff(explain(f)))
	})
}

func title(b *strings.Builder, name, summary string) {
	fmt.Fprintf(b, ".TH %s 1 \"\" \"sandbox %s\" \"sandbox manual\"\n.SH NAME\n%s \\- %s\n",
		strings.ToUpper(roff(name)), roff(cli.Version), roff(name), roff(summary))
}

func exitPart(b *strings.Builder) {
	b.WriteString(".SH EXIT STATUS\n")
	for line := range strings.Lines(cli.ExitCodes) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(code), roff(strings.TrimSpace(meaning)))
	}
}

// roff escapes text for troff: backslashes, hyphens that must stay hyphens,
// and control characters at the start of a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n\n", "\n.PP\n", "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
