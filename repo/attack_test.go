package repo

import (
	"bytes"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// decoders of the three kinds of documents, to see what each makes of a file.
var decoders = map[string]func(stored []byte) error{
	treeType:      func(b []byte) error { _, err := DecodeTree(b); return err },
	locatorType:   func(b []byte) error { _, err := DecodeLocator(b); return err },
	catalogueType: func(b []byte) error { _, err := DecodeCatalogue(b); return err },
}

func documents(t testing.TB) map[string][]byte {
	t.Helper()
	tree, err := EncodeTree(helloTree(t))
	if err != nil {
		t.Fatal(err)
	}
	locator, err := EncodeLocator(testLocator())
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := EncodeCatalogue([]CatalogueRow{{Ref: helloRef, N: 1, Version: "1", Name: "Hello", Permissions: Sum(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{treeType: tree, locatorType: locator, catalogueType: catalogue}
}

// GHSA-5j5w-g665-5m35: one document, two readings.
func TestNoDocumentIsOfTwoTypes(t *testing.T) {
	for of, stored := range documents(t) {
		for as, decode := range decoders {
			if err := decode(stored); (err == nil) != (of == as) {
				t.Errorf("%s read as %s: %v", of, as, err)
			}
		}
	}
	// A header with the keys of all of them.
	both := `{"type":"sandbox-tree","format":1,"kind":"app","id":"","arch":"","version":"","runtime":"","toml":"","files":0,"size":0,"pack":"","ref":""}`
	for as, decode := range decoders {
		if decode(lines(t, both)) == nil {
			t.Errorf("a mixed header was read as %s", as)
		}
	}
}

// Bombs end at the limit, before they have filled the memory.
func TestBombs(t *testing.T) {
	endless := func(line string, size int, o ...zstd.EOption) []byte {
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, append([]zstd.EOption{zstd.WithWindowSize(1 << 20)}, o...)...)
		if err != nil {
			t.Fatal(err)
		}
		block := []byte(strings.Repeat(line, 1+(1<<20)/len(line)))
		for n := 0; n < size; n += len(block) {
			e.Write(block)
		}
		e.Close()
		return b.Bytes()
	}
	typed := func(of string) []byte { return lines(t, `{"type":"`+of+`","format":1}`) }
	const much = 192 << 20 // over all limits
	bombs := map[string][]byte{
		"one line without an end": endless("x", much),
		"empty lines":             endless("\n", much),
		"nested arrays":           endless("[", much),
		"empty objects":           endless("{}\n", much),
		"long text":               endless(`{"type":"`, much),
		"window of 16 MiB":        endless("x", 32<<20, zstd.WithWindowSize(16<<20)),
		"window of 2 GiB":         {0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0},
		"a frame that says 1 EiB": {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0},
		"more than it may have":   make([]byte, 64<<20+1),
	}
	for as, decode := range decoders {
		for of := range decoders {
			bombs["behind the header of "+of] = append(typed(of), bombs["empty objects"]...)
			bombs["with the header of "+of] = compress(t, `{"type":"`+of+`","format":1}`+"\n"+strings.Repeat("{}\n", 1<<20))
		}
		for name, stored := range bombs {
			t.Run(as+"/"+name, func(t *testing.T) {
				var before, after goruntime.MemStats
				goruntime.ReadMemStats(&before)
				err := decode(stored)
				goruntime.ReadMemStats(&after)
				if err == nil {
					t.Fatal("accepted")
				}
				// The longest line that may be is that of a manifest, 6 MiB,
				// for which the buffer grows by doubling.
				if n := after.TotalAlloc - before.TotalAlloc; n > 48<<20 {
					t.Errorf("%d bytes were allocated: %v", n, err)
				}
			})
		}
	}
}

func TestTruncated(t *testing.T) {
	for of, stored := range documents(t) {
		for n := range len(stored) {
			if decoders[of](stored[:n]) == nil {
				t.Fatalf("%s: %d of %d bytes were accepted", of, n, len(stored))
			}
		}
		if decoders[of](append(slices.Clone(stored), "more"...)) == nil {
			t.Errorf("%s: something behind it was accepted", of)
		}
		if decoders[of](append(slices.Clone(stored), stored...)) == nil {
			t.Errorf("%s: twice in one file was accepted", of)
		}
	}
}

// The last line without its end: a writer that was cut, and a zstd frame that
// was made anew around it.
func TestCutLine(t *testing.T) {
	for of := range decoders {
		if decoders[of](compress(t, `{"type":"`+of+`","format":1}`)) == nil {
			t.Errorf("%s: a line without an end was accepted", of)
		}
	}
}

func TestTooManyEntries(t *testing.T) {
	tree := helloTree(t)
	tree.Entries = []Entry{{Path: "files", Type: Dir}}
	for i := range MaxEntries {
		tree.Entries = append(tree.Entries, Entry{Path: fmt.Sprintf("files/%07d", i), Type: Dir})
	}
	tree.Files, tree.Size = 0, 0
	_, err := EncodeTree(tree)
	wantError(t, err, "entries")
	w := newLineWriter()
	w.line(treeHeader{treeType, Format, string(tree.Kind), string(tree.ID), tree.Arch, tree.Version, tree.Runtime, string(tree.TOML), 0, 0})
	for _, e := range tree.Entries {
		w.line(treeLine{Path: e.Path, Type: "d"})
	}
	stored, err := w.stored(treeLimits)
	if err != nil {
		t.Fatal(err)
	}
	_, err = DecodeTree(stored)
	wantError(t, err, "entries")
}

// A tree that DecodeTree takes can be written, and read again as the same.
func FuzzDecodeTree(f *testing.F) {
	for _, text := range [][]string{
		{head("0", "0"), `{"p":"files","t":"d"}`},
		{head("1", "1"), `{"p":"files","t":"d"}`, file("files/x", "x"), `{"p":"files/y","t":"l","l":"x"}`},
		{head("0", "0"), `{"p":"files","t":"d"}`, `{"p":"files/y","t":"l","l":"../../etc"}`},
	} {
		f.Add([]byte(strings.Join(text, "\n") + "\n"))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		tree, err := DecodeTree(compress(t, string(plain)))
		if err != nil {
			return
		}
		stored, err := EncodeTree(tree)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := DecodeTree(stored)
		if err != nil || !slices.Equal(again.Entries, tree.Entries) || !bytes.Equal(again.TOML, tree.TOML) {
			t.Fatalf("read as another: %v", err)
		}
		for _, e := range tree.Entries {
			if strings.Contains("/"+e.Path+"/", "/../") || strings.HasPrefix(e.Path, "/") || strings.ContainsAny(e.Path, "\\\x00\n") {
				t.Fatalf("accepted the name %q", e.Path)
			}
		}
	})
}

func FuzzDecodeLocator(f *testing.F) {
	h := `{"type":"sandbox-locator","format":1}` + "\n"
	hex := Sum(nil).String()
	f.Add([]byte(h))
	f.Add([]byte(h + `{"pack":"` + hex + `","length":10}` + "\n" + `{"k":0,"off":0,"clen":10,"ulen":10}` + "\n" + `{"o":"` + hex + `","at":0,"len":10}` + "\n"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		l, err := DecodeLocator(compress(t, string(plain)))
		if err != nil {
			return
		}
		for _, fr := range l.Frames {
			if fr.Offset+fr.CLen > l.Packs[fr.Pack].Length || fr.Offset < 0 || fr.ULen > MaxFrame {
				t.Fatalf("accepted the frame %+v", fr)
			}
			for _, p := range fr.Objects {
				if p.Off < 0 || p.Len <= 0 || p.Off+p.Len > fr.ULen {
					t.Fatalf("accepted the piece %+v", p)
				}
			}
		}
		if _, err := EncodeLocator(l); err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
	})
}

func FuzzDecodeStored(f *testing.F) {
	for _, stored := range documents(f) {
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		n := 0
		for _, decode := range decoders {
			if decode(stored) == nil {
				n++
			}
		}
		if n > 1 {
			t.Error("a document of two types")
		}
	})
}
