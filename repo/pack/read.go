package pack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"sandbox/repo"
)

// Frames unpacks one frame, whose packed bytes r gives, and calls emit for
// every piece of f in the order of their places. emit may leave bytes unread,
// and may not keep its reader. A piece gives exactly p.Len bytes or an error,
// and the frame exactly f.ULen; the caller discards what it got when Frames
// returns an error. Nothing is read from r beyond f.CLen bytes.
//
// It holds one window (8 MiB at most) and small buffers. It may be called from
// several goroutines at a time.
func Frames(ctx context.Context, r io.Reader, f repo.Frame, emit func(p repo.Piece, r io.Reader) error) error {
	if err := frames(ctx, r, f, emit); err != nil {
		return fmt.Errorf("cannot unpack a frame: %w", err)
	}
	return nil
}

var errLength = errors.New("it is not as long as its locator says")

func frames(ctx context.Context, r io.Reader, f repo.Frame, emit func(p repo.Piece, r io.Reader) error) error {
	if f.CLen <= 0 || f.CLen > repo.MaxPacked || f.ULen <= 0 || f.ULen > repo.MaxFrame {
		return fmt.Errorf("%d bytes that unpack to %d", f.CLen, f.ULen)
	}
	packed := &exact{r: r, left: f.CLen, ctx: ctx}
	in := bufio.NewReaderSize(packed, int(min(f.CLen, 64<<10)))
	if err := checkHeader(in, f); err != nil {
		return err
	}
	d, err := takeDecoder()
	if err != nil {
		return err
	}
	defer giveDecoder(d)
	if err := d.Reset(in); err != nil {
		return err
	}
	at := int64(0)
	for _, p := range f.Objects {
		if p.Off < at || p.Len < 0 || p.Len > f.ULen-p.Off {
			return fmt.Errorf("object %s lies outside its frame", p.Object.Short())
		}
		if err := skip(d, p.Off-at); err != nil {
			return err
		}
		piece := &exact{r: d, left: p.Len, ctx: ctx}
		if err := emit(p, piece); err != nil {
			return err
		}
		if err := skip(piece, piece.left); err != nil {
			return err
		}
		at = p.Off + p.Len
	}
	if err := skip(d, f.ULen-at); err != nil {
		return err
	}
	return finished(d, packed)
}

// checkHeader reads the head of the frame before the decoder sees it, which
// would pass over frames to be skipped and go on with the next one.
func checkHeader(in *bufio.Reader, f repo.Frame) error {
	head, err := in.Peek(int(min(f.CLen, zstd.HeaderMaxSize)))
	if err != nil {
		return cut(err)
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil {
		return err
	}
	switch {
	case h.Skippable:
		return errors.New("it is no frame of content")
	case h.DictionaryID != 0:
		return errors.New("it wants a dictionary")
	case h.HasFCS && h.FrameContentSize != uint64(f.ULen):
		return errLength
	case !h.SingleSegment && h.WindowSize > repo.MaxWindow, h.SingleSegment && h.FrameContentSize > repo.MaxWindow:
		return fmt.Errorf("it needs a window of over %d bytes", repo.MaxWindow)
	}
	return nil
}

// finished wants both ends to be there: of what comes out, and of what went in.
func finished(d *zstd.Decoder, packed *exact) error {
	var more [1]byte
	n, err := d.Read(more[:])
	switch {
	case n != 0 || packed.left != 0:
		return errLength
	case err == nil:
		return errors.New("internal error: the decoder neither ends nor goes on")
	case err != io.EOF:
		return err
	}
	return nil
}

func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := io.CopyN(io.Discard, r, n)
	return cut(err)
}

// cut is an end that came too early.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// exact gives the next bytes of r: as many as left says, then the end. When r
// ends before, that is an error.
type exact struct {
	r    io.Reader
	left int64
	ctx  context.Context
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if err := e.ctx.Err(); err != nil {
		return 0, context.Cause(e.ctx)
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); e.left > 0 {
		err = cut(err)
	}
	return n, err
}

// Decoders keep their buffers: a fetch of a thousand frames makes as many
// decoders as it has goroutines.
var decoders sync.Pool

func takeDecoder() (*zstd.Decoder, error) {
	if d, ok := decoders.Get().(*zstd.Decoder); ok {
		return d, nil
	}
	return zstd.NewReader(nil, zstd.WithDecoderMaxWindow(repo.MaxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
}

// giveDecoder lets go of the reader and keeps the rest. A decoder with
// concurrency 1 has no goroutines, so one that the pool drops is just garbage.
func giveDecoder(d *zstd.Decoder) {
	if d.Reset(nil) == nil {
		decoders.Put(d)
	}
}
