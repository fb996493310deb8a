package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sandbox/internal/hint"
	"sandbox/repo/remote"
	"sandbox/repo/trust"
)

// Origin is a repository that is looked at: a configured remote, or a
// single-file bundle.
type Origin struct {
	remote.Remote
	Machine bool   // configured for the whole machine
	File    string // the single-file bundle that it is

	dir   string // of its trust
	src   remote.Source
	view  *trust.Repository
	fresh bool
	err   error // why it cannot be used now
}

// Label is how it is called in messages.
func (o *Origin) Label() string {
	switch {
	case o.File != "":
		return o.File
	case o.Name != "":
		return o.Name
	}
	return o.Root
}

// Dir is where its trust is kept.
func (o *Origin) Dir() string { return o.dir }

// Checked is when it was last asked and all was well; zero when never.
func (o *Origin) Checked() time.Time {
	if o.view != nil && !o.view.Checked().IsZero() {
		return o.view.Checked()
	}
	return trust.LastChecked(o.dir)
}

// Stale lists what of its metadata had expired and was taken all the same.
func (o *Origin) Stale() []string {
	if o.view == nil {
		return nil
	}
	return o.view.Stale()
}

func (o *Origin) close() {
	if c, ok := o.src.(io.Closer); ok {
		c.Close()
	}
	o.src = nil
}

// Origins are the configured remotes, the most preferred first.
func (c *Client) Origins() ([]*Origin, error) { return c.load() }

// load lists the remotes once: the store's own, then those of the machine whose
// names it does not use itself.
func (c *Client) load() ([]*Origin, error) {
	if c.origins != nil {
		return c.origins, nil
	}
	own, err := c.Remotes().List()
	if err != nil {
		c.warn(err.Error())
	}
	names := map[string]bool{}
	origins := []*Origin{}
	for _, r := range own {
		names[r.Name] = true
		origins = append(origins, &Origin{Remote: r, dir: c.Remotes().Dir(r.Name)})
	}
	for _, s := range c.Others {
		if !s.System() {
			continue
		}
		set := remote.In(s.Dir())
		list, err := set.List()
		if err != nil {
			c.warn(err.Error())
		}
		for _, r := range list {
			if names[r.Name] {
				continue
			}
			o := &Origin{Remote: r, Machine: true}
			if o.dir, err = c.seenDir(r.Root, set.Dir(r.Name)); err != nil {
				c.warn(err.Error())
				continue
			}
			origins = append(origins, o)
		}
	}
	sortOrigins(origins)
	c.origins = origins
	return origins, nil
}

// seenDir is where this store keeps what it has seen of a repository that is
// not configured in it. from holds the roots to begin with.
func (c *Client) seenDir(fingerprint, from string) (string, error) {
	dir := c.seen(fingerprint)
	if _, err := os.Stat(filepath.Join(dir, "root")); err == nil {
		return dir, nil
	}
	root, err := trust.StoredRoot(from)
	if err != nil {
		return "", err
	}
	return dir, trust.Init(dir, root)
}

// seen names a directory by a fingerprint. No remote can have its name.
func (c *Client) seen(fingerprint string) string {
	return filepath.Join(c.Remotes().Dir(".seen"), fingerprint[len("sha256:"):][:32])
}

// open prepares the view of an origin, without asking anybody.
func (c *Client) open(o *Origin, opt trust.Options) error {
	if o.view != nil {
		return nil
	}
	if o.src == nil {
		if o.Address.IsZero() {
			return hint.With(fmt.Errorf("the remote %q has no address", o.Name), "only single-file bundles come from it")
		}
		src, err := remote.OpenSource(o.Address, c.Pace)
		if err != nil {
			return err
		}
		o.src = src
	}
	opt.Dir, opt.Now = o.dir, c.Now
	opt.NotFound = func(err error) bool { return errors.Is(err, remote.ErrNotFound) }
	o.view = trust.New(o.src, opt)
	return nil
}

// refresh asks an origin for its newest metadata, once.
func (c *Client) refresh(ctx context.Context, o *Origin) error {
	if o.fresh || o.err != nil {
		return o.err
	}
	if o.err = c.open(o, trust.Options{}); o.err == nil {
		if o.err = o.view.Refresh(ctx); o.err == nil {
			o.fresh = true
			c.keepCatalogue(ctx, o)
			return nil
		}
	}
	if ctx.Err() != nil {
		err := o.err
		o.err, o.view = nil, nil
		return err
	}
	o.err = fmt.Errorf("cannot use the remote %q: %w", o.Name, o.err)
	return o.err
}

// keepCatalogue brings the catalogue along where somebody searches, so that a
// search without a network finds it. A failure is that search's.
func (c *Client) keepCatalogue(ctx context.Context, o *Origin) {
	if !o.view.Searched() {
		return
	}
	for _, arch := range c.arches() {
		o.view.Catalogue(ctx, arch)
	}
}

// refreshAll asks several origins at a time. What cannot be reached is told and
// has its err set.
func (c *Client) refreshAll(ctx context.Context, origins []*Origin) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, o := range origins {
		if o.fresh || o.err != nil {
			continue
		}
		c.tell(Event{Stage: "look", Text: o.Label()})
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c.refresh(ctx, o)
		})
	}
	wg.Wait()
	return ctx.Err()
}

// enabled are the origins that are asked, the most preferred first; only the
// named one when a name is given.
func (c *Client) enabled(name string) ([]*Origin, error) {
	all, err := c.load()
	if err != nil {
		return nil, err
	}
	var some []*Origin
	for _, o := range all {
		switch {
		case name != "" && o.Name == name:
			return []*Origin{o}, nil // named, it need not be enabled
		case name == "" && !o.Disabled:
			some = append(some, o)
		}
	}
	switch {
	case name != "":
		return nil, hint.With(fmt.Errorf("%w: %q", remote.ErrNoRemote, name), "see 'sandbox remote list'")
	case len(some) == 0:
		return nil, hint.With(errors.New("no remote is configured"), "'sandbox remote add NAME URL' adds one")
	}
	return some, nil
}
