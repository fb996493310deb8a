package pack

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"sandbox/repo"
)

// window is how far back our frames refer. Readers need as much memory for
// each frame that they decode at a time; 8 MiB would make LibreOffice 0.07 %
// smaller.
const window = 2 << 20

// A compressor is one worker's encoder.
type compressor struct {
	z   *zstd.Encoder
	buf []byte
}

func newCompressor() (*compressor, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	return &compressor{z: z}, err
}

// buffers are for packed bytes: who has written them gives them back.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func takeBuffer() *bytes.Buffer {
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

// whole packs a frame of whole objects.
func (c *compressor) whole(f *frame, objects []Object) (*bytes.Buffer, error) {
	if len(f.objects) == 1 && f.size > small {
		return c.stream(&objects[f.objects[0]])
	}
	c.buf = c.buf[:0]
	for _, i := range f.objects {
		o := &objects[i]
		start := len(c.buf)
		c.buf = append(c.buf, make([]byte, o.Size)...)
		err := o.read(func(r io.Reader) error {
			_, err := io.ReadFull(r, c.buf[start:])
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := takeBuffer()
	out.Grow(len(c.buf)/2 + 1024)
	out.Write(c.z.EncodeAll(c.buf, out.AvailableBuffer()))
	return out, nil
}

func (c *compressor) stream(o *Object) (*bytes.Buffer, error) {
	out := takeBuffer()
	c.z.ResetContentSize(out, o.Size)
	err := o.read(func(r io.Reader) error {
		_, err := io.Copy(c.z, r)
		return err
	})
	if err != nil {
		c.z.Reset(nil)
		return nil, err
	}
	return out, c.z.Close()
}

// part packs bytes that were read before.
func (c *compressor) part(data []byte) (*bytes.Buffer, error) {
	out := takeBuffer()
	c.z.ResetContentSize(out, int64(len(data)))
	if _, err := c.z.Write(data); err != nil {
		return nil, err
	}
	return out, c.z.Close()
}

// read opens the object, lets use read it to its end and compares the digest.
func (o *Object) read(use func(r io.Reader) error) error {
	r, err := o.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	h := newCheck(o)
	if err := use(io.TeeReader(io.LimitReader(r, o.Size), h)); err != nil {
		return fmt.Errorf("object %s: %w", o.Digest.Short(), err)
	}
	return h.done(r)
}

// A check follows the bytes of an object.
type check struct {
	hash.Hash
	o *Object
	n int64
}

func newCheck(o *Object) *check { return &check{Hash: sha256.New(), o: o} }

func (c *check) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.Hash.Write(p)
}

// done wants all of the object, and nothing more behind it in r.
func (c *check) done(r io.Reader) error {
	var more [1]byte
	n, _ := io.ReadFull(r, more[:])
	if n != 0 || c.n != c.o.Size || repo.Digest(c.Sum(nil)) != c.o.Digest {
		return fmt.Errorf("object %s is not what it was: a file changed while it was packed", c.o.Digest.Short())
	}
	return nil
}
