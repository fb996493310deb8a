package remote

import (
	"errors"
	"io"
	"syscall"

	"sandbox/repo"
)

// Large is from how many packed bytes an object has a request of its own, whose
// bytes are kept as they come: a process that is interrupted loses less than that.
const Large = 4 << 20

// Kept is a file with the first bytes of a request. What is in it is not believed:
// it goes the same way as what comes from a server.
type Kept interface {
	io.ReaderAt
	io.WriterAt
	Size() int64
	Close() error // the next attempt will find it
	Drop()        // it will not
}

// Local tells whether a source is on this machine: nothing of it need be kept.
func Local(src Source) bool {
	switch src.(type) {
	case *dirSource, *TarFile:
		return true
	}
	return false
}

// errKept says that what was kept cannot be read.
var errKept = errors.New("what was kept of an earlier attempt cannot be used")

// keptBody gives what is kept and then what a server sends after it, which it
// keeps.
type keptBody struct {
	kept Kept // nil: not any more
	net  *Body
	have int64 // what was kept before
	at   int64

	dropped bool
}

// keep opens a request of which the beginning may be here. The last byte is asked
// for in any case: the answer tells whether the server knows ranges.
func keep(k Kept, n int64, open func(skip int64) (*Body, error)) (*Body, error) {
	if k.Size() > n {
		k.Drop()
		return open(0)
	}
	have := min(k.Size(), n-1)
	net, err := open(have)
	if err != nil {
		k.Close()
		return nil, err
	}
	if net.Whole {
		k.Drop()
		return net, nil
	}
	b := &keptBody{kept: k, net: net, have: have}
	return &Body{ReadCloser: b, kept: b}, nil
}

func (b *keptBody) Read(p []byte) (int, error) {
	if b.at < b.have {
		n, err := b.kept.ReadAt(p[:min(int64(len(p)), b.have-b.at)], b.at)
		b.at += int64(n)
		if n == 0 && err != nil {
			return 0, errors.Join(errKept, err)
		}
		return n, nil
	}
	n, err := b.net.Read(p)
	if n > 0 && b.kept != nil {
		if _, err := b.kept.WriteAt(p[:n], b.at); err != nil {
			b.settle(true) // a full disk needs the room more
		}
	}
	b.at += int64(n)
	return n, err
}

// settle ends the keeping: what is whole, or wrong, is dropped.
func (b *keptBody) settle(drop bool) {
	switch {
	case b.kept == nil:
	case drop:
		b.kept.Drop()
		b.dropped = true
	default:
		b.kept.Close()
	}
	b.kept = nil
}

func (b *keptBody) Close() error {
	b.settle(false)
	return b.net.Close()
}

// settle is called when what came was used, or could not be.
func (b *Body) settle(drop bool) {
	if b.kept != nil {
		b.kept.settle(drop)
	}
}

// resumed is how much of it was here before.
func (b *Body) resumed() int64 {
	if b.kept == nil {
		return 0
	}
	return b.kept.have
}

// spoilt tells whether an error may come from what was kept, and another attempt
// without it may end better: one that this machine makes is not such.
func spoilt(err error) bool {
	if errors.Is(err, errKept) {
		return true
	}
	_, mine := errors.AsType[syscall.Errno](err)
	return !mine
}

// Alone tells whether a span is one object of at least from packed bytes: what comes
// of it may be kept.
func (s Span) Alone(l *repo.Locator, from int64) bool {
	if s.Len < from {
		return false
	}
	_, rest := group(l, s.Frames)
	return len(rest) == 0
}

func (f *frames) kept(s Span) Kept {
	if f.opt.Keep == nil || !s.Alone(f.l, f.opt.KeepFrom) {
		return nil
	}
	return f.opt.Keep(f.l.Packs[s.Pack].Digest, s.Off, s.Len)
}

// KeepFunc gives the file for n bytes of a pack from off; nil where it cannot be
// kept, or somebody else is at it.
type KeepFunc func(pack repo.Digest, off, n int64) Kept
