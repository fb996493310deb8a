package pack

import (
	"bytes"
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sandbox/repo"
)

func encode(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(data, nil)
}

func piece(off, size int64) repo.Piece { return repo.Piece{Object: repo.Sum(nil), Off: off, Len: size} }

func discard(p repo.Piece, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func TestFramesGaps(t *testing.T) {
	data := []byte("aaaBBBBccDDDDDe")
	packed := encode(t, data)
	f := repo.Frame{CLen: int64(len(packed)), ULen: int64(len(data)), Objects: []repo.Piece{piece(3, 4), piece(9, 5)}}
	var got []string
	in := bytes.NewReader(append(bytes.Clone(packed), "the next frame"...))
	err := Frames(context.Background(), in, f, func(p repo.Piece, r io.Reader) error {
		b, err := io.ReadAll(r)
		got = append(got, string(b))
		return err
	})
	if err != nil || strings.Join(got, " ") != "BBBB DDDDD" {
		t.Errorf("got %q, %v", got, err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "the next frame" {
		t.Errorf("what follows is now %q", rest)
	}
	// Nobody has to read what it does not want.
	if err := Frames(context.Background(), bytes.NewReader(packed), f, func(repo.Piece, io.Reader) error { return nil }); err != nil {
		t.Error(err)
	}
	wanted := errors.New("disk full")
	if err := Frames(context.Background(), bytes.NewReader(packed), f, func(repo.Piece, io.Reader) error { return wanted }); !errors.Is(err, wanted) {
		t.Error(err)
	}
}

func TestFramesRefuses(t *testing.T) {
	data := content(100_000, 1)
	packed := encode(t, data)
	all := []repo.Piece{piece(0, int64(len(data)))}
	frame := func(clen, ulen int, p ...repo.Piece) repo.Frame {
		return repo.Frame{CLen: int64(clen), ULen: int64(ulen), Objects: p}
	}
	noSize := func(data []byte) []byte { // the header does not say how long it is
		var b bytes.Buffer
		e, _ := zstd.NewWriter(&b)
		e.Write(data[:10])
		e.Flush()
		e.Write(data[10:])
		e.Close()
		return b.Bytes()
	}(data)
	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, packed...)
	twice := append(bytes.Clone(packed), packed...)
	wide := encode(t, make([]byte, 20<<20), zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false))
	for _, c := range []struct {
		name string
		data []byte
		f    repo.Frame
	}{
		{"truncated", packed[:len(packed)-1], frame(len(packed), len(data), all...)},
		{"cut after the header", packed[:8], frame(len(packed), len(data), all...)},
		{"nothing", nil, frame(len(packed), len(data), all...)},
		{"shorter than it says", packed, frame(len(packed), len(data)+1, piece(0, int64(len(data))+1))},
		{"longer than it says", packed, frame(len(packed), len(data)-1, piece(0, int64(len(data))-1))},
		{"shorter, and the header is silent", noSize, frame(len(noSize), len(data)+1, piece(0, int64(len(data))+1))},
		{"longer, and the header is silent", noSize, frame(len(noSize), len(data)-1, piece(0, int64(len(data))-1))},
		{"packed length too small", packed, frame(len(packed)-1, len(data), all...)},
		{"packed length too large", append(bytes.Clone(packed), "junk that is not zstd"...), frame(len(packed)+21, len(data), all...)},
		{"a second frame", twice, frame(len(twice), len(data), all...)},
		{"a frame to be skipped", skippable, frame(len(skippable), len(data), all...)},
		{"no zstd", []byte("this is plain text, not a frame"), frame(31, 31, piece(0, 31))},
		{"one flipped bit in the middle", flip(packed, 10), frame(len(packed), len(data)*2, piece(0, int64(len(data))*2))},
		{"window too large", wide, frame(len(wide), 20<<20, piece(0, 20<<20))},
		{"window of 2 GiB", []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0}, frame(9, 1, piece(0, 1))},
		{"packed length negative", packed, frame(-1, len(data), all...)},
		{"packed length zero", packed, frame(0, len(data), all...)},
		{"unpacked length zero", packed, frame(len(packed), 0)},
		{"unpacked length over a frame", packed, frame(len(packed), repo.MaxFrame+1, all...)},
		{"piece outside", packed, frame(len(packed), len(data), piece(1, int64(len(data))))},
		{"piece that wraps", packed, frame(len(packed), len(data), piece(1, 1<<63-1))},
		{"piece before the last", packed, frame(len(packed), len(data), piece(5, 5), piece(0, 5))},
		{"piece negative", packed, frame(len(packed), len(data), piece(0, -1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Frames(context.Background(), bytes.NewReader(c.data), c.f, discard); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x40
	return out
}

// 10 KiB that unpack to 64 MiB are a frame; 64 MiB that go on are a bomb. Of
// either only a window is ever in memory.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 256 {
		e.Write(zeros)
	}
	e.Close()
	f := repo.Frame{CLen: int64(b.Len()), ULen: repo.MaxFrame, Objects: []repo.Piece{piece(0, repo.MaxFrame)}}
	var before, after goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&before)
	n := int64(0)
	err = Frames(context.Background(), bytes.NewReader(b.Bytes()), f, func(p repo.Piece, r io.Reader) error {
		var err error
		n, err = io.Copy(io.Discard, r)
		return err
	})
	goruntime.ReadMemStats(&after)
	if err == nil || n > repo.MaxFrame {
		t.Errorf("%d bytes, %v", n, err)
	}
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 16<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestFramesStops(t *testing.T) {
	data := content(1<<20, 1)
	packed := encode(t, data)
	f := repo.Frame{CLen: int64(len(packed)), ULen: int64(len(data)), Objects: []repo.Piece{piece(0, int64(len(data)))}}
	ctx, cancel := context.WithCancel(context.Background())
	err := Frames(ctx, bytes.NewReader(packed), f, func(p repo.Piece, r io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	data := content(2000, 1)
	packed := encode(f, data)
	f.Add(packed, int64(len(packed)), int64(len(data)), int64(10), int64(100))
	f.Add(packed[:20], int64(20), int64(1), int64(0), int64(1))
	f.Fuzz(func(t *testing.T, packed []byte, clen, ulen, off, size int64) {
		frame := repo.Frame{CLen: clen, ULen: ulen % (1 << 20), Objects: []repo.Piece{piece(off, size)}}
		got := int64(-1)
		err := Frames(context.Background(), bytes.NewReader(packed), frame, func(p repo.Piece, r io.Reader) (err error) {
			got, err = io.Copy(io.Discard, r)
			return err
		})
		if err == nil && got != size {
			t.Errorf("%d bytes instead of %d", got, size)
		}
	})
}
