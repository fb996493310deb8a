package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"sandbox/internal/amount"
	"sandbox/repo"
	"sandbox/repo/pack"
)

// rewritePacks writes those packs anew of which more than half is of no use to
// any release, and gives the releases locators that say so. A release whose
// role cannot be signed here keeps its packs.
func (r *Repository) rewritePacks(ctx context.Context, dryRun bool) (int, error) {
	releases, err := r.releases()
	if err != nil {
		return 0, err
	}
	u, err := r.usage(ctx, releases)
	if err != nil {
		return 0, err
	}
	rewrite := u.wasteful()
	r.leaveWhatOthersSign(u, releases, rewrite)
	if len(rewrite) == 0 || dryRun {
		return len(rewrite), nil
	}
	var roles []string
	for _, e := range releases {
		if u.touches(e, rewrite) {
			roles = append(roles, e.role)
		}
	}
	if err := r.prepare(slices.Compact(slices.Sorted(slices.Values(roles)))...); err != nil {
		return 0, err
	}
	x := newIndex()
	for d := range u.packs { // what stays, so that nothing moves that need not
		if rewrite[d] {
			continue
		}
		for _, l := range u.locators {
			x.addPack(l, d)
		}
	}
	for _, d := range slices.SortedFunc(maps.Keys(rewrite), func(a, b repo.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		r.tell("repacking", d.Short(), 0, 0)
		if err := r.repack(ctx, x, u.packs[d]); err != nil {
			return 0, err
		}
	}
	for _, e := range releases {
		if !u.touches(e, rewrite) {
			continue
		}
		if err := r.relocate(x, e); err != nil {
			return 0, err
		}
	}
	r.objects = nil
	if err := os.Remove(r.path(indexFile)); err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	return len(rewrite), r.commit()
}

// usage is what the releases need of each pack.
type usage struct {
	locators map[repo.Digest]*repo.Locator
	packs    map[repo.Digest]*packUse
}

type packUse struct {
	repo.PackInfo
	frames map[int64]*frameUse // by offset
}

type frameUse struct {
	repo.Frame // Pack is not set; Objects are all that some release needs
	objects    map[repo.Digest]bool
}

func (r *Repository) usage(ctx context.Context, releases []*entry) (*usage, error) {
	u := &usage{map[repo.Digest]*repo.Locator{}, map[repo.Digest]*packUse{}}
	for _, e := range releases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if u.locators[e.Locator] != nil {
			continue
		}
		l, err := r.readLocator(e.Release)
		if err != nil {
			return nil, err
		}
		u.locators[e.Locator] = l
		for i := range l.Frames {
			u.add(l.Packs[l.Frames[i].Pack], &l.Frames[i])
		}
	}
	return u, nil
}

func (u *usage) add(p repo.PackInfo, f *repo.Frame) {
	use := u.packs[p.Digest]
	if use == nil {
		use = &packUse{p, map[int64]*frameUse{}}
		u.packs[p.Digest] = use
	}
	at := use.frames[f.Offset]
	if at == nil {
		at = &frameUse{Frame: *f, objects: map[repo.Digest]bool{}}
		at.Objects = nil
		use.frames[f.Offset] = at
	}
	for _, o := range f.Objects {
		if !at.objects[o.Object] {
			at.objects[o.Object] = true
			at.Objects = append(at.Objects, o)
		}
	}
}

// needed is how much of the frame is of use, in packed bytes.
func (f *frameUse) needed() int64 {
	var plain int64
	for _, o := range f.Objects {
		plain += o.Len
	}
	return int64(float64(f.CLen) * float64(min(plain, f.ULen)) / float64(f.ULen))
}

// wasteful are the packs more than half of which is of no use.
func (u *usage) wasteful() map[repo.Digest]bool {
	out := map[repo.Digest]bool{}
	for d, p := range u.packs {
		var needed int64
		for _, f := range p.frames {
			needed += f.needed()
		}
		if needed < p.Length/2 {
			out[d] = true
		}
	}
	return out
}

func (u *usage) touches(e *entry, packs map[repo.Digest]bool) bool {
	return slices.ContainsFunc(u.locators[e.Locator].Packs, func(p repo.PackInfo) bool { return packs[p.Digest] })
}

