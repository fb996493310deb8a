package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/trust"
)

// CarriedFile is a single-file bundle that may be installed from.
type CarriedFile struct {
	Refs  []repo.Ref
	First *trust.Root // of the repository that it comes from
	// Known says that this store trusts the repository: a remote is configured
	// for it, or something of it was accepted before.
	Known bool

	origin *Origin
	tar    *remote.TarFile
}

// OpenFile looks at a single-file bundle. Nothing in it is believed yet.
func (c *Client) OpenFile(ctx context.Context, path string) (*CarriedFile, error) {
	t, err := remote.OpenTar(path)
	if err != nil {
		return nil, err
	}
	f := &CarriedFile{tar: t}
	if err := f.look(ctx, c); err != nil {
		t.Close()
		return nil, fmt.Errorf("cannot use %q: %w", path, err)
	}
	return f, nil
}

func (f *CarriedFile) look(ctx context.Context, c *Client) (err error) {
	if len(f.tar.Head.Refs) == 0 || len(f.tar.Head.Refs) > 64 {
		return fmt.Errorf("it names %d refs", len(f.tar.Head.Refs))
	}
	for _, text := range f.tar.Head.Refs {
		ref, err := repo.ParseRef(text)
		if err != nil {
			return err
		}
		f.Refs = append(f.Refs, ref)
	}
	if f.First, err = firstRoot(ctx, f.tar); err != nil {
		return err
	}
	f.origin = &Origin{Remote: remote.Remote{Root: f.First.Fingerprint}, File: f.tar.String(), src: f.tar, dir: c.seen(f.First.Fingerprint)}
	all, err := c.load()
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Root == f.First.Fingerprint {
			f.Known = true
			f.origin.Remote, f.origin.dir = o.Remote, o.dir
			return nil
		}
	}
	if _, err := os.Stat(filepath.Join(f.origin.dir, "root")); err == nil {
		f.Known = true
	}
	return nil
}

// Close closes the file.
func (f *CarriedFile) Close() { f.origin.close() }

// Trust accepts the repository that the file comes from: a person has compared
// its fingerprint.
func (f *CarriedFile) Trust() error {
	if f.Known {
		return nil
	}
	if err := trust.Init(f.origin.dir, f.First); err != nil {
		return err
	}
	f.Known = true
	return nil
}

// PlanFile finds out what installing from a single-file bundle would do: all of
// it, or the wanted. What has expired becomes a need of each step. A file is no
// source of updates that nobody asked for, so it is a plan like an install.
func (c *Client) PlanFile(ctx context.Context, f *CarriedFile, wants []Want, opt PlanOptions) (*Plan, error) {
	if !f.Known {
		return nil, fmt.Errorf("cannot use %q: %w: nobody vouches for %s", f.tar, ErrConsent, f.First.Fingerprint)
	}
	if err := c.openFile(ctx, f); err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", f.tar, err)
	}
	p := &planner{c: c, opt: opt, origins: []*Origin{f.origin}, plan: &Plan{}}
	for i, ref := range f.Refs {
		if len(wants) == 0 && i > 0 && ref.Kind != f.Refs[0].Kind {
			continue // brought along where it is needed
		}
		if len(wants) > 0 && !slices.ContainsFunc(wants, func(w Want) bool { return w.means(ref) }) {
			continue
		}
		if err := p.fromFile(ctx, f, ref); err != nil {
			return nil, err
		}
	}
	if len(p.plan.Steps) == 0 && len(p.plan.Notes) == 0 {
		return nil, fmt.Errorf("cannot find what was asked for in %q: %w", f.tar, ErrNotOffered)
	}
	return p.plan, ctx.Err()
}

// openFile verifies the metadata in the file, and once more without its dates
// when only they are in the way.
func (c *Client) openFile(ctx context.Context, f *CarriedFile) error {
	o := f.origin
	if o.view != nil {
		return nil
	}
	for _, opt := range []trust.Options{{}, {Expired: true}} {
		o.view = nil
		if err := c.open(o, opt); err != nil {
			return err
		}
		err := o.view.Refresh(ctx)
		if err == nil {
			err = f.vouched(ctx)
		}
		if err == nil {
			o.fresh = true
			return nil
		}
		o.view = nil
		if errors.Is(err, trust.ErrRollback) {
			return hint.With(err, "make a new file with 'sandbox download', or install from the remote")
		}
		if !errors.Is(err, trust.ErrExpired) {
			return err
		}
	}
	return errors.New("internal error: expired in spite of all")
}

// vouched reads all roles that the refs need, so that their dates are known.
func (f *CarriedFile) vouched(ctx context.Context) error {
	for _, ref := range f.Refs {
		if _, err := f.origin.view.Release(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) fromFile(ctx context.Context, f *CarriedFile, ref repo.Ref) error {
	rel, err := f.origin.view.Release(ctx, ref)
	if err != nil {
		return err
	}
	if !slices.Contains(p.c.arches(), ref.Arch) {
		return fmt.Errorf("cannot install %s: it is for %s machines", ref.ID, ref.Arch)
	}
	old, err := p.c.current(ref)
	if err != nil {
		return err
	}
	done, err := p.take(ctx, &Offer{Origin: f.origin, Release: rel}, old, true)
	if err == nil && !done {
		p.plan.note("%s %s is installed already", ref.ID, old.Release.Version)
	}
	return err
}

// means tells whether a want names a ref.
func (w Want) means(ref repo.Ref) bool {
	switch {
	case !w.Ref.IsZero():
		return w.Ref == ref
	case w.Channel != "" && w.Channel != ref.Channel:
		return false
	case w.ID != "":
		return w.ID == ref.ID
	}
	return named(&repo.CatalogueRow{Ref: ref}, w.Text)
}
