package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo"
	"sandbox/repo/store"
)

func verifyCommand() *cobra.Command {
	var o storeFlags
	c := command("verify", func(c *cobra.Command, args []string) error {
		return runVerify(c.Context(), o, args, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(0, 1000)
	c.ValidArgsFunction = completeInstalled
	c.Long = `Reads everything that is installed again, or what APP has, and compares types,
modes and contents with what was signed; also looks for files that do not belong.
Prints one line for each thing that is wrong, and then exits with 1.`
	o.add(c)
	return c
}

type damageRow struct {
	store.Damage
	System bool `json:"system"`
}

func runVerify(ctx context.Context, o storeFlags, names []string, stdout io.Writer, p *progress) error {
	stores, done, err := o.readable()
	if err != nil {
		return err
	}
	defer done()
	found, met := []damageRow{}, map[string]bool{}
	for _, s := range stores {
		refs, err := meant(s, names, met)
		if err != nil {
			return err
		}
		if len(names) > 0 && len(refs) == 0 {
			continue
		}
		list, err := o.verify(ctx, s, refs, p)
		if err != nil {
			return err
		}
		for _, d := range list {
			found = append(found, damageRow{d, s.System()})
		}
	}
	p.clear()
	for _, name := range names {
		if !met[name] {
			return o.suggest(&store.NotInstalled{Name: name, Have: known(stores)})
		}
	}
	if o.json {
		if err := cli.WriteJSON(stdout, found); err != nil {
			return err
		}
	} else {
		for _, d := range found {
			fmt.Fprintln(stdout, safe.Text(d.String()))
		}
	}
	return damage(found, p)
}

// damage is the end of a verification.
func damage(found []damageRow, p *progress) error {
	if len(found) == 0 {
		cli.Note(p.w, "everything is as it was installed")
		return nil
	}
	way := "'sandbox repair' mends it"
	if found[0].System {
		way = "as root, 'sandbox repair --system' mends it"
	}
	return hint.With(fmt.Errorf("not as it was installed: %s", amount.Of(len(found), "thing")), "%s", way)
}

// meant are the refs of the names in one store.
func meant(s *store.Store, names []string, met map[string]bool) ([]repo.Ref, error) {
	if len(names) == 0 {
		return nil, nil
	}
	records, _ := s.Records() // one that cannot be read is damage, and found as such
	var refs []repo.Ref
	for _, r := range records {
		for _, name := range names {
			if store.Means(name, r.Ref()) {
				met[name] = true
				refs = append(refs, r.Ref())
			}
		}
	}
	return refs, nil
}

// verify reads one store. Nobody changes it meanwhile, where we may say so.
func (o *storeFlags) verify(ctx context.Context, s *store.Store, refs []repo.Ref, p *progress) ([]store.Damage, error) {
	if !s.System() || os.Geteuid() == 0 {
		own := storeFlags{system: s.System()}
		locked, err := own.change(ctx, p.w)
		switch {
		case err == nil:
			defer locked.close()
		case !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errReadOnly):
			return nil, err
		}
	}
	return s.Verify(ctx, store.VerifyOptions{Refs: refs, Progress: func(done, total int64) {
		p.step("verify", s.Dir(), done, total)
	}})
}
