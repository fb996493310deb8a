package client

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/trust"
)

// Carried is a single-file bundle that was written.
type Carried struct {
	Path     string
	Releases []repo.Release
	Bytes    int64
}

// Download writes what the wanted need into one file, for a machine without a
// network. All of it comes from one repository, which vouches for it there as
// here. The file appears once it is complete; the same state of the repository
// gives the same bytes.
func (c *Client) Download(ctx context.Context, wants []Want, opt PlanOptions, path string) (*Carried, error) {
	if len(wants) == 0 {
		return nil, errors.New("internal error: nothing to download")
	}
	origins, err := c.enabled(opt.From)
	if err != nil {
		return nil, err
	}
	var offers []*Offer
	for _, w := range wants {
		offer, err := c.resolve(ctx, w, origins)
		if err != nil {
			return nil, err
		}
		if len(offers) > 0 && offer.Origin != offers[0].Origin {
			return nil, hint.With(fmt.Errorf("cannot put both into one file: %s comes from %q and %s from %q", offers[0].Release.Ref.ID, offers[0].Origin.Label(), offer.Release.Ref.ID, offer.Origin.Label()), "make a file of each")
		}
		offers = append(offers, offer)
	}
	o := offers[0].Origin
	releases, err := c.together(ctx, o, offers)
	if err != nil {
		return nil, err
	}
	var refs []repo.Ref
	for _, r := range releases {
		refs = append(refs, r.Ref)
	}
	metadata, err := o.view.Export(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := &Carried{Path: path, Releases: releases}
	err = disk.Write(path, 0o644, func(f *os.File) error {
		w := &tarWriter{c: c, o: o, t: tar.NewWriter(f), has: map[string]bool{}}
		if err := w.all(ctx, releases, metadata); err != nil {
			return err
		}
		if err := w.t.Close(); err != nil {
			return err
		}
		st, err := f.Stat()
		out.Bytes = st.Size()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write %q: %w", path, err)
	}
	return out, nil
}

// together adds the runtimes of offers, where the same repository has them.
func (c *Client) together(ctx context.Context, o *Origin, offers []*Offer) ([]repo.Release, error) {
	var all []repo.Release
	add := func(r repo.Release) {
		if !slices.ContainsFunc(all, func(a repo.Release) bool { return a.Ref == r.Ref }) {
			all = append(all, r)
		}
	}
	for _, offer := range offers {
		add(offer.Release)
		want := offer.Release.Runtime
		if want.IsZero() {
			continue
		}
		var rel repo.Release
		err := trust.ErrNoRef
		for _, ref := range c.runtimes(want) {
			if rel, err = o.view.Release(ctx, ref); !errors.Is(err, trust.ErrNoRef) {
				break
			}
		}
		if errors.Is(err, trust.ErrNoRef) {
			c.warn(fmt.Sprintf("the runtime %s is not in this repository: the other machine must have it", want.ID))
			continue
		}
		if err != nil {
			return nil, err
		}
		add(rel)
	}
	return all, nil
}

// tarWriter writes a single-file bundle.
type tarWriter struct {
	c   *Client
	o   *Origin
	t   *tar.Writer
	has map[string]bool
}

func (w *tarWriter) all(ctx context.Context, releases []repo.Release, metadata []trust.File) error {
	head := remote.BundleHead{Type: remote.BundleType, Format: remote.BundleFormat}
	for _, r := range releases {
		head.Refs = append(head.Refs, r.Ref.String())
	}
	data, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if err := w.file(remote.BundleHeadName, append(data, '\n')); err != nil {
		return err
	}
	for _, m := range metadata {
		if err := w.file(m.Path, m.Data); err != nil {
			return err
		}
	}
	m := &meter{c: w.c}
	for _, r := range releases {
		if err := w.release(ctx, r, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *tarWriter) release(ctx context.Context, r repo.Release, m *meter) error {
	s := &Step{Origin: w.o, Release: r}
	t, err := w.c.fetchTree(ctx, s)
	if err != nil {
		return err
	}
	l, err := w.c.fetchLocator(ctx, s, t)
	if err != nil {
		return err
	}
	if err := w.file(repo.TreePath(r.Tree), s.tree); err != nil {
		return err
	}
	if err := w.file(repo.LocatorPath(r.Locator), s.locator); err != nil {
		return err
	}
	m.ref, m.name = r.Ref, string(r.Ref.ID)
	for _, p := range l.Packs {
		if !w.has[repo.PackPath(p.Digest)] {
			m.total.Add(p.Length)
		}
	}
	for _, p := range l.Packs {
		if err := w.pack(ctx, p, m); err != nil {
			return err
		}
	}
	return nil
}

// pack copies a whole pack and compares it with its name on the way.
func (w *tarWriter) pack(ctx context.Context, p repo.PackInfo, m *meter) error {
	name := repo.PackPath(p.Digest)
	if w.has[name] {
		return nil
	}
	body, err := w.o.src.Open(ctx, name, 0, p.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := w.header(name, p.Length); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w.t, h, countWriter(m.add)), io.LimitReader(body, p.Length))
	if err == nil && n < p.Length {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && repo.Digest(h.Sum(nil)) != p.Digest {
		err = fmt.Errorf("cannot use %s of %q: %w", name, w.o.Label(), ErrDamaged)
	}
	return err
}

type countWriter func(int)

func (c countWriter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}

func (w *tarWriter) file(name string, data []byte) error {
	if w.has[name] {
		return nil
	}
	if err := w.header(name, int64(len(data))); err != nil {
		return err
	}
	_, err := w.t.Write(data)
	return err
}

// header starts a file. The same content gives the same bytes.
func (w *tarWriter) header(name string, size int64) error {
	w.has[name] = true
	return w.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(1, 0), Format: tar.FormatUSTAR})
}
