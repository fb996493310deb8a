package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/repo/export"
)

func aliasCommand() *cobra.Command {
	c := parent("alias")
	c.Long = `The commands of an app are in PATH under the names that its manifest gives them,
but never in front of a program of the host, or of another app. An alias is your
own word on what a name starts, and wins over all.`
	system := c.PersistentFlags().Bool("system", false, "the names of the whole machine (root)")
	c.AddCommand(aliasListCommand(system), aliasSetCommand(system), aliasRemoveCommand(system))
	return c
}

func aliasListCommand(system *bool) *cobra.Command {
	asJSON := false
	c := &cobra.Command{Use: "list", Short: "list names in PATH and what they start", Args: exactly(0), DisableFlagsInUseLine: true,
		Long: "One line for each name that an app or you want in PATH, with the reason where it\nis not there, and the program of the host that it hides."}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		rows, err := aliasRows(*system)
		if err != nil {
			return err
		}
		return listAliases(c.OutOrStdout(), rows, asJSON)
	}
	return c
}

type aliasRow struct {
	Name    string      `json:"name"`
	App     manifest.ID `json:"app"`
	Command string      `json:"command,omitempty"`
	Alias   bool        `json:"alias"`
	Linked  bool        `json:"linked"`
	System  bool        `json:"system"` // for every user of the machine
	Hides   string      `json:"hides,omitempty"`
	Why     string      `json:"why,omitempty"`
}

// aliasRows are the user's names and then the machine's, or these alone.
func aliasRows(onlySystem bool) ([]aliasRow, error) {
	rows := []aliasRow{}
	for _, system := range []bool{false, true} {
		if onlySystem && !system {
			continue
		}
		e, err := exports(system)
		if err != nil {
			return nil, err
		}
		r, err := e.look()
		if err != nil {
			return nil, err
		}
		for _, c := range r.Commands {
			rows = append(rows, aliasRow{c.Name, c.Target.App, c.Target.Command, c.Alias, c.Linked, system, c.Hides, c.Why})
		}
	}
	return rows, nil
}

func listAliases(w io.Writer, rows []aliasRow, asJSON bool) error {
	if asJSON {
		return cli.WriteJSON(w, rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		said := "command"
		if r.Alias {
			said = "alias"
		}
		if r.System {
			said += " of the machine"
		}
		switch {
		case !r.Linked:
			said += ", not in PATH: " + r.Why
		case r.Hides != "":
			said += ", hides " + r.Hides
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", safe.Text(r.Name), safe.Text(export.Target{App: r.App, Command: r.Command}.String()), safe.Text(said))
	}
	return t.Flush()
}

func aliasSetCommand(system *bool) *cobra.Command {
	c := &cobra.Command{Use: "set NAME APP[:COMMAND]", Short: "let NAME start an app", Args: exactly(2), DisableFlagsInUseLine: true,
		Long: `Without COMMAND it is the command of that name, or else the main one. APP is an
id or its last part. A name of the system such as ls may be set too: it is you
who says so.`}
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := exports(*system)
		if err != nil {
			return err
		}
		return setAlias(e, args[0], args[1], c.ErrOrStderr())
	}
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return appWords(*system), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func setAlias(e exporter, name, app string, stderr io.Writer) error {
	if err := manifest.CheckCommandName(name); err != nil {
		return cli.Exit(cli.UsageError, err)
	}
	app, wanted, _ := strings.Cut(app, ":")
	var id manifest.ID
	r, err := e.decide(func(apps []export.App, d *export.Decisions) error {
		var err error
		if id, err = installedID(apps, app); err != nil {
			return err
		}
		target, err := aliasTarget(apps, id, name, wanted)
		if err != nil {
			return err
		}
		d.Aliases[name] = target
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot set the alias %s: %w", name, err)
	}
	r.Commands = slices.DeleteFunc(r.Commands, func(c export.Command) bool { return c.Name != name })
	r.Notes = nil
	e.tell(stderr, r, []manifest.ID{id})
	return nil
}

// aliasTarget chooses the command of an app and checks that there is one.
func aliasTarget(apps []export.App, id manifest.ID, name, wanted string) (export.Target, error) {
	i := slices.IndexFunc(apps, func(a export.App) bool { return a.ID == id })
	m, err := manifest.Load(apps[i].Dir)
	if err != nil {
		return export.Target{}, err
	}
	target := export.Target{App: id, Command: wanted}
	switch {
	case wanted == "" && export.HasCommand(m, name):
		target.Command = name
	case wanted == "" && m.Command == "":
		err = hint.With(fmt.Errorf("%s has no main command", id), "write %s:COMMAND", id)
	case wanted != "" && !export.HasCommand(m, wanted):
		err = hint.With(fmt.Errorf("%s has no command %q", id, wanted), "it has %s", commandNames(m))
	}
	return target, err
}

func commandNames(m *manifest.Manifest) string {
	names := make([]string, len(m.Commands))
	for i, c := range m.Commands {
		names[i] = c.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func aliasRemoveCommand(system *bool) *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "take an alias back", Args: exactly(1), DisableFlagsInUseLine: true,
		Long: "NAME is then the host's again, or that of the app that has a command of that name."}
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := exports(*system)
		if err != nil {
			return err
		}
		_, err = e.decide(func(_ []export.App, d *export.Decisions) error {
			if _, ok := d.Aliases[args[0]]; !ok {
				return hint.With(fmt.Errorf("there is no alias %s", args[0]), "'sandbox alias list' shows names and what they start")
			}
			delete(d.Aliases, args[0])
			return nil
		})
		if err != nil {
			return fmt.Errorf("cannot remove the alias %s: %w", args[0], err)
		}
		return nil
	}
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if e, err := exports(*system); err == nil {
			if d, err := export.LoadDecisions(e.place); err == nil {
				for name, target := range d.Aliases {
					names = append(names, name+"\t"+target.String())
				}
			}
		}
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// appWords are the installed apps, for completion.
func appWords(system bool) []string {
	e, err := exports(system)
	if err != nil {
		return nil
	}
	var words []string
	e.holding(func(list func() ([]export.App, error)) error {
		apps, err := list()
		for _, a := range apps {
			words = append(words, string(a.ID))
		}
		return err
	})
	return words
}

// shellInitCommand prints what makes exported commands known to a shell.
func shellInitCommand() *cobra.Command {
	c := command("shell-init", func(c *cobra.Command, args []string) error {
		places, err := shellPlaces()
		if err != nil {
			return err
		}
		text, err := export.ShellInit(args[0], places...)
		if err != nil {
			return cli.Exit(cli.UsageError, err)
		}
		_, err = io.WriteString(c.OutOrStdout(), text)
		return err
	})
	c.Args = exactly(1)
	c.ValidArgs = export.Shells
	c.Long = `In ~/.bashrc:                    eval "$(sandbox shell-init bash)"
in ~/.zshrc, before compinit:    eval "$(sandbox shell-init zsh)"
in ~/.config/fish/config.fish:   sandbox shell-init fish | source
in ~/.profile, for all programs: eval "$(sandbox shell-init sh)"

It adds the commands of installed apps to the front of PATH, and their pages,
desktop entries and the completions that you allowed to the end of XDG_DATA_DIRS.`
	return c
}

// shellPlaces are the user's place and the machine's, if there is one.
func shellPlaces() ([]export.Place, error) {
	user, err := exports(false)
	if err != nil {
		return nil, err
	}
	system, err := exports(true)
	if err != nil {
		return nil, err
	}
	places := []export.Place{user.place}
	if _, err := os.Stat(system.place.Bin()); err == nil {
		places = append(places, system.place)
	}
	return places, nil
}
