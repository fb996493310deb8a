package main

import (
	"github.com/spf13/cobra"
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
	return c
}
