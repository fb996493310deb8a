package repo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"sandbox/manifest"
	"sandbox/repo/strictjson"
)

// Trees, locators and catalogues are alike: JSON objects, one a line, the first
// of which says what the document is; all of it one zstd frame. The hash is of
// the stored bytes, so nothing is decompressed that was not signed for.

const (
	// Format is the version of the repository format.
	Format = 1

	// MaxWindow is how far back a zstd frame may refer. A decoder needs about
	// that much memory.
	MaxWindow = 8 << 20

	// A line may be as long as the longest manifest with every character
	// escaped.
	maxLine = 6*manifest.MaxSize + 64<<10

	// Names, numbers and hashes do not shrink to less than a fortieth, unless
	// the names are very long and very alike.
	maxRatio   = 400
	ratioFloor = 1 << 20
)

// lineWriter collects the lines of a document.
type lineWriter struct {
	buf bytes.Buffer
	enc *json.Encoder
	err error
}

func newLineWriter() *lineWriter {
	w := &lineWriter{}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false)
	return w
}

func (w *lineWriter) line(v any) {
	if w.err == nil {
		w.err = w.enc.Encode(v)
	}
}

// stored is the document as it is stored: the same lines give the same bytes.
func (w *lineWriter) stored(l limits) ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(2<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	out := e.EncodeAll(w.buf.Bytes(), nil)
	if int64(len(out)) > l.stored || int64(w.buf.Len()) > l.most(len(out)) {
		return nil, fmt.Errorf("%d bytes (%d compressed), more than readers accept", w.buf.Len(), len(out))
	}
	return out, nil
}

// lineReader gives the lines of a stored document, one after the other.
type lineReader struct {
	z       *zstd.Decoder
	scanner *bufio.Scanner
	n       int
}

// limits of one kind of document.
type limits struct{ stored, plain int64 }

// most is how many bytes that many stored ones may unpack to.
func (l limits) most(stored int) int64 {
	return min(l.plain, ratioFloor+maxRatio*int64(stored))
}

func newLineReader(stored []byte, l limits) (*lineReader, error) {
	if int64(len(stored)) > l.stored {
		return nil, fmt.Errorf("%d bytes, over %d", len(stored), l.stored)
	}
	if err := checkFrame(stored); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(bytes.NewReader(stored), zstd.WithDecoderMaxWindow(MaxWindow),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	r := &lineReader{z: z}
	r.scanner = bufio.NewScanner(&bounded{r: z, left: l.most(len(stored))})
	r.scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	r.scanner.Split(splitLines)
	return r, nil
}

func (r *lineReader) close() { r.z.Close() }

// next reads a line into v, which is a pointer to a zero value; io.EOF after
// the last.
func (r *lineReader) next(v any) error {
	if !r.scanner.Scan() {
		if err := r.scanner.Err(); err != nil {
			return fmt.Errorf("line %d: %w", r.n+1, err)
		}
		return io.EOF
	}
	r.n++
	if err := strictjson.Unmarshal(r.scanner.Bytes(), v); err != nil {
		return fmt.Errorf("line %d: %w", r.n, err)
	}
	return nil
}

// header reads the first line; check says whether it is of the right type.
func (r *lineReader) header(v any, check func() error) error {
	err := r.next(v)
	if err == io.EOF {
		return errors.New("it is empty")
	}
	if err == nil {
		err = check()
	}
	return err
}

func checkType(got string, format int, want string) error {
	if got != want {
		return fmt.Errorf("it is a %q, not a %q", clip(got), want)
	}
	if format != Format {
		return fmt.Errorf("it is of format %d, which this program does not know", format)
	}
	return nil
}

// splitLines wants "\n" after every line, the last one too: a document that was
// cut is noticed.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// bounded fails, unlike io.LimitReader, when there is more than is left.
type bounded struct {
	r    io.Reader
	left int64
}

var errBomb = errors.New("it unpacks to more than it may")

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBomb
	}
	return n, err
}