// leaveWhatOthersSign takes the packs out of rewrite that releases need whose
// role cannot be signed with the keys at hand.
func (r *Repository) leaveWhatOthersSign(u *usage, releases []*entry, rewrite map[repo.Digest]bool) {
	left := 0
	for _, e := range releases {
		if r.chain.can(r.authority(e.role)) {
			continue
		}
		for _, p := range u.locators[e.Locator].Packs {
			if rewrite[p.Digest] {
				delete(rewrite, p.Digest)
				left++
			}
		}
	}
	if left > 0 {
		r.warn("not written anew: %s, needed by releases that are signed with keys which are not here", amount.Of(left, "pack"))
	}
}

// addPack takes over from a locator what lies in one pack.
func (x *index) addPack(l *repo.Locator, d repo.Digest) {
	var frames []repo.Frame
	for _, f := range l.Frames {
		if l.Packs[f.Pack].Digest == d {
			frames = append(frames, f)
		}
	}
	x.add(l.Packs, frames)
}

// repack writes a pack anew. Frames most of which is needed are copied as they
// are; from the others the needed objects are taken and packed again.
func (r *Repository) repack(ctx context.Context, x *index, p *packUse) error {
	in, err := r.openPack(ctx, p.PackInfo)
	if err != nil {
		return err
	}
	defer in.Close()
	offsets := slices.Sorted(maps.Keys(p.frames))
	var keep []*frameUse
	var again []pack.Object
	for _, off := range offsets {
		f := p.frames[off]
		if f.Objects[0].Parts > 0 || 2*f.needed() >= f.CLen {
			keep = append(keep, f)
			continue
		}
		for _, o := range f.Objects {
			if _, known := x.objects[o.Object]; known {
				continue
			}
			again = append(again, pack.Object{Digest: o.Object, Size: o.Len, Open: func() (io.ReadCloser, error) { return readPiece(ctx, in, f.Frame, o) }})
		}
	}
	if err := r.copyFrames(x, in, keep); err != nil {
		return err
	}
	return r.writePacks(ctx, x, again)
}

// readPiece unpacks one object. Frames that share a pack are small, and what is
// left of them is less than half.
func readPiece(ctx context.Context, in io.ReaderAt, f repo.Frame, want repo.Piece) (io.ReadCloser, error) {
	var data []byte
	one := f
	one.Objects = []repo.Piece{want}
	err := pack.Frames(ctx, io.NewSectionReader(in, f.Offset, f.CLen), one, func(_ repo.Piece, r io.Reader) (err error) {
		data, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// copyFrames makes a pack of frames as they are.
func (r *Repository) copyFrames(x *index, in io.ReaderAt, frames []*frameUse) error {
	if len(frames) == 0 {
		return nil
	}
	f, err := r.tempPack()
	if err != nil {
		return err
	}
	sum := sha256.New()
	info := repo.PackInfo{}
	var out []repo.Frame
	for _, u := range frames {
		n, e := io.Copy(io.MultiWriter(f, sum), io.NewSectionReader(in, u.Offset, u.CLen))
		if e == nil && n != u.CLen {
			e = fmt.Errorf("the pack is cut: %w", io.ErrUnexpectedEOF)
		}
		if err = cmp.Or(err, e); err != nil {
			f.Close()
			os.Remove(f.Name())
			return err
		}
		moved := u.Frame
		moved.Pack, moved.Offset = 0, info.Length
		slices.SortFunc(moved.Objects, func(a, b repo.Piece) int { return cmp.Compare(a.Off, b.Off) })
		out = append(out, moved)
		info.Length += n
	}
	copy(info.Digest[:], sum.Sum(nil))
	if err := r.placePack(f, info); err != nil {
		return err
	}
	x.add([]repo.PackInfo{info}, out)
	return nil
}

// relocate gives a release the locator that fits the packs as they are now.
func (r *Repository) relocate(x *index, e *entry) error {
	t, err := r.readTree(e.Release)
	if err != nil {
		return err
	}
	l, err := x.locator(t)
	if err != nil {
		return err
	}
	stored, err := repo.EncodeLocator(l)
	if err != nil {
		return err
	}
	rel := e.Release
	rel.Locator, rel.LocatorLength, rel.Download = repo.Sum(stored), int64(len(stored)), download(l)
	if err := r.writeNew("locator", repo.LocatorPath(rel.Locator), stored); err != nil {
		return err
	}
	return r.set(e.target, rel)
}
