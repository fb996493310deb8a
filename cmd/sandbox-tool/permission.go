package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/permissions"
)

// changing is what people try who want an app to have more, or less.
var changing = []string{"grant", "allow", "add", "set", "deny", "revoke", "remove", "reset"}

func permissionCommand() *cobra.Command {
	c := parent("permission")
	otherwise := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 && slices.Contains(changing, args[0]) {
			return cli.Usagef("'sandbox run --grant PERMISSION APP' and --deny are for one run; what is asked for at every start stands in the app's manifest", "%s has no verb %q", c.CommandPath(), args[0])
		}
		return otherwise(c, args)
	}
	c.AddCommand(permissionListCommand())
	return c
}

func permissionListCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:                   "list [KIND]",
		Short:                 "list what can be granted",
		Args:                  between(0, 1),
		DisableFlagsInUseLine: true,
		Long: `One line for each subject: how it is written, how much it exposes, and what
the app can do with it. Words in capitals stand for names you choose.`,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	for _, k := range permissions.Kinds() {
		c.ValidArgs = append(c.ValidArgs, string(k.Name)+"\t"+k.Summary)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		kinds, err := chooseKinds(c, args)
		if err != nil {
			return err
		}
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), vocabulary(kinds))
		}
		return listKinds(c.OutOrStdout(), kinds)
	}
	return c
}

func chooseKinds(c *cobra.Command, args []string) ([]permissions.KindInfo, error) {
	kinds := permissions.Kinds()
	if len(args) == 0 {
		return kinds, nil
	}
	var names []string
	for _, k := range kinds {
		if string(k.Name) == args[0] {
			return []permissions.KindInfo{k}, nil
		}
		names = append(names, string(k.Name))
	}
	if near := cli.Nearest(args[0], names); near != "" {
		return nil, cli.Usagef("did you mean "+near+"?", "unknown kind of permission %q", args[0])
	}
	return nil, usage(c, "unknown kind of permission %q", args[0])
}

func listKinds(w io.Writer, kinds []permissions.KindInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range vocabulary(kinds) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", row.Permission, row.Risk, row.Summary)
	}
	return t.Flush()
}

type vocabularyRow struct {
	Permission string `json:"permission"`
	Pattern    bool   `json:"pattern"` // capitals stand for names
	Risk       string `json:"risk"`
	Why        string `json:"why"`
	Summary    string `json:"summary"`
	Live       bool   `json:"live"` // a change reaches a running app
}

func vocabulary(kinds []permissions.KindInfo) []vocabularyRow {
	rows := []vocabularyRow{}
	for _, k := range kinds {
		for _, s := range k.Subjects {
			rows = append(rows, vocabularyRow{
				Permission: written(k.Name, s.Name),
				Pattern:    s.Pattern,
				Risk:       s.Risk.String(),
				Why:        s.Why,
				Summary:    s.Summary,
				Live:       k.Live && !s.NextStart,
			})
		}
	}
	return rows
}

func written(kind permissions.Kind, subject string) string {
	if kind == permissions.Limit {
		subject += "=VALUE"
	}
	return string(kind) + ":" + subject
}

// limitWords are completions for --limit.
func limitWords() []string {
	var words []string
	for _, k := range permissions.Kinds() {
		if k.Name != permissions.Limit {
			continue
		}
		for _, s := range k.Subjects {
			words = append(words, s.Name+"=\t"+s.Summary)
		}
	}
	return words
}

// permissionWords are completions for a permission. Where a name is to be
// chosen, the word ends at the colon.
func permissionWords() []string {
	var words []string
	for _, k := range permissions.Kinds() {
		open := false
		for _, s := range k.Subjects {
			if s.Pattern {
				open = true
				continue
			}
			words = append(words, strings.TrimSuffix(written(k.Name, s.Name), "VALUE")+"\t"+s.Summary)
		}
		if open {
			words = append(words, string(k.Name)+":\t"+k.Summary)
		}
	}
	return words
}
