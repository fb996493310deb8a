package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sandbox/repo"
)

func object(data []byte) Object {
	return Object{repo.Sum(data), int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// content is half noise, half words, and differs for every seed.
func content(size int, seed uint64) []byte {
	if size > 8<<20 { // enough to tell the parts apart
		return bytes.Repeat(content(5<<20+1, seed), size>>22)[:size]
	}
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, 0, size+32)
	for len(out) < size {
		out = fmt.Appendf(out, "%d the same words again %x\n", seed, r.Uint32())
	}
	return out[:size]
}

func write(t testing.TB, objects []Object, workers int) ([]Pack, [][]byte) {
	t.Helper()
	frames, err := plan(objects)
	if err != nil {
		t.Fatal(err)
	}
	var files []*bytes.Buffer
	w := &writer{objects: objects, frames: frames, create: func(i int) (io.Writer, error) {
		if i != len(files) {
			t.Errorf("pack %d follows %d", i, len(files))
		}
		files = append(files, &bytes.Buffer{})
		return files[i], nil
	}}
	if err := w.run(context.Background(), workers); err != nil {
		t.Fatal(err)
	}
	var data [][]byte
	for i, f := range files {
		if w.packs[i].Digest != repo.Sum(f.Bytes()) || w.packs[i].Length != int64(f.Len()) {
			t.Errorf("pack %d is not what Write says", i)
		}
		data = append(data, f.Bytes())
	}
	return w.packs, data
}

// unpack reads every frame back and gives the objects.
func unpack(t testing.TB, packs []Pack, data [][]byte) map[repo.Digest][]byte {
	t.Helper()
	got := map[repo.Digest][]byte{}
	for i, p := range packs {
		for _, f := range p.Frames {
			err := Frames(context.Background(), bytes.NewReader(data[i][f.Offset:]), f, func(p repo.Piece, r io.Reader) error {
				b, err := io.ReadAll(r)
				got[p.Object] = append(got[p.Object], b...)
				return err
			})
			if err != nil {
				t.Fatalf("pack %d, frame at %d: %v", i, f.Offset, err)
			}
		}
	}
	return got
}

func locator(packs []Pack) *repo.Locator {
	l := &repo.Locator{}
	for i, p := range packs {
		l.Packs = append(l.Packs, p.PackInfo)
		for _, f := range p.Frames {
			f.Pack = i
			l.Frames = append(l.Frames, f)
		}
	}
	return l
}

func TestWriteAndRead(t *testing.T) {
	var objects []Object
	want := map[repo.Digest][]byte{}
	for i, size := range []int{1, 100, 300_000, 5, 200_000, 100_000, small, small - 1, small + 1, 5 << 20, 7, 9, large, large + 1, 4, 3*large + 12345, 3} {
		data := content(size, uint64(i))
		objects = append(objects, object(data))
		want[repo.Sum(data)] = data
	}
	packs, data := write(t, objects, 2)
	got := unpack(t, packs, data)
	if len(got) != len(want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	for d, b := range want {
		if !bytes.Equal(got[d], b) {
			t.Errorf("object of %d bytes is another", len(b))
		}
	}
	stored, err := repo.EncodeLocator(locator(packs))
	if err != nil {
		t.Fatalf("the frames are no locator: %v", err)
	}
	if l, err := repo.DecodeLocator(stored); err != nil || !reflect.DeepEqual(l, locator(packs)) {
		t.Error(err)
	}

	again, _ := write(t, objects, 1)
	if !reflect.DeepEqual(again, packs) {
		t.Error("another number of workers gave other packs")
	}
}

func TestPlan(t *testing.T) {
	sized := func(sizes ...int64) (objects []Object) {
		for i, s := range sizes {
			objects = append(objects, Object{Digest: repo.Sum([]byte{byte(i)}), Size: s})
		}
		return objects
	}
	const kb = 1 << 10
	for _, c := range []struct {
		name, want string
		objects    []Object
	}{
		{"nothing", "", nil},
		{"small ones share", "[0 1 2]", sized(10, 20, 30)},
		{"up to the limit", "[0 1] [2]", sized(128*kb, 128*kb, 1)},
		{"large ones do not", "[0 2] [1]", sized(10, 256*kb, 10)},
		{"one byte less is small", "[0 1]", sized(1, 256*kb-1)},
		{"as large as a frame", "[0]", sized(large)},
		{"larger", "[0]1/2 [0]2/2 [1]", sized(large+1, 5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames, err := plan(c.objects)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range frames {
				s := fmt.Sprint(f.objects)
				if f.parts > 0 {
					s += fmt.Sprintf("%d/%d", f.part, f.parts)
				}
				got = append(got, s)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for name, objects := range map[string][]Object{
		"empty":    sized(0),
		"negative": sized(-1),
		"twice":    {sized(1)[0], sized(1)[0]},
		"nameless": {{Size: 1}},
		"absurd":   sized(1 << 62),
	} {
		if _, err := plan(objects); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSplit(t *testing.T) {
	w := &writer{create: func(i int) (io.Writer, error) { return io.Discard, nil }, objects: []Object{{Digest: repo.Sum(nil), Size: 3 * repo.MaxFrame}}}
	whole, first, second := &frame{objects: []int{0}, size: 1}, &frame{objects: []int{0}, size: 1, part: 1, parts: 2}, &frame{objects: []int{0}, size: 1, part: 2, parts: 2}
	half := make([]byte, Split/2)
	for _, c := range []struct {
		f    *frame
		data []byte
		want int // packs
	}{{whole, half, 1}, {first, half, 1}, {second, half, 1}, {whole, half[:1], 2}, {whole, half, 2}, {whole, half, 2}, {first, half[:1], 3}} {
		if err := w.write(c.f, c.data); err != nil {
			t.Fatal(err)
		}
		if len(w.packs) != c.want {
			t.Errorf("%d packs, want %d", len(w.packs), c.want)
		}
	}
}

func TestWriteNothing(t *testing.T) {
	packs, err := Write(context.Background(), nil, func(int) (io.Writer, error) { return nil, errors.New("called") })
	if err != nil || len(packs) != 0 {
		t.Errorf("%v, %v", packs, err)
	}
}

func TestWriteFails(t *testing.T) {
	small1, big := content(1000, 1), content(300_000, 2)
	huge := make([]byte, large+10)
	lying := func(o Object, data []byte) Object {
		o.Open = object(data).Open
		return o
	}
	broken := errors.New("broken")
	sink := func(int) (io.Writer, error) { return io.Discard, nil }
	for _, c := range []struct {
		name, want string
		object     Object
		create     func(int) (io.Writer, error)
	}{
		{"small file changed", "changed", lying(object(small1), content(1000, 9)), sink},
		{"small file grew", "changed", lying(object(small1), append(content(1000, 1), 'x')), sink},
		{"small file shrank", "EOF", lying(object(small1), small1[:999]), sink},
		{"large file changed", "changed", lying(object(big), content(300_000, 9)), sink},
		{"large file grew", "changed", lying(object(big), append(content(300_000, 2), 'x')), sink},
		{"large file shrank", "changed", lying(object(big), big[:len(big)-1]), sink},
		{"huge file changed", "changed", lying(object(huge), append(make([]byte, large+9), 1)), sink},
		{"huge file grew", "changed", lying(object(huge), make([]byte, large+11)), sink},
		{"huge file shrank", "EOF", lying(object(huge), huge[:large+5]), sink},
		{"file cannot be opened", "broken", Object{repo.Sum(small1), 1000, func() (io.ReadCloser, error) { return nil, broken }}, sink},
		{"huge file cannot be opened", "broken", Object{repo.Sum(huge), int64(len(huge)), func() (io.ReadCloser, error) { return nil, broken }}, sink},
		{"no pack", "broken", object(small1), func(int) (io.Writer, error) { return nil, broken }},
		{"disk full", "broken", object(small1), func(int) (io.Writer, error) { return failing{broken}, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects := []Object{object([]byte("before")), c.object, object([]byte("after"))}
			_, err := Write(context.Background(), objects, c.create)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Write(ctx, []Object{object(small1)}, sink); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
