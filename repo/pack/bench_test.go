package pack

import (
	"bytes"
	"context"
	"io"
	"testing"
)

func BenchmarkWrite(b *testing.B) {
	var objects []Object
	size := int64(0)
	for i, n := range []int{8 << 20, 4 << 20, 1 << 20, 300_000} {
		objects = append(objects, object(content(n, uint64(i))))
		size += int64(n)
	}
	for i := range 500 {
		objects = append(objects, object(content(8_000, uint64(1000+i))))
		size += 8_000
	}
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Write(context.Background(), objects, func(int) (io.Writer, error) { return io.Discard, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	packs, data := write(b, []Object{object(content(8<<20, 1))}, 1)
	f := packs[0].Frames[0]
	b.SetBytes(f.ULen)
	b.ReportAllocs()
	for b.Loop() {
		if err := Frames(context.Background(), bytes.NewReader(data[0]), f, discard); err != nil {
			b.Fatal(err)
		}
	}
}
