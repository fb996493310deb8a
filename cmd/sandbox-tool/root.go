package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandbox/internal/cli"
)

// newRoot is the tree of all verbs, those of the other programs too: they are
// here for completion, man pages and help.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "sandbox",
		Version:       cli.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				cli.Overview(c.OutOrStdout())
				return nil
			}
			_, err := cli.Lookup(args[0])
			return err
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetVersionTemplate("sandbox {{.Version}}\n")
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(c) })
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return cli.Usagef("see '"+c.CommandPath()+" --help'", "%w", err)
	})
	root.SetHelpCommand(helpCommand())
	for i := range cli.Verbs {
		if v := &cli.Verbs[i]; v.Binary != cli.Tool {
			root.AddCommand(leanCommand(v))
		}
	}
	root.AddCommand(
		searchCommand(),
		infoCommand(),
		installCommand(),
		updateCommand(),
		downloadCommand(),
		runFileCommand(),
		listCommand(),
		uninstallCommand(),
		rollbackCommand(),
		historyCommand(),
		holdCommand(),
		unholdCommand(),
		pinCommand(),
		unpinCommand(),
		snapshotCommand(),
		verifyCommand(),
		repairCommand(),
		gcCommand(),
		remoteCommand(),
		initCommand(),
		lintCommand(),
		buildCommand(),
		keyCommand(),
		repoCommand(),
		publishCommand(),
		promoteCommand(),
		retractCommand(),
		eolCommand(),
		aliasCommand(),
		shellInitCommand(),
		permissionCommand(),
		doctorCommand(),
		completionCommand(),
		manCommand(),
		versionCommand(),
	)
	return root
}

// plainFlags takes the marked names of values out of what flags are for: help and
// man pages need the marks, completions would show them.
func plainFlags(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if rest, ok := strings.CutPrefix(f.Usage, "`"); ok {
			if _, words, ok := strings.Cut(rest, "`: "); ok {
				f.Usage = words
			}
		}
	})
	for _, sub := range c.Commands() {
		plainFlags(sub)
	}
}

// command takes the words of a verb from the table. The verb is there, or this
// program was linked against another table.
func command(name string, run func(c *cobra.Command, args []string) error) *cobra.Command {
	v, ok := cli.Find(name)
	if !ok {
		panic("internal error: no verb " + name)
	}
	c := &cobra.Command{
		Use:                   v.Line()[len("sandbox "):],
		Short:                 v.Summary,
		Long:                  v.Detail,
		Args:                  exactly(0),
		RunE:                  run,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false // the order in which they are declared is the order of use
	return c
}

// exactly and between count positional arguments, as usage errors.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

func between(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch n := len(args); {
		case n < least:
			return usage(c, "too few arguments: usage: %s", c.UseLine())
		case n > most:
			return usage(c, "unexpected argument %q", args[most])
		}
		return nil
	}
}

func usage(c *cobra.Command, format string, args ...any) error {
	return cli.Usagef("see '"+c.CommandPath()+" --help'", format, args...)
}

func versionCommand() *cobra.Command {
	asJSON := false
	c := command("version", func(c *cobra.Command, _ []string) error {
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), map[string]string{"version": cli.Version})
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), "sandbox", cli.Version)
		return err
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
