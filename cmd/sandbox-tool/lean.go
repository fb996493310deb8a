package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
)

// leanCommand describes a verb that another program performs, and hands it over
// when this one was asked.
func leanCommand(v *cli.Verb) *cobra.Command {
	c := command(v.Name, func(*cobra.Command, []string) error {
		return cli.Exec(v.Binary, os.Args[1:])
	})
	c.Args = cobra.ArbitraryArgs
	c.Flags().SetInterspersed(!v.Forward)
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		switch {
		case v.Args == cli.None || v.Max >= 0 && len(args) >= v.Max:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case v.Forward && len(args) > 0:
			return nil, cobra.ShellCompDirectiveDefault
		}
		return complete(v.Args, word)
	}
	for i := range v.Flags {
		addFlag(c, &v.Flags[i])
	}
	return c
}

func addFlag(c *cobra.Command, f *cli.Flag) {
	switch {
	case f.Arg == "":
		c.Flags().BoolP(f.Name, f.Short, false, f.Summary)
	case f.Repeat:
		c.Flags().StringArrayP(f.Name, f.Short, nil, "`"+f.Arg+"`: "+f.Summary)
	default:
		c.Flags().StringP(f.Name, f.Short, "", "`"+f.Arg+"`: "+f.Summary)
	}
	if f.Arg != "" {
		c.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return complete(f.Value, word)
		})
	}
}

// complete lists the values that word may become.
func complete(what cli.Value, word string) ([]string, cobra.ShellCompDirective) {
	switch what {
	case cli.Dir, cli.Bundle:
		return nil, cobra.ShellCompDirectiveFilterDirs
	case cli.App:
		if strings.ContainsRune(word, '/') || strings.HasPrefix(word, ".") {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return appWords(false), cobra.ShellCompDirectiveNoFileComp
	case cli.File:
		return nil, cobra.ShellCompDirectiveDefault
	case cli.Instance:
		return instances(), cobra.ShellCompDirectiveNoFileComp
	case cli.Permission:
		return permissionWords(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	case cli.LimitValue:
		return limitWords(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// instances asks the lean program; without an answer nothing is suggested.
func instances() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	out, err := exec.Command(filepath.Join(filepath.Dir(self), string(cli.Lean)), "ps", "--json").Output()
	if err != nil {
		return nil
	}
	return instanceNames(out)
}

func instanceNames(list []byte) []string {
	var rows []struct {
		Name string `json:"instance"`
		App  string `json:"app"`
	}
	if json.Unmarshal(list, &rows) != nil {
		return nil
	}
	var names []string
	for _, r := range rows {
		if r.Name != "" && !strings.ContainsFunc(r.Name+r.App, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			names = append(names, r.Name+"\t"+r.App)
		}
	}
	return names
}
