package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sandbox/internal/disk"
	"sandbox/repo"
)

// index says where the repository has every object that some release needs.
// It is made from the locators and kept in a file, since reading them all again
// would take longer than most publishing.
type index struct {
	packs   []repo.PackInfo
	frames  []frame
	objects map[repo.Digest]place
	covers  map[repo.Digest]bool // locators that are in it

	packOf  map[repo.Digest]int
	frameOf map[frameKey]int
}

// frame is a repo.Frame without its objects.
type frame struct {
	pack               int
	offset, clen, ulen int64
}

type frameKey struct {
	pack   int
	offset int64
}

// place is where an object lies: in one frame, or when parts is not 0 in that
// many, from frame on.
type place struct {
	frame    int
	off, len int64
	parts    int
}

const indexFile = stateDir + "/index"

func newIndex() *index {
	return &index{
		objects: map[repo.Digest]place{}, covers: map[repo.Digest]bool{},
		packOf: map[repo.Digest]int{}, frameOf: map[frameKey]int{},
	}
}

func (x *index) pack(p repo.PackInfo) int {
	i, ok := x.packOf[p.Digest]
	if !ok {
		i = len(x.packs)
		x.packs = append(x.packs, p)
		x.packOf[p.Digest] = i
	}
	return i
}

func (x *index) frame(f frame) int {
	k := frameKey{f.pack, f.offset}
	i, ok := x.frameOf[k]
	if !ok {
		i = len(x.frames)
		x.frames = append(x.frames, f)
		x.frameOf[k] = i
	}
	return i
}

// add takes over what packs and frames say. What is known already stays where
// it is known to be.
func (x *index) add(packs []repo.PackInfo, frames []repo.Frame) {
	at := make([]int, len(packs))
	for i, p := range packs {
		at[i] = x.pack(p)
	}
	for i := range frames {
		f := &frames[i]
		n := x.frame(frame{at[f.Pack], f.Offset, f.CLen, f.ULen})
		for _, p := range f.Objects {
			if _, known := x.objects[p.Object]; known || p.Part > 1 {
				continue
			}
			if p.Part == 0 {
				x.objects[p.Object] = place{n, p.Off, p.Len, 0}
			} else if whole(frames[i:], p) {
				// The frames of the later parts follow here too: they are
				// added one after the other, unless they are known as such.
				x.objects[p.Object] = place{n, 0, 0, p.Parts}
				for _, g := range frames[i+1 : i+p.Parts] {
					x.frame(frame{at[g.Pack], g.Offset, g.CLen, g.ULen})
				}
			}
		}
	}
}

// whole reports whether the parts of an object follow one another.
func whole(frames []repo.Frame, first repo.Piece) bool {
	if first.Parts > len(frames) {
		return false
	}
	for i, f := range frames[:first.Parts] {
		if len(f.Objects) != 1 || f.Objects[0].Object != first.Object || f.Objects[0].Part != i+1 {
			return false
		}
	}
	return true
}

// locator is where the objects of a tree lie. All of them must be known.
func (x *index) locator(t *repo.Tree) (*repo.Locator, error) {
	pieces := map[int][]repo.Piece{}
	seen := map[repo.Digest]bool{}
	for _, e := range t.Entries {
		if e.Object.IsZero() || seen[e.Object] {
			continue
		}
		seen[e.Object] = true
		p, ok := x.objects[e.Object]
		if !ok {
			return nil, fmt.Errorf("internal error: object %s is nowhere", e.Object.Short())
		}
		if p.parts == 0 {
			pieces[p.frame] = append(pieces[p.frame], repo.Piece{Object: e.Object, Off: p.off, Len: p.len})
			continue
		}
		for i := range p.parts {
			pieces[p.frame+i] = append(pieces[p.frame+i], repo.Piece{Object: e.Object, Len: x.frames[p.frame+i].ulen, Part: i + 1, Parts: p.parts})
		}
	}
	order := slices.SortedFunc(maps.Keys(pieces), func(a, b int) int {
		fa, fb := x.frames[a], x.frames[b]
		return cmp.Or(cmp.Compare(fa.pack, fb.pack), cmp.Compare(fa.offset, fb.offset))
	})
	l := &repo.Locator{}
	local := map[int]int{}
	for _, i := range order {
		f := x.frames[i]
		k, ok := local[f.pack]
		if !ok {
			k = len(l.Packs)
			local[f.pack] = k
			l.Packs = append(l.Packs, x.packs[f.pack])
		}
		objects := pieces[i]
		slices.SortFunc(objects, func(a, b repo.Piece) int { return cmp.Compare(a.Off, b.Off) })
		l.Frames = append(l.Frames, repo.Frame{Pack: k, Offset: f.offset, CLen: f.clen, ULen: f.ulen, Objects: objects})
	}
	return l, nil
}

