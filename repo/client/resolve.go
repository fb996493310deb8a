package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

// Offer is a release and where it comes from.
type Offer struct {
	Origin  *Origin
	Release repo.Release
	// Also are other origins that offer the same ref.
	Also []*Origin
}

// resolve finds the offer that a want means among origins, in their order.
func (c *Client) resolve(ctx context.Context, w Want, origins []*Origin) (*Offer, error) {
	if err := c.refreshAll(ctx, origins); err != nil {
		return nil, err
	}
	if w.ID == "" {
		id, err := c.byShortName(ctx, w.Text, origins)
		if err != nil {
			return nil, err
		}
		w.ID = id
	}
	var found *Offer
	for _, o := range origins {
		if o.err != nil || !o.Admits(string(w.ID)) {
			continue
		}
		rel, err := c.offered(ctx, o, w)
		if errors.Is(err, trust.ErrNoRef) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use what %q says of %s: %w", o.Label(), w.ID, err)
		}
		switch {
		case found == nil:
			found = &Offer{Origin: o, Release: rel}
		case found.Release.Ref == rel.Ref:
			found.Also = append(found.Also, o)
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, c.notOffered(ctx, w, origins)
}

func (c *Client) offered(ctx context.Context, o *Origin, w Want) (repo.Release, error) {
	for _, ref := range w.refs(c.arches()) {
		rel, err := o.view.Release(ctx, ref)
		if err == nil || !errors.Is(err, trust.ErrNoRef) {
			return rel, err
		}
	}
	return repo.Release{}, trust.ErrNoRef
}

// rows are what an origin lists for this machine and lets through.
func (c *Client) rows(ctx context.Context, o *Origin) ([]repo.CatalogueRow, error) {
	var all []repo.CatalogueRow
	for _, arch := range c.arches() {
		rows, err := o.view.Catalogue(ctx, arch)
		if err != nil {
			return nil, fmt.Errorf("cannot read what %q offers: %w", o.Label(), err)
		}
		for _, row := range rows {
			if o.Admits(string(row.Ref.ID)) && !slices.ContainsFunc(all, func(r repo.CatalogueRow) bool { return r.Ref == row.Ref }) {
				all = append(all, row)
			}
		}
	}
	return all, nil
}

func (c *Client) byShortName(ctx context.Context, name string, origins []*Origin) (manifest.ID, error) {
	var ids []manifest.ID
	for _, o := range origins {
		if o.err != nil {
			continue
		}
		rows, err := c.rows(ctx, o)
		if err != nil {
			return "", err
		}
		for i := range rows {
			if named(&rows[i], name) && !slices.Contains(ids, rows[i].Ref.ID) {
				ids = append(ids, rows[i].Ref.ID)
			}
		}
	}
	switch len(ids) {
	case 0:
		return "", c.notOffered(ctx, Want{Text: name}, origins)
	case 1:
		return ids[0], nil
	}
	return "", hint.With(fmt.Errorf("cannot tell which app is meant: %w: %s", ErrAmbiguous, join(ids)), "give the ID")
}

func join(ids []manifest.ID) string {
	var words []string
	for _, id := range ids {
		words = append(words, string(id))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// notOffered says so, and what may have been in the way.
func (c *Client) notOffered(ctx context.Context, w Want, origins []*Origin) error {
	err := fmt.Errorf("cannot find %q: %w", w.Text, ErrNotOffered)
	var unusable []error
	for _, o := range origins {
		if o.err != nil {
			unusable = append(unusable, o.err)
			continue
		}
		if w.ID != "" && !o.Admits(string(w.ID)) {
			return hint.With(err, "the filter of the remote %q hides it", o.Name)
		}
		rows, listed := c.rows(ctx, o)
		if listed != nil {
			continue
		}
		for i := range rows {
			if w.ID != "" && rows[i].Ref.ID == w.ID {
				return hint.With(err, "%q has it as %s", o.Label(), rows[i].Ref)
			}
		}
	}
	if len(unusable) > 0 && len(unusable) == len(origins) {
		return errors.Join(unusable...) // nobody has said that it is not offered
	}
	if len(unusable) > 0 {
		return errors.Join(append(unusable, err)...)
	}
	return hint.With(err, "'sandbox search WORD' shows what there is")
}

// current is what is installed of a ref in the store; nil when nothing is.
func (c *Client) current(ref repo.Ref) (*store.Record, error) {
	rec, err := c.Store.Current(ref)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &rec, nil
}

// present is the first of refs that is installed here or in a store that is read
// besides; nil when none is.
func (c *Client) present(refs []repo.Ref) *store.Record {
	for _, s := range append([]*store.Store{c.Store}, c.Others...) {
		for _, ref := range refs {
			if rec, err := s.Current(ref); err == nil {
				return &rec
			}
		}
	}
	return nil
}
