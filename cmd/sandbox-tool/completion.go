package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sandbox/manifest"
	"sandbox/repo/export"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

// completionCommand prints a script that asks "sandbox __complete" for the words.
func completionCommand() *cobra.Command {
	c := command("completion", func(c *cobra.Command, args []string) error {
		root, w := c.Root(), c.OutOrStdout()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(w, true)
		case "zsh":
			return root.GenZshCompletion(w)
		case "fish":
			return root.GenFishCompletion(w, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(w)
		}
		return usage(c, "cannot complete for the shell %q", args[0])
	})
	c.Args = exactly(1)
	c.ValidArgs = shells
	c.Long = `For this bash only:    source <(sandbox completion bash)
for every bash:        sandbox completion bash > ~/.local/share/bash-completion/completions/sandbox
for every zsh:         sandbox completion zsh > "${fpath[1]}/_sandbox"
for every fish:        sandbox completion fish > ~/.config/fish/completions/sandbox.fish`
	c.AddCommand(completionDecision("allow", "take the completions that an app brings", true),
		completionDecision("deny", "leave them out, as at first", false))
	return c
}

// completionDecision is the user's word on the completions of one app.
func completionDecision(verb, short string, take bool) *cobra.Command {
	c := &cobra.Command{Use: verb + " APP", Short: short, Args: exactly(1), DisableFlagsInUseLine: true,
		Long: "Completions are code that runs in your shell, outside the sandbox."}
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := exports(false)
		if err != nil {
			return err
		}
		var id manifest.ID
		r, err := e.decide(func(apps []export.App, d *export.Decisions) error {
			if id, err = installedID(apps, args[0]); err != nil {
				return err
			}
			d.Completions = slices.DeleteFunc(d.Completions, func(other manifest.ID) bool { return other == id })
			if take {
				d.Completions = append(d.Completions, id)
				slices.Sort(d.Completions)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("cannot decide about completions: %w", err)
		}
		r.Commands = nil
		if !take {
			r.Notes = nil // they say what was just decided
		}
		e.tell(c.ErrOrStderr(), r, []manifest.ID{id})
		return nil
	}
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return appWords(false), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}
