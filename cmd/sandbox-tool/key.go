package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/repo/key"
)

func keyCommand() *cobra.Command {
	c := parent("key")
	c.Long = `A key signs what you publish. It lies in a directory of yours (sandbox key list),
its secret half sealed with a passphrase. Where a key is asked for, write its name,
the path of its file, or ssh:COMMENT for an Ed25519 key that your ssh-agent holds;
the path of a .pub file stands for the key in the agent that belongs to it.
Make a copy of the files of a root key and put it away.`
	c.AddCommand(keyCreateCommand(), keyListCommand(), keyShowCommand())
	return c
}

// parent is a verb that only has verbs below it.
func parent(name string) *cobra.Command {
	c := command(name, nil)
	asParent(c)
	return c
}

func asParent(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage(c, "too few arguments: usage: %s", c.UseLine())
		}
		var words []string
		for _, sub := range c.Commands() {
			words = append(words, sub.Name())
		}
		if near := cli.Nearest(args[0], words); near != "" {
			return cli.Usagef("did you mean '"+c.CommandPath()+" "+near+"'?", "%s has no verb %q", c.CommandPath(), args[0])
		}
		return usage(c, "%s has no verb %q", c.CommandPath(), args[0])
	}
}

func child(use, short string, args cobra.PositionalArgs, run func(c *cobra.Command, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: args, RunE: run, DisableFlagsInUseLine: true}
	c.Flags().SortFlags = false
	return c
}

type keyRow struct {
	Name        string     `json:"name"`
	Path        string     `json:"path,omitempty"`
	Public      string     `json:"public"`
	Fingerprint string     `json:"fingerprint"`
	ID          string     `json:"id"` // in TUF metadata
	Sealed      bool       `json:"sealed"`
	Agent       bool       `json:"agent"`
	Created     *time.Time `json:"created,omitempty"`
}

func fileRow(f *key.File) keyRow {
	return keyRow{Name: f.Name, Path: f.Path, Public: f.Public().String(), Fingerprint: f.Public().Fingerprint(), ID: f.Public().ID(), Sealed: f.Sealed, Created: &f.Created}
}

func keyCreateCommand() *cobra.Command {
	var dir, file string
	var open, asJSON bool
	c := child("create [FLAGS] NAME", "make a key", exactly(1), nil)
	c.Long = `Writes NAME.key and NAME.pub and prints the public half. An existing key is never
replaced. The passphrase is asked for on the terminal; for machines it is taken from
$` + passphraseVariable + ` or the first line of a file.`
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "`DIR`: put the files in DIR")
	f.StringVar(&file, "passphrase-file", "", "`FILE`: read the passphrase from FILE, - for standard input")
	f.BoolVar(&open, "no-passphrase", false, "leave the secret open in its file")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	c.MarkFlagDirname("dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		if open && file != "" {
			return usage(c, "--no-passphrase and --passphrase-file exclude each other")
		}
		made, err := runKeyCreate(c.Context(), args[0], dir, file, open)
		if err != nil {
			return err
		}
		if !made.Sealed {
			cli.Warn(c.ErrOrStderr(), "whoever can read %s can sign with it", made.Path)
		}
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), fileRow(made))
		}
		cli.Note(c.ErrOrStderr(), "wrote %s; the public half is", made.Path)
		return safe.Line(c.OutOrStdout(), "%s %s", made.Public(), made.Name)
	}
	return c
}

func runKeyCreate(ctx context.Context, name, dir, file string, open bool) (*key.File, error) {
	if err := key.CheckName(name); err != nil {
		return nil, cli.Exit(cli.UsageError, err)
	}
	if dir == "" {
		ring, err := keyRing(ctx, file)
		if err != nil {
			return nil, err
		}
		dir = ring.Dir
	}
	var pass []byte
	if !open {
		var err error
		if pass, err = newPassphrase(ctx, file); err != nil {
			return nil, fmt.Errorf("cannot create key %q: %w", name, err)
		}
		defer clear(pass)
	}
	return key.Create(dir, name, pass)
}

