package pack

import (
	"fmt"
	"io"

	"sandbox/repo"
)

// An Object is the content of a file that goes into a pack.
type Object struct {
	Digest repo.Digest
	Size   int64                         // more than 0
	Open   func() (io.ReadCloser, error) // called once, by any goroutine
}

const (
	// small is what a shared frame may hold, and the size from which on a
	// file has its own.
	small = 256 << 10

	// large is what one frame takes of a file. The format allows 64 MiB;
	// several frames are packed at a time, and one that was interrupted is
	// fetched again sooner.
	large = 16 << 20

	// Split is the length from which on a pack gets no further object.
	Split = 256 << 20
)

// A frame is a plan for one frame: some whole objects, or a part of one.
type frame struct {
	objects []int // indexes of what is packed
	off     int64 // of the part, in the only object
	size    int64 // unpacked
	part    int   // from 1, or 0 for whole objects
	parts   int
}

// plan decides by sizes alone what goes into which frame. Frames come in the
// order of their first object; a shared frame stays open past large files.
func plan(objects []Object) ([]frame, error) {
	seen := make(map[repo.Digest]bool, len(objects))
	var frames []frame
	open := -1
	for i, o := range objects {
		if o.Digest.IsZero() || o.Size <= 0 || o.Size > repo.MaxBytes || seen[o.Digest] {
			return nil, fmt.Errorf("internal error: object %s of %d bytes is impossible or there twice", o.Digest.Short(), o.Size)
		}
		seen[o.Digest] = true
		switch {
		case o.Size > large:
			frames = append(frames, parts(i, o.Size)...)
		case o.Size >= small:
			frames = append(frames, frame{objects: []int{i}, size: o.Size})
		case open >= 0 && frames[open].size+o.Size <= small:
			frames[open].objects = append(frames[open].objects, i)
			frames[open].size += o.Size
		default:
			open = len(frames)
			frames = append(frames, frame{objects: []int{i}, size: o.Size})
		}
	}
	return frames, nil
}

func parts(object int, size int64) []frame {
	n := int((size + large - 1) / large)
	var out []frame
	for p := range n {
		off := int64(p) * large
		out = append(out, frame{objects: []int{object}, off: off, size: min(large, size-off), part: p + 1, parts: n})
	}
	return out
}

// pieces says what a reader finds in the frame.
func (f *frame) pieces(objects []Object) []repo.Piece {
	var out []repo.Piece
	at := int64(0)
	for _, i := range f.objects {
		size := objects[i].Size
		if f.parts > 0 {
			size = f.size
		}
		out = append(out, repo.Piece{Object: objects[i].Digest, Off: at, Len: size, Part: f.part, Parts: f.parts})
		at += size
	}
	return out
}
