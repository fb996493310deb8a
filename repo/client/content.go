package client

import (
	"context"
	"errors"
	"fmt"

	"sandbox/repo"
	"sandbox/repo/remote"
)

// fetchTree brings the tree of a step and checks that it says what the index
// says. The manifest in it is the one that is shown and enforced.
func (c *Client) fetchTree(ctx context.Context, s *Step) (*repo.Tree, error) {
	r := s.Release
	data, err := c.fetchSigned(ctx, s.Origin, repo.TreePath(r.Tree), r.Tree, r.TreeLength)
	if err != nil {
		return nil, err
	}
	t, err := repo.DecodeTree(data)
	if err != nil {
		return nil, err
	}
	if s.Manifest, err = t.Manifest(); err != nil {
		return nil, err
	}
	text := repo.PermissionText(s.Manifest)
	switch {
	case t.Ref(r.Ref.Channel) != r.Ref:
		err = fmt.Errorf("its tree is one of %s", t.Ref(r.Ref.Channel))
	case t.Version != r.Version || t.Size != r.Installed:
		err = errors.New("its tree has another version or size than the index says")
	case text != r.PermissionText:
		err = errors.New("its manifest asks for other permissions than the index says")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", r.Ref.At(r.N), err)
	}
	s.tree = data
	return t, nil
}

// fetchLocator brings the locator of a step, which must have all that the tree
// names.
func (c *Client) fetchLocator(ctx context.Context, s *Step, t *repo.Tree) (*repo.Locator, error) {
	r := s.Release
	data, err := c.fetchSigned(ctx, s.Origin, repo.LocatorPath(r.Locator), r.Locator, r.LocatorLength)
	if err != nil {
		return nil, err
	}
	l, err := repo.DecodeLocator(data)
	if err == nil {
		err = l.Covers(t)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", r.Ref.At(r.N), err)
	}
	s.locator = data
	return l, nil
}

// fetchSigned brings a file whose length and hash are signed.
func (c *Client) fetchSigned(ctx context.Context, o *Origin, path string, want repo.Digest, length int64) ([]byte, error) {
	data, err := o.src.Fetch(ctx, path, length)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != length || repo.Sum(data) != want {
		return nil, fmt.Errorf("cannot use %s of %q: %w", path, o.Label(), ErrDamaged)
	}
	return data, nil
}

// demand is which contents a step lacks and where they are.
type demand struct {
	locator *repo.Locator
	frames  map[int]bool               // to fetch
	wanted  map[repo.Digest]repo.Entry // to store
	packed  int64                      // bytes of the frames
	plain   int64                      // bytes of the contents, in whole blocks
}

const block = 4096

// large are the requests for contents that are kept as they come.
func (d *demand) large(from int64) (spans []remote.Span) {
	for _, s := range remote.Spans(d.locator, func(i int) bool { return d.frames[i] }, from) {
		if s.Alone(d.locator, from) {
			spans = append(spans, s)
		}
	}
	return spans
}

// demand compares a tree with the store.
func (c *Client) demand(t *repo.Tree, l *repo.Locator) demand { return c.lacking(t.Objects(), l) }

// lacking compares contents with the store.
func (c *Client) lacking(all []repo.Entry, l *repo.Locator) demand {
	d := demand{locator: l, wanted: map[repo.Digest]repo.Entry{}}
	for _, e := range all {
		if !c.Store.HasObject(e.Object, e.Exec) {
			d.wanted[e.Object] = e
			d.plain += (e.Size + block - 1) / block * block
		}
	}
	if len(d.wanted) > 0 {
		d.choose()
	}
	return d
}

// choose marks the frames that hold what is wanted.
func (d *demand) choose() {
	d.frames, d.packed = map[int]bool{}, 0
	for i := range d.locator.Frames {
		f := &d.locator.Frames[i]
		for _, p := range f.Objects {
			if _, ok := d.wanted[p.Object]; ok && !d.frames[i] {
				d.frames[i] = true
				d.packed += f.CLen
			}
		}
	}
}

// measure fills in what a step costs.
func (c *Client) measure(s *Step, t *repo.Tree, l *repo.Locator) {
	d := c.demand(t, l)
	s.Download, s.Files = d.packed, len(d.wanted)
	s.Disk = d.plain
	if !remote.Local(s.Origin.src) {
		for _, span := range d.large(c.large()) {
			s.kept = append(s.kept, span.Len)
			s.Download -= c.Store.PartialSize(l.Packs[span.Pack].Digest, span.Off, span.Len)
		}
	}
	for _, e := range t.Entries { // links to contents cost nothing, directories do
		if e.Type == repo.Dir {
			s.Disk += block
		}
	}
}
