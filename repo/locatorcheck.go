package repo

import (
	"errors"
	"fmt"
)

// check is every rule about a locator: all numbers in their bounds, nothing
// overlapping, every object whole and there once. Sums cannot overflow, since
// each number is far below the largest.
func (l *Locator) check() error {
	if len(l.Packs) > MaxPacks || len(l.Frames) > maxFrames {
		return fmt.Errorf("over %d packs or %d frames", MaxPacks, maxFrames)
	}
	packs := map[Digest]bool{}
	for _, p := range l.Packs {
		if p.Digest.IsZero() || packs[p.Digest] || p.Length <= 0 || p.Length > MaxPack {
			return fmt.Errorf("pack %s of %d bytes is impossible or there twice", p.Digest.Short(), p.Length)
		}
		packs[p.Digest] = true
	}
	c := locatorCheck{l: l, seen: map[Digest]bool{}}
	for i := range l.Frames {
		if err := c.frame(&l.Frames[i]); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
	}
	if c.parts > 0 {
		return fmt.Errorf("object %s is not whole", c.open.Object.Short())
	}
	return nil
}

type locatorCheck struct {
	l     *Locator
	seen  map[Digest]bool
	pack  int
	end   int64 // of the last frame in pack
	open  Piece // the last part of an object that goes on
	parts int   // how many parts of it are still to come
}

func (c *locatorCheck) frame(f *Frame) error {
	switch {
	case f.Pack < 0 || f.Pack >= len(c.l.Packs):
		return fmt.Errorf("pack %d of %d", f.Pack, len(c.l.Packs))
	case f.Offset < 0 || f.Offset > MaxPack || f.CLen <= 0 || f.CLen > MaxPacked || f.Offset+f.CLen > c.l.Packs[f.Pack].Length:
		return fmt.Errorf("%d bytes at %d, outside its pack", f.CLen, f.Offset)
	case f.ULen <= 0 || f.ULen > MaxFrame:
		return fmt.Errorf("%d unpacked bytes", f.ULen)
	case f.Pack < c.pack || f.Pack == c.pack && f.Offset < c.end:
		return errors.New("it is not in order, or overlaps the one before")
	case len(f.Objects) == 0:
		return errors.New("it holds nothing")
	case c.parts > 0 && (f.Pack != c.pack || f.Offset != c.end):
		return fmt.Errorf("it does not follow the part before of object %s", c.open.Object.Short())
	}
	// Who needs one small file must not be made to unpack 64 MiB for it.
	if f.ULen > MaxShared && f.Objects[0].Len != f.ULen {
		return fmt.Errorf("%d unpacked bytes and not one object", f.ULen)
	}
	c.pack, c.end = f.Pack, f.Offset+f.CLen
	at := int64(0)
	for _, p := range f.Objects {
		if p.Off < at || p.Len <= 0 || p.Len > MaxFrame || p.Off+p.Len > f.ULen {
			return fmt.Errorf("object %s lies outside, or overlaps the one before", p.Object.Short())
		}
		at = p.Off + p.Len
		if err := c.piece(f, p); err != nil {
			return fmt.Errorf("object %s: %w", p.Object.Short(), err)
		}
	}
	return nil
}

func (c *locatorCheck) piece(f *Frame, p Piece) error {
	if p.Object.IsZero() {
		return errors.New("it has no digest")
	}
	isPart := p.Part != 0 || p.Parts != 0
	switch {
	case isPart && (p.Parts < 2 || p.Part < 1 || p.Part > p.Parts || p.Parts > MaxBytes/MaxFrame):
		return fmt.Errorf("part %d of %d", p.Part, p.Parts)
	case isPart && (len(f.Objects) != 1 || p.Off != 0 || p.Len != f.ULen):
		return errors.New("a part shares its frame")
	case c.parts > 0 && (p.Object != c.open.Object || p.Parts != c.open.Parts || p.Part != c.open.Part+1):
		return errors.New("it stands between the parts of another")
	case c.parts == 0 && p.Part > 1:
		return errors.New("its first part is missing")
	case p.Part <= 1 && c.seen[p.Object]:
		return errors.New("it is there twice")
	}
	c.seen[p.Object] = true
	c.open, c.parts = p, p.Parts-p.Part
	return nil
}
