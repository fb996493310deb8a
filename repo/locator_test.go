package repo

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func testLocator() *Locator {
	d := func(s string) Digest { return Sum([]byte(s)) }
	return &Locator{
		Packs: []PackInfo{{d("p0"), 1000}, {d("p1"), 500}},
		Frames: []Frame{
			{0, 0, 100, 300, []Piece{{d("a"), 0, 100, 0, 0}, {d("b"), 150, 150, 0, 0}}},
			{0, 200, 400, 1000, []Piece{{d("big"), 0, 1000, 1, 2}}},
			{0, 600, 400, 900, []Piece{{d("big"), 0, 900, 2, 2}}},
			{1, 0, 500, 700, []Piece{{d("c"), 0, 700, 0, 0}}},
		},
	}
}

func TestLocator(t *testing.T) {
	want := testLocator()
	stored, err := EncodeLocator(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeLocator(stored)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if again, _ := EncodeLocator(got); !bytes.Equal(again, stored) {
		t.Error("the same locator gave other bytes")
	}
	if at := got.Find(); len(at) != 4 || at[Sum([]byte("big"))] != 1 || at[Sum([]byte("c"))] != 3 {
		t.Errorf("%v", at)
	}
	empty, err := EncodeLocator(&Locator{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeLocator(empty); err != nil {
		t.Errorf("a tree without content: %v", err)
	}
}

// B37: offsets and lengths are 64 bits wide, and their sums do not wrap. Continuous
// integration runs this where int has 32.
func TestLocatorRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(l *Locator)
	}{
		{"pack out of range", func(l *Locator) { l.Frames[3].Pack = 2 }},
		{"pack negative", func(l *Locator) { l.Frames[0].Pack = -1 }},
		{"pack twice", func(l *Locator) { l.Packs[1].Digest = l.Packs[0].Digest }},
		{"pack without a digest", func(l *Locator) { l.Packs[0].Digest = Digest{} }},
		{"pack empty", func(l *Locator) { l.Packs[1].Length = 0 }},
		{"pack absurd", func(l *Locator) { l.Packs[1].Length = 1 << 62 }},
		{"frame beyond its pack", func(l *Locator) { l.Frames[3].CLen = 501 }},
		{"offset negative", func(l *Locator) { l.Frames[0].Offset = -1 }},
		{"offset that wraps", func(l *Locator) { l.Frames[3].Offset = 1<<63 - 1 }},
		{"length negative", func(l *Locator) { l.Frames[0].CLen = -100 }},
		{"length zero", func(l *Locator) { l.Frames[0].CLen = 0 }},
		{"unpacked negative", func(l *Locator) { l.Frames[0].ULen = -1 }},
		{"unpacked too large", func(l *Locator) { l.Frames[3].ULen = MaxFrame + 1 }},
		{"small object in a huge frame", func(l *Locator) { l.Frames[3].ULen = MaxShared + 1 }},
		{"frames overlap", func(l *Locator) { l.Frames[1].Offset = 99 }},
		{"frames not in order", func(l *Locator) { l.Frames[0], l.Frames[3] = l.Frames[3], l.Frames[0] }},
		{"frame without objects", func(l *Locator) { l.Frames[3].Objects = nil }},
		{"objects overlap", func(l *Locator) { l.Frames[0].Objects[1].Off = 99 }},
		{"object beyond its frame", func(l *Locator) { l.Frames[0].Objects[1].Len = 151 }},
		{"object negative", func(l *Locator) { l.Frames[0].Objects[1].Off = -1 }},
		{"object length negative", func(l *Locator) { l.Frames[0].Objects[1].Len = -1 }},
		{"object length that wraps", func(l *Locator) { l.Frames[0].Objects[1].Len = 1<<63 - 1 }},
		{"object empty", func(l *Locator) { l.Frames[0].Objects[1].Len = 0 }},
		{"object without a digest", func(l *Locator) { l.Frames[0].Objects[1].Object = Digest{} }},
		{"object twice", func(l *Locator) { l.Frames[3].Objects[0].Object = l.Frames[0].Objects[0].Object }},
		{"part missing at the end", func(l *Locator) { l.Frames = l.Frames[:2] }},
		{"part missing before the end", func(l *Locator) { l.Frames = append(l.Frames[:2:2], l.Frames[3]) }},
		{"part missing at the start", func(l *Locator) { l.Frames = append(l.Frames[:1:1], l.Frames[2:]...) }},
		{"part twice", func(l *Locator) { l.Frames[2].Objects[0].Part = 1 }},
		{"part of another", func(l *Locator) { l.Frames[2].Objects[0].Object = Sum([]byte("x")) }},
		{"part of one", func(l *Locator) { l.Frames[3].Objects[0].Part, l.Frames[3].Objects[0].Parts = 1, 1 }},
		{"part zero", func(l *Locator) { l.Frames[1].Objects[0].Part = 0 }},
		{"part without parts", func(l *Locator) { l.Frames[1].Objects[0].Parts = 0 }},
		{"parts absurd", func(l *Locator) { l.Frames[1].Objects[0].Parts = 1 << 30 }},
		{"part not next to the last", func(l *Locator) { l.Frames[2].Offset, l.Frames[2].CLen = 601, 399 }},
		{"part in another pack", func(l *Locator) { l.Frames[2].Pack, l.Frames[3].Offset, l.Frames[3].CLen = 1, 1, 1 }},
		{"part does not fill its frame", func(l *Locator) { l.Frames[2].Objects[0].Len = 899 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := testLocator()
			c.change(l)
			if _, err := EncodeLocator(l); err == nil {
				t.Fatal("written")
			}
			// Past the writer's own checks, as a hostile one would.
			if _, err := DecodeLocator(rawLocator(t, l)); err == nil {
				t.Error("read")
			}
		})
	}
}

func rawLocator(t *testing.T, l *Locator) []byte {
	w := newLineWriter()
	w.line(locatorHeader{locatorType, Format})
	for i := range l.Packs {
		w.line(locatorLine{Pack: &l.Packs[i].Digest, Length: &l.Packs[i].Length})
	}
	for i := range l.Frames {
		f := &l.Frames[i]
		w.line(locatorLine{K: &f.Pack, Off: &f.Offset, CLen: &f.CLen, ULen: &f.ULen})
		for j := range f.Objects {
			p := &f.Objects[j]
			w.line(locatorLine{Object: &p.Object, At: &p.Off, Len: &p.Len, Part: p.Part, Parts: p.Parts})
		}
	}
	stored, err := w.stored(locatorLimits)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestLocatorLines(t *testing.T) {
	hex := Sum([]byte("x")).String()
	h := `{"type":"sandbox-locator","format":1}`
	pack := `{"pack":"` + hex + `","length":10}`
	frame := `{"k":0,"off":0,"clen":10,"ulen":10}`
	object := `{"o":"` + hex + `","at":0,"len":10}`
	for _, c := range []struct {
		name string
		ok   bool
		text []string
	}{
		{"plain", true, []string{h, pack, frame, object}},
		{"object before any frame", false, []string{h, pack, object, frame}},
		{"pack after a frame", false, []string{h, pack, frame, object, `{"pack":"` + Sum(nil).String() + `","length":10}`}},
		{"frame without a key", false, []string{h, pack, `{"k":0,"off":0,"clen":10}`, object}},
		{"two things in one", false, []string{h, pack, frame, `{"o":"` + hex + `","at":0,"len":10,"k":0}`}},
		{"part of a frame", false, []string{h, pack, `{"k":0,"off":0,"clen":10,"ulen":10,"part":1,"parts":2}`, object}},
		{"part without parts", false, []string{h, pack, frame, `{"o":"` + hex + `","at":0,"len":10,"part":1}`}},
		{"empty object", false, []string{h, pack, frame, `{}`}},
		{"key twice", false, []string{h, pack, frame, `{"o":"` + hex + `","at":5,"at":0,"len":10}`}},
		{"key in another case", false, []string{h, pack, frame, `{"O":"` + hex + `","at":0,"len":10}`}},
		{"a tree", false, []string{head("0", "0"), `{"p":"files","t":"d"}`}},
		{"a catalogue", false, []string{`{"type":"sandbox-catalogue","format":1}`}},
		{"a number as text", false, []string{h, pack, `{"k":"0","off":0,"clen":10,"ulen":10}`, object}},
		{"a fraction", false, []string{h, pack, `{"k":0,"off":0.5,"clen":10,"ulen":10}`, object}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := DecodeLocator(lines(t, c.text...)); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCatalogue(t *testing.T) {
	row := CatalogueRow{
		Ref: helloRef, N: 3, Version: "1.0", Name: "Hello", Summary: "Says hello", License: "MIT", Homepage: "https://example.org",
		Permissions: Sum(nil), Installed: 5, Download: 4, Icon: []byte("\x89PNG\r\n\x1a\nrest"),
	}
	second := row
	second.Ref.Channel, second.Icon = "zeta", nil
	want := []CatalogueRow{row, second}
	stored, err := EncodeCatalogue(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeCatalogue(stored)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, change := range map[string]func(r *CatalogueRow){
		"no number":              func(r *CatalogueRow) { r.N = 0 },
		"icon is a script":       func(r *CatalogueRow) { r.Icon = []byte("#!/bin/sh") },
		"icon is huge":           func(r *CatalogueRow) { r.Icon = append(r.Icon, make([]byte, MaxIcon)...) },
		"escape in the name":     func(r *CatalogueRow) { r.Name = "\x1b[2J" },
		"line end in a summary":  func(r *CatalogueRow) { r.Summary = "a\nb" },
		"endless summary":        func(r *CatalogueRow) { r.Summary = strings.Repeat("a", 201) },
		"no permissions":         func(r *CatalogueRow) { r.Permissions = Digest{} },
		"size negative":          func(r *CatalogueRow) { r.Installed = -1 },
		"not in order, or twice": func(r *CatalogueRow) { r.Ref = second.Ref },
	} {
		bad := row
		bad.Icon = bytes.Clone(row.Icon)
		change(&bad)
		if _, err := EncodeCatalogue([]CatalogueRow{bad, second}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCovers(t *testing.T) {
	tree := helloTree(t)
	o := tree.Objects()[0]
	of := func(d Digest, size int64) *Locator {
		return &Locator{Packs: []PackInfo{{Sum(nil), 10}}, Frames: []Frame{{0, 0, 10, size, []Piece{{d, 0, size, 0, 0}}}}}
	}
	if err := of(o.Object, o.Size).Covers(tree); err != nil {
		t.Error(err)
	}
	for name, l := range map[string]*Locator{"empty": {}, "shorter": of(o.Object, o.Size-1), "another": of(Sum([]byte("x")), o.Size)} {
		if l.Covers(tree) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
