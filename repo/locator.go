package repo

import (
	"errors"
	"fmt"
	"io"
)

// Locator says where the objects of one tree lie. It is a hint that may be
// replaced: what comes out is compared with the tree.
type Locator struct {
	Packs  []PackInfo
	Frames []Frame // by pack and offset
}

// PackInfo is one pack file.
type PackInfo struct {
	Digest Digest
	Length int64
}

// Frame is a zstd frame in a pack, which unpacks on its own.
type Frame struct {
	Pack    int   // in Locator.Packs
	Offset  int64 // in the pack
	CLen    int64 // bytes in the pack
	ULen    int64 // bytes that it unpacks to
	Objects []Piece
}

// Piece is an object in a frame, or a part of an object that is spread over
// several. Between pieces there may be bytes that concern other trees.
type Piece struct {
	Object Digest
	Off    int64 // in the unpacked frame
	Len    int64
	// Part counts from 1 to Parts when the object is spread over that many
	// frames, which follow one another in the same pack and hold nothing
	// else. Both are 0 when the frame holds all of it.
	Part, Parts int
}

// Limits of a locator and of what it describes.
const (
	MaxLocator = 64 << 20 // stored bytes
	MaxFrame   = 64 << 20 // unpacked bytes of a frame
	MaxShared  = 1 << 20  // unpacked bytes of a frame that holds more than one object, or gaps
	MaxPacks   = 4096
	MaxPack    = MaxBytes

	maxFrames = 400_000

	// MaxPacked bounds the packed bytes of a frame: zstd stores what it
	// cannot shrink with 3 bytes for every 128 KiB.
	MaxPacked = MaxFrame + MaxFrame/1024 + 1024
)

var locatorLimits = limits{MaxLocator, 128 << 20}

const locatorType = "sandbox-locator"

type locatorHeader struct {
	Type   string `json:"type"`
	Format int    `json:"format"`
}

// locatorLine is a pack, a frame or an object: exactly one of the three groups
// of keys is there.
type locatorLine struct {
	Pack   *Digest `json:"pack,omitempty"`
	Length *int64  `json:"length,omitempty"`

	K    *int   `json:"k,omitempty"`
	Off  *int64 `json:"off,omitempty"`
	CLen *int64 `json:"clen,omitempty"`
	ULen *int64 `json:"ulen,omitempty"`

	Object *Digest `json:"o,omitempty"`
	At     *int64  `json:"at,omitempty"`
	Len    *int64  `json:"len,omitempty"`
	Part   int     `json:"part,omitempty"`
	Parts  int     `json:"parts,omitempty"`
}

// EncodeLocator gives the stored bytes.
func EncodeLocator(l *Locator) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("cannot write a locator: %w", err)
	}
	w := newLineWriter()
	w.line(locatorHeader{locatorType, Format})
	for i := range l.Packs {
		w.line(locatorLine{Pack: &l.Packs[i].Digest, Length: &l.Packs[i].Length})
	}
	for i := range l.Frames {
		f := &l.Frames[i]
		w.line(locatorLine{K: &f.Pack, Off: &f.Offset, CLen: &f.CLen, ULen: &f.ULen})
		for j := range f.Objects {
			p := &f.Objects[j]
			w.line(locatorLine{Object: &p.Object, At: &p.Off, Len: &p.Len, Part: p.Part, Parts: p.Parts})
		}
	}
	stored, err := w.stored(locatorLimits)
	if err != nil {
		return nil, fmt.Errorf("cannot write a locator: %w", err)
	}
	return stored, nil
}

// DecodeLocator reads stored bytes, whose digest the caller has compared.
func DecodeLocator(stored []byte) (*Locator, error) {
	l, err := decodeLocator(stored)
	if err != nil {
		return nil, fmt.Errorf("cannot read locator: %w", err)
	}
	return l, nil
}

func decodeLocator(stored []byte) (*Locator, error) {
	r, err := newLineReader(stored, locatorLimits)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var h locatorHeader
	if err := r.header(&h, func() error { return checkType(h.Type, h.Format, locatorType) }); err != nil {
		return nil, err
	}
	l := &Locator{}
	pieces := 0
	for {
		var line locatorLine
		if err := r.next(&line); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if err := l.add(&line); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.n, err)
		}
		if line.Object != nil {
			pieces++
		}
		if len(l.Packs) > MaxPacks || len(l.Frames) > maxFrames || pieces > MaxEntries {
			return nil, fmt.Errorf("over %d packs, %d frames or %d objects", MaxPacks, maxFrames, MaxEntries)
		}
	}
	return l, l.check()
}

func (l *Locator) add(line *locatorLine) error {
	isPack := line.Pack != nil && line.Length != nil
	isFrame := line.K != nil && line.Off != nil && line.CLen != nil && line.ULen != nil
	isPiece := line.Object != nil && line.At != nil && line.Len != nil
	some := func(is ...bool) (n int) {
		for _, b := range is {
			if b {
				n++
			}
		}
		return n
	}
	// Every key that is there belongs to the one group that is complete.
	keys := some(line.Pack != nil, line.Length != nil, line.K != nil, line.Off != nil, line.CLen != nil, line.ULen != nil,
		line.Object != nil, line.At != nil, line.Len != nil, line.Part != 0, line.Parts != 0)
	switch {
	case isPack && keys == 2 && len(l.Frames) == 0:
		l.Packs = append(l.Packs, PackInfo{*line.Pack, *line.Length})
	case isFrame && keys == 4:
		l.Frames = append(l.Frames, Frame{Pack: *line.K, Offset: *line.Off, CLen: *line.CLen, ULen: *line.ULen})
	case isPiece && (keys == 3 || keys == 5) && len(l.Frames) > 0:
		f := &l.Frames[len(l.Frames)-1]
		f.Objects = append(f.Objects, Piece{*line.Object, *line.At, *line.Len, line.Part, line.Parts})
	default:
		return errors.New("it is no pack, frame or object, or not in its place")
	}
	return nil
}

// Find maps every object to its frame; the first one, when it is in several.
func (l *Locator) Find() map[Digest]int {
	at := map[Digest]int{}
	for i := range l.Frames {
		for _, p := range l.Frames[i].Objects {
			if _, ok := at[p.Object]; !ok {
				at[p.Object] = i
			}
		}
	}
	return at
}

// Covers tells whether the locator has every object of t, and at the size that
// t says.
func (l *Locator) Covers(t *Tree) error {
	has := map[Digest]int64{}
	for i := range l.Frames {
		for _, p := range l.Frames[i].Objects {
			has[p.Object] += p.Len
		}
	}
	for _, e := range t.Objects() {
		if n := has[e.Object]; n != e.Size {
			return fmt.Errorf("the locator has %d of %d bytes of %q", n, e.Size, e.Path)
		}
	}
	return nil
}
