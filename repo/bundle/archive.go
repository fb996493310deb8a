package bundle

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"sandbox/internal/hint"
)

// maxWindow is how far back a compressed stream may refer: what xz -9 and
// zstd --ultra -22 use at most without being told to use more.
const maxWindow = 128 << 20

// addArchive unpacks the archive f below dest, without the first strip path
// components. The caller has checked the digest; what the archive holds is
// hostile all the same, since a packager copies digests from web pages.
//
// A refusal leaves the tree half filled: the whole build is thrown away then.
func (t *tree) addArchive(f *os.File, size int64, dest string, strip int) error {
	t.isStrict = true
	defer func() { t.isStrict = false }()
	into := &archiveSink{t: t, dest: dest, strip: strip}

	magic := make([]byte, 512)
	n, err := f.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if isZip(magic[:n]) {
		return into.zip(f, size)
	}
	packed := &countReader{r: f}
	r, done, err := decompress(packed)
	if err != nil {
		return err
	}
	defer done()
	if n < 4 || (!isCompressed(magic[:n]) && !isTar(magic[:n])) {
		return hint.With(errors.New("this is no archive of a known kind"), "known are tar, tar.gz, tar.xz, tar.zst, tar.bz2 and zip")
	}
	return into.tar(&ratioReader{r: r, packed: func() int64 { return packed.n }, limits: t.limits})
}

// An archiveSink gives archive members their place in the tree.
type archiveSink struct {
	t     *tree
	dest  string
	strip int
}

// place is where a member goes; false when stripping leaves nothing of it.
func (s *archiveSink) place(unsafeName string) (string, bool, error) {
	name, err := cleanName(unsafeName)
	if err != nil {
		return "", false, err
	}
	if name == "." {
		return "", false, nil
	}
	for range s.strip {
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return "", false, nil
		}
		name = rest
	}
	return path.Join(s.dest, name), true, nil
}

func isZip(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte("PK\x03\x04")) || bytes.HasPrefix(magic, []byte("PK\x05\x06"))
}

func isTar(magic []byte) bool {
	return len(magic) >= 262 && string(magic[257:262]) == "ustar"
}

var magics = []struct {
	magic string
	open  func(io.Reader) (io.Reader, func(), error)
}{
	{"\x1f\x8b", openGzip},
	{"\xfd7zXZ\x00", openXz},
	{"\x28\xb5\x2f\xfd", openZstd},
	{"BZh", func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), func() {}, nil }},
}

func isCompressed(magic []byte) bool {
	for _, m := range magics {
		if bytes.HasPrefix(magic, []byte(m.magic)) {
			return true
		}
	}
	return false
}

// decompress looks at the first bytes, not at a name; what is not compressed
// passes unchanged. The func releases what the decoder holds.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, _ := b.Peek(6)
	for _, m := range magics {
		if bytes.HasPrefix(magic, []byte(m.magic)) {
			return m.open(b)
		}
	}
	return b, func() {}, nil
}

func openGzip(r io.Reader) (io.Reader, func(), error) {
	z, err := gzip.NewReader(r)
	return z, func() {}, err
}

func openZstd(r io.Reader) (io.Reader, func(), error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(2*maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, nil, err
	}
	return z, z.Close, nil
}

// openXz reads ahead of the decoder for the dictionary size, since the library
// allocates at once what the header asks for, up to 4 GiB (CVE-2021-29482).
func openXz(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(12 + 1024)
	if err := checkXzWindow(head); err != nil {
		return nil, nil, err
	}
	z, err := xz.ReaderConfig{SingleStream: true}.NewReader(b)
	return z, func() {}, err
}

// checkXzWindow finds the LZMA2 filter in the first block header: after the
// stream header of 12 bytes come size, flags, two optional lengths and the
// filters (id 0x21, one property byte).
func checkXzWindow(head []byte) error {
	if len(head) < 16 || head[12] == 0 { // no block at all
		return nil
	}
	size := (int(head[12]) + 1) * 4
	if len(head) < 12+size {
		return io.ErrUnexpectedEOF
	}
	block := head[12 : 12+size]
	rest := block[2:]
	for _, flag := range []byte{0x40, 0x80} {
		if block[1]&flag == 0 {
			continue
		}
		for len(rest) > 0 && rest[0]&0x80 != 0 {
			rest = rest[1:]
		}
		if len(rest) > 0 {
			rest = rest[1:]
		}
	}
	if len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 || rest[2] > 40 {
		return errors.New("xz stream with an unknown filter")
	}
	window := uint64(1)<<32 - 1
	if bits := rest[2]; bits < 40 {
		window = (2 | uint64(bits)&1) << (bits/2 + 11)
	}
	if window > maxWindow {
		return tooMany("an xz window of %d bytes", window)
	}
	return nil
}

// checkDigest compares the whole of f with a digest in hex and rewinds.
func checkDigest(f *os.File, want string) error {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return hint.With(fmt.Errorf("sha256 is %s, the manifest says %s", got, want), "make sure that this is the file you mean, then correct sha256")
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}
