package bundle

import (
	"errors"
	"fmt"
	"io"

	"sandbox/internal/hint"
)

// Limits bound what the sources of one bundle may become: an archive of a few
// kilobytes can unpack to terabytes. The zero value stands for the defaults.
type Limits struct {
	Entries int   // files, directories and links; default 400,000
	Bytes   int64 // all content together; default 16 GiB
	Ratio   int64 // unpacked to packed bytes of one archive, above 64 MiB unpacked; default 400
}

const ratioFloor = 64 << 20

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 400_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 16 << 30
	}
	if l.Ratio <= 0 {
		l.Ratio = 400
	}
	return l
}

var errTooBig = errors.New("more than a bundle may hold")

func tooMany(format string, args ...any) error {
	return hint.With(fmt.Errorf("%w: %s", errTooBig, fmt.Sprintf(format, args...)), "if this is meant, raise the limits of the build")
}

// countReader counts what passes.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ratioReader stands behind a decompressor and stops a bomb: packed tells how
// many compressed bytes were consumed so far. Bytes bounds even what an
// archive holds between its members.
type ratioReader struct {
	r      io.Reader
	packed func() int64
	limits Limits
	n      int64
}

func (d *ratioReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.n += int64(n)
	if d.n > d.limits.Bytes+d.limits.Bytes/8 {
		return 0, tooMany("the archive unpacks to over %d bytes", d.limits.Bytes)
	}
	if d.n > ratioFloor && d.n/d.limits.Ratio > d.packed() {
		return 0, tooMany("the archive unpacks to over %d times its size", d.limits.Ratio)
	}
	return n, err
}