func keyListCommand() *cobra.Command {
	asJSON := false
	c := child("list", "list the keys that you can sign with", exactly(0), nil)
	c.Long = "Those in your directory of keys, and the Ed25519 keys of your ssh-agent."
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ring, err := keyRing(c.Context(), "")
		if err != nil {
			return err
		}
		rows, err := keyRows(ring)
		if err != nil {
			cli.Warn(c.ErrOrStderr(), "%s", err)
		}
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), rows)
		}
		return printKeys(c.OutOrStdout(), rows)
	}
	return c
}

func keyRows(ring *key.Ring) ([]keyRow, error) {
	rows := []keyRow{}
	files, err := ring.Files()
	for _, f := range files {
		rows = append(rows, fileRow(f))
	}
	if ring.Agent != "" {
		keys, agentErr := key.AgentKeys(ring.Agent)
		err = errors.Join(err, agentErr)
		for _, k := range keys {
			p := k.Public()
			rows = append(rows, keyRow{Name: "ssh:" + k.Label(), Public: p.String(), Fingerprint: p.Fingerprint(), ID: p.ID(), Sealed: true, Agent: true})
		}
	}
	return rows, err
}

func printKeys(w io.Writer, rows []keyRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		where := safe.Text(r.Path)
		switch {
		case r.Agent:
			where = "in the ssh-agent"
		case !r.Sealed:
			where += " (no passphrase)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", safe.Text(r.Name), r.Fingerprint, where)
	}
	return t.Flush()
}

func keyShowCommand() *cobra.Command {
	asJSON := false
	c := child("show KEY", "print the public half of a key", exactly(1), nil)
	c.Long = "Prints it as a line of ssh: what you give to the owner of a repository."
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.ValidArgsFunction = completeKeys
	c.RunE = func(c *cobra.Command, args []string) error {
		ring, err := keyRing(c.Context(), "")
		if err != nil {
			return err
		}
		row, err := findKey(ring, args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), row)
		}
		return safe.Line(c.OutOrStdout(), "%s %s", row.Public, row.Name)
	}
	return c
}

func findKey(ring *key.Ring, spec string) (keyRow, error) {
	if strings.HasSuffix(spec, ".pub") {
		p, err := key.LoadPublic(spec)
		return keyRow{Name: spec, Public: p.String(), Fingerprint: p.Fingerprint(), ID: p.ID()}, err
	}
	s, err := ring.Find(spec)
	if err != nil {
		return keyRow{}, err
	}
	files, _ := ring.Files()
	for _, f := range files {
		if f.Public() == s.Public() {
			return fileRow(f), nil
		}
	}
	p := s.Public()
	row := keyRow{Name: s.Label(), Public: p.String(), Fingerprint: p.Fingerprint(), ID: p.ID(), Sealed: true}
	if _, ok := s.(*key.AgentKey); ok {
		row.Agent = true
	}
	return row, nil
}

func completeKeys(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ring, err := keyRing(context.Background(), "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	rows, _ := keyRows(ring)
	var words []string
	for _, r := range rows {
		words = append(words, r.Name+"\t"+r.Fingerprint)
	}
	return words, cobra.ShellCompDirectiveDefault
}

// signing is what every verb that signs takes.
type signing struct {
	keys []string
	file string
}

func (s *signing) flags(c *cobra.Command) {
	c.Flags().StringArrayVarP(&s.keys, "key", "k", nil, "`KEY`: sign with KEY; default: those of yours that the repository knows")
	c.Flags().StringVar(&s.file, "passphrase-file", "", "`FILE`: read the passphrase from FILE, - for standard input")
	c.RegisterFlagCompletionFunc("key", completeKeys)
}

// signers opens no key: that happens when it has to sign.
func (s *signing) signers(ctx context.Context) ([]key.Signer, *key.Ring, error) {
	ring, err := keyRing(ctx, s.file)
	if err != nil {
		return nil, nil, err
	}
	var signers []key.Signer
	for _, spec := range s.keys {
		found, err := ring.Find(spec)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot use key %q: %w", spec, err)
		}
		signers = append(signers, found)
	}
	return signers, ring, nil
}
