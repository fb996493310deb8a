package client

import (
	"context"
	"errors"
	"fmt"

	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

// Refetch brings into the store what is lost of an installed release, from where
// it came. What it is was signed when it was installed, and is in the record by
// its hashes: nothing new has to be believed, so an expired repository will do.
func (c *Client) Refetch(ctx context.Context, n store.Need) error {
	o, err := c.originOf(n.Record)
	if err != nil {
		return err
	}
	if err := c.open(o, trust.Options{}); err != nil {
		return err
	}
	r := n.Record.Release
	if n.Tree {
		data, err := c.fetchSigned(ctx, o, repo.TreePath(r.Tree), r.Tree, r.TreeLength)
		if err != nil {
			return err
		}
		return c.Store.WriteTree(r.Tree, data)
	}
	l, err := c.locatorOf(ctx, o, r)
	if err != nil {
		return err
	}
	d := demand{locator: l, wanted: map[repo.Digest]repo.Entry{}}
	for _, e := range n.Objects {
		d.wanted[e.Object] = e
	}
	d.choose()
	return c.contents(ctx, o.src, d, &meter{c: c, ref: r.Ref, name: string(r.Ref.ID)}, nil)
}

// locatorOf is where the contents of a release lie. A repository that was packed
// anew has another than the one that the record knows.
func (c *Client) locatorOf(ctx context.Context, o *Origin, r repo.Release) (*repo.Locator, error) {
	data, err := c.fetchSigned(ctx, o, repo.LocatorPath(r.Locator), r.Locator, r.LocatorLength)
	if errors.Is(err, remote.ErrNotFound) {
		data, err = c.newLocator(ctx, o, r)
	}
	if err != nil {
		return nil, err
	}
	return repo.DecodeLocator(data)
}

func (c *Client) newLocator(ctx context.Context, o *Origin, r repo.Release) ([]byte, error) {
	if err := c.refresh(ctx, o); err != nil {
		return nil, err
	}
	now, err := o.view.Release(ctx, r.Ref)
	if err == nil && now.Tree != r.Tree {
		now, err = o.view.ReleaseAt(ctx, r.Ref, r.N)
	}
	if err != nil {
		return nil, err
	}
	if now.Tree != r.Tree {
		return nil, fmt.Errorf("release %d of %s is something else there now", r.N, r.Ref.ID)
	}
	return c.fetchSigned(ctx, o, repo.LocatorPath(now.Locator), now.Locator, now.LocatorLength)
}
