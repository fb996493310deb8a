package client

import (
	"context"
	"errors"
	"time"

	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

// Info is what can be told about one thing before it is installed.
type Info struct {
	Offer
	Installed *store.Record // in the store, or in one that is read besides; nil: nothing is
	Older     []repo.Release

	Manifest *manifest.Manifest // nil when the tree could not be had
	Required permissions.Set
	Optional permissions.Set
	Download int64 // what this machine lacks
	Disk     int64

	Stored bool // by what is stored; nobody was asked
	Age    time.Duration
}

// InfoOptions say where to look.
type InfoOptions struct {
	From   string
	Stored bool // ask nobody
}

// Info describes what a want means. Without a network it tells what is known.
func (c *Client) Info(ctx context.Context, w Want, opt InfoOptions) (*Info, error) {
	origins, err := c.origins4info(ctx, w, opt)
	if err != nil {
		return nil, err
	}
	stored := opt.Stored
	for _, o := range origins {
		was, err := c.look(ctx, o, SearchOptions{Stored: opt.Stored, Refresh: true})
		stored = stored || was
		if err == nil {
			o.err = nil
		} else if o.err == nil {
			o.err = err
		}
	}
	offer, err := c.resolveLoaded(ctx, w, origins)
	if err != nil {
		return nil, err
	}
	in := &Info{Offer: *offer, Stored: stored, Download: offer.Release.Download, Disk: offer.Release.Installed}
	if stored {
		in.Age = c.now().Sub(offer.Origin.view.Checked())
	}
	if in.Installed, err = c.current(offer.Release.Ref); err != nil {
		return nil, err
	}
	for _, s := range c.Others {
		if rec, err := s.Current(offer.Release.Ref); err == nil && in.Installed == nil {
			in.Installed = &rec
		}
	}
	if in.Required, in.Optional, err = repo.ParsePermissionText(offer.Release.PermissionText); err != nil {
		return nil, err
	}
	if in.Older, err = offer.Origin.view.Older(ctx, offer.Release.Ref, offer.Release.N); err != nil {
		c.warn(err.Error())
	}
	if err := c.inside(ctx, in); err != nil {
		return nil, err
	}
	return in, ctx.Err()
}

// origins4info prefers the repository that an installed thing came from.
func (c *Client) origins4info(ctx context.Context, w Want, opt InfoOptions) ([]*Origin, error) {
	if opt.From == "" {
		if rec, err := c.Store.Find(w.Text); err == nil {
			if o, err := c.originOf(rec); err == nil {
				return []*Origin{o}, nil
			}
		}
	}
	return c.enabled(opt.From)
}

// inside fills in what only the tree tells. Offline that is left out.
func (c *Client) inside(ctx context.Context, in *Info) error {
	s := &Step{Origin: in.Origin, Release: in.Release}
	if in.Installed != nil && in.Installed.Release.Tree == in.Release.Tree {
		if t, err := c.Store.Tree(in.Release.Tree); err == nil {
			in.Manifest, err = t.Manifest()
			in.Download, in.Disk = 0, 0
			return err
		}
	}
	if in.Stored {
		return nil
	}
	t, err := c.fetchTree(ctx, s)
	if err != nil {
		return err
	}
	in.Manifest = s.Manifest
	l, err := c.fetchLocator(ctx, s, t)
	if err != nil {
		return err
	}
	c.measure(s, t, l)
	in.Download, in.Disk = s.Download, s.Disk
	return nil
}

// resolveLoaded is resolve among origins that are prepared already.
func (c *Client) resolveLoaded(ctx context.Context, w Want, origins []*Origin) (*Offer, error) {
	for _, o := range origins {
		if o.view == nil && o.err == nil {
			o.err = errors.Join(trust.ErrNeverSeen)
		}
		o.fresh = o.err == nil // good enough: whoever installs has a client of his own
	}
	return c.resolve(ctx, w, origins)
}
