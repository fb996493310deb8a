package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandbox/internal/cli"
)

// writeHelp prints every verb's help in the layout of the lean program.
func writeHelp(c *cobra.Command) {
	w := c.OutOrStdout()
	if !c.HasParent() {
		cli.Overview(w)
		return
	}
	if v, ok := cli.Find(c.Name()); ok && v.Binary != cli.Tool {
		v.Help(w)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - %s\n\nUsage:\n", c.CommandPath(), c.Short)
	if takesArguments(c) {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	wide := 34
	for _, sub := range c.Commands() {
		wide = max(wide, len(sub.UseLine()))
	}
	for _, sub := range c.Commands() {
		fmt.Fprintf(&b, "  %-*s %s\n", wide, sub.UseLine(), sub.Short)
	}
	if c.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", c.Long)
	}
	b.WriteString("\nFlags:\n")
	c.InitDefaultHelpFlag()
	c.LocalFlags().SortFlags = false
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, "  %-26s %s\n", spelling(f), explain(f))
	})
	io.WriteString(w, b.String())
}

// takesArguments reports whether the command does something by itself, beside
// what its subcommands do.
func takesArguments(c *cobra.Command) bool { return !c.HasSubCommands() || len(c.ValidArgs) > 0 }

func spelling(f *pflag.Flag) string {
	s := "    --" + f.Name
	if f.Shorthand != "" {
		s = "-" + f.Shorthand + ", --" + f.Name
	}
	if arg, _ := pflag.UnquoteUsage(f); arg != "" {
		s += " " + arg
	}
	return s
}

// explain is a flag's summary. A summary begins with the placeholder of the
// value, which the spelling shows already.
func explain(f *pflag.Flag) string {
	if f.Name == "help" {
		return "show this"
	}
	arg, text := pflag.UnquoteUsage(f)
	text = strings.TrimPrefix(text, arg+": ")
	if f.Value.Type() == "stringArray" {
		text += " (repeatable)"
	}
	return text
}

func helpCommand() *cobra.Command {
	c := command("help", func(c *cobra.Command, args []string) error {
		root := c.Root()
		if len(args) == 0 {
			cli.Overview(c.OutOrStdout())
			return nil
		}
		if t, ok := findTopic(args[0]); ok && len(args) == 1 {
			_, err := io.WriteString(c.OutOrStdout(), t.text)
			return err
		}
		found, rest, err := root.Find(args)
		if err != nil || found == root || len(rest) > 0 && found.HasSubCommands() {
			return unknownTopic(args)
		}
		writeHelp(found)
		return nil
	})
	c.Args = between(0, 3)
	c.Long = "Topics: " + strings.Join(topicNames(), ", ") + "."
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words := topicNames()
		for i := range cli.Verbs {
			words = append(words, cli.Verbs[i].Name+"\t"+cli.Verbs[i].Summary)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func unknownTopic(args []string) error {
	words := topicNames()
	for i := range cli.Verbs {
		words = append(words, cli.Verbs[i].Name)
	}
	way := "topics are " + strings.Join(topicNames(), ", ")
	if near := cli.Nearest(args[0], words); near != "" {
		way = "did you mean 'sandbox help " + near + "'?"
	}
	return cli.Usagef(way, "no help on %q", strings.Join(args, " "))
}