// loadIndex makes r.objects complete for all releases there are.
func (r *Repository) loadIndex(ctx context.Context) (*index, error) {
	if r.objects != nil {
		return r.objects, nil
	}
	x := newIndex()
	if data, err := readBounded(r.path(indexFile), 1<<32); err == nil {
		if kept, err := decodeIndex(data); err == nil {
			x = kept
		}
	}
	releases, err := r.releases()
	if err != nil {
		return nil, err
	}
	for _, e := range releases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if x.covers[e.Locator] {
			continue
		}
		l, err := r.readLocator(e.Release)
		if err != nil {
			return nil, err
		}
		x.add(l.Packs, l.Frames)
		x.covers[e.Locator] = true
	}
	r.objects = r.present(x)
	return r.objects, nil
}

// present leaves out what lies in packs that are gone or have another length:
// their objects are packed again when they are published again.
func (r *Repository) present(x *index) *index {
	gone := map[int]bool{}
	for i, p := range x.packs {
		if !r.exists(repo.PackPath(p.Digest), p.Length) {
			gone[i] = true
		}
	}
	if len(gone) > 0 {
		maps.DeleteFunc(x.objects, func(_ repo.Digest, p place) bool { return gone[x.frames[p.frame].pack] })
	}
	return x
}

// keepIndex writes the index down. That it fails is no reason to fail.
func (r *Repository) keepIndex() {
	if r.objects != nil {
		disk.WriteFile(r.path(indexFile), encodeIndex(r.objects), 0o644)
	}
}

func (r *Repository) readLocator(rel repo.Release) (*repo.Locator, error) {
	data, err := r.readContent(repo.LocatorPath(rel.Locator), rel.Locator, rel.LocatorLength)
	if err != nil {
		return nil, err
	}
	return repo.DecodeLocator(data)
}

func (r *Repository) readTree(rel repo.Release) (*repo.Tree, error) {
	data, err := r.readContent(repo.TreePath(rel.Tree), rel.Tree, rel.TreeLength)
	if err != nil {
		return nil, err
	}
	return repo.DecodeTree(data)
}

// readContent reads a file that is named by its hash.
func (r *Repository) readContent(name string, d repo.Digest, length int64) ([]byte, error) {
	data, err := readBounded(r.path(name), length)
	if err == nil && repo.Sum(data) != d {
		err = fmt.Errorf("%s is damaged: restore it from a mirror or a backup", name)
	}
	return data, err
}

// The file: magic, counts, packs, frames, objects, locators, SHA-256 of it all.
// Numbers are uvarints.
var indexMagic = []byte("sandbox publish index 1\n")

var errIndex = errors.New("the index is damaged")

func encodeIndex(x *index) []byte {
	b := append([]byte{}, indexMagic...)
	number := func(n int64) { b = binary.AppendUvarint(b, uint64(n)) }
	number(int64(len(x.packs)))
	for _, p := range x.packs {
		b = append(b, p.Digest[:]...)
		number(p.Length)
	}
	number(int64(len(x.frames)))
	for _, f := range x.frames {
		number(int64(f.pack))
		number(f.offset)
		number(f.clen)
		number(f.ulen)
	}
	number(int64(len(x.objects)))
	for d, p := range x.objects {
		b = append(b, d[:]...)
		number(int64(p.frame))
		number(p.off)
		number(p.len)
		number(int64(p.parts))
	}
	number(int64(len(x.covers)))
	for d := range x.covers {
		b = append(b, d[:]...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decodeIndex(data []byte) (*index, error) {
	if len(data) < sha256.Size || !bytes.HasPrefix(data, indexMagic) {
		return nil, errIndex
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, errIndex
	}
	in := &indexReader{rest: body[len(indexMagic):]}
	x := newIndex()
	for range in.count() {
		x.pack(repo.PackInfo{Digest: in.digest(), Length: in.number()})
	}
	for range in.count() {
		x.frame(frame{int(in.number()), in.number(), in.number(), in.number()})
	}
	for range in.count() {
		d := in.digest()
		x.objects[d] = place{int(in.number()), in.number(), in.number(), int(in.number())}
	}
	for range in.count() {
		x.covers[in.digest()] = true
	}
	if in.bad || len(in.rest) != 0 {
		return nil, errIndex
	}
	for _, f := range x.frames {
		if f.pack < 0 || f.pack >= len(x.packs) {
			return nil, errIndex
		}
	}
	for _, p := range x.objects {
		if p.frame < 0 || p.parts < 0 || p.frame+max(p.parts, 1) > len(x.frames) {
			return nil, errIndex
		}
	}
	return x, nil
}

type indexReader struct {
	rest []byte
	bad  bool
}

func (in *indexReader) number() int64 {
	n, size := binary.Uvarint(in.rest)
	if size <= 0 || n > 1<<62 {
		in.bad, in.rest = true, nil
		return 0
	}
	in.rest = in.rest[size:]
	return int64(n)
}

// count is a number of things that take a byte each at least.
func (in *indexReader) count() int {
	n := in.number()
	if n > int64(len(in.rest)) {
		in.bad = true
		return 0
	}
	return int(n)
}

func (in *indexReader) digest() (d repo.Digest) {
	if len(in.rest) < len(d) {
		in.bad, in.rest = true, nil
		return d
	}
	copy(d[:], in.rest)
	in.rest = in.rest[len(d):]
	return d
}
