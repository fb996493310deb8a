package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo/publish"
)

type rotateOptions struct {
	dirFlags
	add, remove, threshold []string
	out, from              string
}

func repoRotateCommand() *cobra.Command {
	var o rotateOptions
	c := child("rotate [FLAGS] [DIR|URL]", "change who may sign, or renew the root for a year", between(0, 1), nil)
	c.Long = `Roles are root, targets, snapshot, timestamp and bins. A new root counts when the keys
of the old one and of the new one have signed it, as many of each as its threshold
says. Where the keys are with several people, --out writes the new root to a file;
each signs it with 'sandbox repo sign FILE', and --from puts it in force. Without
anything to change the root is renewed for another year.`
	o.dirFlags.add(c)
	f := c.Flags()
	f.StringArrayVar(&o.add, "add", nil, "`ROLE=KEY`: let KEY (name, file or .pub) sign in ROLE")
	f.StringArrayVar(&o.remove, "remove", nil, "`ROLE=FINGERPRINT`: take a key of ROLE away")
	f.StringArrayVar(&o.threshold, "threshold", nil, "`ROLE=N`: ROLE takes N signatures")
	f.StringVarP(&o.out, "out", "o", "", "`FILE`: write the new root to FILE for others to sign")
	f.StringVar(&o.from, "from", "", "`FILE`: put the root in FILE in force")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.from != "" && len(o.add)+len(o.remove)+len(o.threshold) > 0 || o.from != "" && o.out != "" {
			return usage(c, "--from takes the root as it is in the file")
		}
		return runRotate(c, o, args)
	}
	return c
}

func runRotate(c *cobra.Command, o rotateOptions, args []string) error {
	change, err := o.rotation(c)
	if err != nil {
		return err
	}
	var out *publish.Rotated
	p := newProgress(os.Stderr)
	err = o.change(c, args, p, false, func(r *publish.Repository) (err error) {
		if o.from != "" {
			out, err = r.ApplyRoot(o.from)
		} else {
			out, err = r.Rotate(change)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !out.Complete {
		return o.propose(c, out)
	}
	if t, _ := destinationOf(args); t.address == "" {
		cli.Note(p.w, "in force; copy the directory to the server, roots last: 'sandbox help publishing'")
	}
	return printRotated(c.OutOrStdout(), out, o.json)
}

func (o rotateOptions) rotation(c *cobra.Command) (change publish.Rotation, err error) {
	ring, err := keyRing(c.Context(), o.file)
	if err != nil {
		return change, err
	}
	if change.Add, err = parseRoles(ring, o.add); err != nil {
		return change, err
	}
	change.Remove, change.Threshold = map[string][]string{}, map[string]int{}
	for _, w := range o.remove {
		role, id, ok := strings.Cut(w, "=")
		if !ok || !isRole(role) {
			return change, usage(c, "cannot read %q: it is not of the form ROLE=FINGERPRINT", w)
		}
		change.Remove[role] = append(change.Remove[role], id)
	}
	for _, w := range o.threshold {
		role, number, ok := strings.Cut(w, "=")
		n, err := strconv.Atoi(number)
		if !ok || !isRole(role) || err != nil || n < 1 {
			return change, usage(c, "cannot read %q: it is not of the form ROLE=N", w)
		}
		change.Threshold[role] = n
	}
	return change, nil
}

// propose writes a root that needs other signatures.
func (o rotateOptions) propose(c *cobra.Command, out *publish.Rotated) error {
	if o.out == "" {
		return hint.With(fmt.Errorf("cannot put root %d in force: it still takes %s", out.Root, out.Missing), "--out FILE writes it down for the others to sign with 'sandbox repo sign FILE'")
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the root: %w", err)
	}
	_, err = f.Write(out.Proposal)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(o.out)
		return fmt.Errorf("cannot write the root: %w", err)
	}
	cli.Note(c.ErrOrStderr(), "wrote %s; it still takes %s", o.out, out.Missing)
	return printRotated(c.OutOrStdout(), out, o.json)
}

func printRotated(w io.Writer, out *publish.Rotated, asJSON bool) error {
	if asJSON {
		return cli.WriteJSON(w, map[string]any{"root": out.Root, "in_force": out.Complete, "missing": out.Missing})
	}
	return safe.Line(w, "%d", out.Root)
}

func repoSignCommand() *cobra.Command {
	var s signing
	asJSON := false
	c := child("sign [FLAGS] FILE", "sign a proposed root", exactly(1), nil)
	c.Long = `Adds your signature to a root that 'sandbox repo rotate --out FILE' wrote, and shows
what you have signed. Needs no repository: the key may stay on a machine without network.`
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		signers, _, err := s.signers(c.Context())
		if err != nil {
			return err
		}
		m, err := publish.ReadRoot(args[0])
		if err != nil {
			return err
		}
		if !asJSON {
			if err := showRoot(c.OutOrStdout(), m.Summary()); err != nil {
				return err
			}
		}
		if m, err = publish.SignRoot(args[0], signers); err != nil {
			return err
		}
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), rootJSON(m.Summary()))
		}
		cli.Note(c.ErrOrStderr(), "signed; give the file back")
		return nil
	}
	return c
}

func showRoot(w io.Writer, s publish.RootSummary) error {
	if err := safe.Line(w, "root %d, until %s", s.Version, s.Expires.Format(time.DateOnly)); err != nil {
		return err
	}
	for _, r := range s.Roles {
		if _, err := fmt.Fprintf(w, "%s\t%d of %s\n", r.Name, r.Threshold, strings.Join(r.Keys, ", ")); err != nil {
			return err
		}
	}
	return nil
}

func rootJSON(s publish.RootSummary) any {
	roles := []roleRow{}
	for _, r := range s.Roles {
		roles = append(roles, roleRow{Role: r.Name, Threshold: r.Threshold, Keys: r.Keys, Version: s.Version})
	}
	return map[string]any{"root": s.Version, "expires": s.Expires, "roles": roles, "signatures": s.Signatures}
}
