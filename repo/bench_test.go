package repo

import (
	"fmt"
	"testing"
)

// bigTree has the size of a runtime with GTK, Qt and Mesa.
func bigTree(b *testing.B, n int) *Tree {
	t := helloTree(b)
	t.Entries, t.Files, t.Size = []Entry{{Path: "files", Type: Dir}}, 0, 0
	for i := range n {
		if i%20 == 0 {
			t.Entries = append(t.Entries, Entry{Path: fmt.Sprintf("files/share-%05d", i/20), Type: Dir})
		}
		t.Entries = append(t.Entries, Entry{
			Path: fmt.Sprintf("files/share-%05d/some-name-of-usual-length-%05d.so", i/20, i), Type: File,
			Object: Sum(fmt.Append(nil, i)), Size: int64(i + 1), Exec: i%3 == 0,
		})
		t.Files++
		t.Size += int64(i + 1)
	}
	return t
}

func BenchmarkDecodeTree(b *testing.B) {
	stored, err := EncodeTree(bigTree(b, 12_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ReportMetric(float64(len(stored)), "bytes")
	for b.Loop() {
		if _, err := DecodeTree(stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeTree(b *testing.B) {
	t := bigTree(b, 12_000)
	for b.Loop() {
		if _, err := EncodeTree(t); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLocator(b *testing.B) {
	l := &Locator{Packs: []PackInfo{{Sum(nil), 1 << 30}}}
	for i := range 12_000 {
		if i%20 == 0 {
			l.Frames = append(l.Frames, Frame{Offset: int64(i) * 100, CLen: 1000, ULen: 100_000})
		}
		f := &l.Frames[len(l.Frames)-1]
		f.Objects = append(f.Objects, Piece{Object: Sum(fmt.Append(nil, i)), Off: int64(i%20) * 100, Len: 100})
	}
	stored, err := EncodeLocator(l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeLocator(stored); err != nil {
			b.Fatal(err)
		}
	}
}
