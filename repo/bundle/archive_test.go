package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// member is one entry of a test archive.
type member struct {
	name, body, link string
	kind             byte
	mode             int64
	records          map[string]string
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Mode: m.mode, Size: int64(len(m.body)), PAXRecords: m.records}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if m.records != nil {
			h.Format = tar.FormatPAX
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			*h = tar.Header{Typeflag: h.Typeflag, PAXRecords: m.records}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sandboxed is a tree in a directory beside which a canary lies.
func sandboxed(t testing.TB, limits Limits) (tr *tree, dir string) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	canary := filepath.Join(top, "canary")
	if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		data, err := os.ReadFile(canary)
		st, _ := os.Stat(canary)
		names, _ := os.ReadDir(top)
		if err != nil || string(data) != "alive" || st.Mode() != 0o600 || len(names) != 2 {
			t.Errorf("outside the tree: canary %q %v, %d names, %v", data, st.Mode(), len(names), err)
		}
	})
	tr, err := newTree(dir, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	if err := tr.mkdir("files"); err != nil {
		t.Fatal(err)
	}
	return tr, dir
}

func tempFile(t testing.TB, data []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

// unpackInto unpacks data and checks the links, as a build does.
func unpackInto(t testing.TB, tr *tree, dir string, data []byte, strip int) error {
	t.Helper()
	if err := tr.addArchive(tempFile(t, data), int64(len(data)), "files", strip); err != nil {
		return err
	}
	s := &scanner{root: tr.root, links: newLinkSpace(false), folded: map[string]string{}}
	if err := s.top(false); err != nil {
		return err
	}
	for p, n := range tr.nodes {
		if n.kind == linkKind {
			if err := s.links.check(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// B25, B28, B29, B31, B32, B34: members that leave the tree, links, devices,
// attributes, names that collide.
func TestHostileTar(t *testing.T) {
	dir, link, hard := byte(tar.TypeDir), byte(tar.TypeSymlink), byte(tar.TypeLink)
	for _, c := range []struct {
		name    string
		members []member
		want    string
	}{
		{"traversal", []member{{name: "../canary", body: "dead"}}, `".."`},
		{"traversal behind a good file", []member{{name: "ok"}, {name: "a/../../canary", body: "dead"}}, `".."`},
		{"absolute", []member{{name: "/tmp/canary", body: "dead"}}, "absolute"},
		{"backslash", []member{{name: `..\canary`, body: "dead"}}, "backslash"},
		{"link out", []member{{name: "l", kind: link, link: "../../canary"}}, "out of the bundle"},
		{"absolute link out", []member{{name: "l", kind: link, link: "/etc/passwd"}}, "outside the bundle"},
		{"file through a link", []member{{name: "l", kind: link, link: "../.."}, {name: "l/canary", body: "dead"}}, "symbolic link"},
		{"directory over a link", []member{{name: "l", kind: link, link: "../.."}, {name: "l", kind: dir, mode: 0o777}}, "symbolic link"},
		{"file over a link", []member{{name: "l", kind: link, link: "../../canary"}, {name: "l", body: "dead", mode: 0o777}}, "twice"},
		{"file below a file", []member{{name: "f"}, {name: "f/g"}}, "is a file"},
		{"hard link out", []member{{name: "h", kind: hard, link: "../canary"}}, `".."`},
		{"hard link to an absolute path", []member{{name: "h", kind: hard, link: "/etc/passwd"}}, "absolute"},
		{"hard link to a symbolic link", []member{{name: "l", kind: link, link: "../../canary"}, {name: "h", kind: hard, link: "l"}}, "no earlier regular file"},
		{"hard link to a later file", []member{{name: "h", kind: hard, link: "f"}, {name: "f"}}, "no earlier regular file"},
		{"hard link to a directory", []member{{name: "d", kind: dir}, {name: "h", kind: hard, link: "d"}}, "no earlier regular file"},
		{"character device", []member{{name: "n", kind: tar.TypeChar}}, "device"},
		{"block device", []member{{name: "n", kind: tar.TypeBlock}}, "device"},
		{"FIFO", []member{{name: "n", kind: tar.TypeFifo}}, "FIFO"},
		{"contiguous file", []member{{name: "n", kind: tar.TypeCont}}, "type"},
		{"vendor type", []member{{name: "n", kind: 'V'}}, "type"},
		{"setuid", []member{{name: "su", mode: 0o4755}}, "setuid"},
		{"setgid", []member{{name: "sg", mode: 0o2755}}, "setgid"},
		{"capability", []member{{name: "p", records: map[string]string{"SCHILY.xattr.security.capability": "\x01"}}}, "extended header"},
		{"overlay attribute", []member{{name: "d", kind: dir, records: map[string]string{"SCHILY.xattr.user.overlay.opaque": "y"}}}, "extended header"},
		{"access list", []member{{name: "p", records: map[string]string{"SCHILY.acl.access": "user::rwx"}}}, "extended header"},
		{"global header with a path", []member{{kind: tar.TypeXGlobalHeader, records: map[string]string{"path": "../canary"}}, {name: "f"}}, "extended header"},
		{"duplicate", []member{{name: "f", body: "1"}, {name: "f", body: "2"}}, "twice"},
		{"case collision", []member{{name: "Makefile"}, {name: "makefile"}}, "case"},
		{"collision of compatible letters", []member{{name: "\ufb01le"}, {name: "file"}}, "case"},
		{"decomposed name", []member{{name: "cafe\u0301"}}, "normal form"},
		{"whiteout", []member{{name: ".wh.bin"}}, "deletion"},
		{"deep", []member{{name: strings.Repeat("d/", 70) + "f"}}, "deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, dir := sandboxed(t, Limits{})
			err := unpackInto(t, tr, dir, tarOf(t, c.members...), 0)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
}

func TestTar(t *testing.T) {
	members := []member{
		{kind: tar.TypeXGlobalHeader, records: map[string]string{"comment": "0123456789abcdef"}},
		{name: "tool-1.0/", kind: tar.TypeDir, mode: 0o2775},
		{name: "tool-1.0/bin/tool", body: "#!/bin/sh\n", mode: 0o755},
		{name: "tool-1.0/bin/again", kind: tar.TypeLink, link: "tool-1.0/bin/tool"},
		{name: "tool-1.0/bin/t", kind: tar.TypeSymlink, link: "../bin/tool"},
		{name: "tool-1.0/share/doc", body: "text", mode: 0o600},
		{name: "README", body: "lost to strip"},
	}
	plain := tarOf(t, members...)
	for _, c := range []struct {
		name string
		pack func(io.Writer) io.WriteCloser
	}{
		{"tar", func(w io.Writer) io.WriteCloser { return nopCloser{w} }},
		{"tar.gz", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
		{"tar.xz", func(w io.Writer) io.WriteCloser { z, _ := xz.NewWriter(w); return z }},
		{"tar.zst", func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := c.pack(&b)
			w.Write(plain)
			w.Close()
			tr, dir := sandboxed(t, Limits{})
			if err := unpackInto(t, tr, dir, b.Bytes(), 1); err != nil {
				t.Fatal(err)
			}
			want := map[string]fs.FileMode{"bin/tool": 0o755, "bin/again": 0o755, "share/doc": 0o644}
			for name, mode := range want {
				st, err := os.Lstat(filepath.Join(dir, "files", name))
				if err != nil || st.Mode() != mode {
					t.Errorf("%s: %v, %v", name, st, err)
				}
			}
			if target, err := os.Readlink(filepath.Join(dir, "files/bin/t")); target != "../bin/tool" {
				t.Errorf("link: %q, %v", target, err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "files/README")); err == nil {
				t.Error("strip kept a file of the top")
			}
		})
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func zipOf(t testing.TB, method uint16, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: method}
		h.SetMode(fs.FileMode(m.mode))
		out, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(m.name, "/") {
			io.WriteString(out, m.body)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZip(t *testing.T) {
	link := int64(fs.ModeSymlink | 0o777)
	for _, c := range []struct {
		name    string
		members []member
		want    string
	}{
		{"program, link and directory", []member{{name: "d/", mode: int64(fs.ModeDir | 0o755)}, {name: "d/p", mode: 0o755}, {name: "l", mode: link, body: "d/p"}}, ""},
		{"traversal", []member{{name: "../canary", mode: 0o644, body: "dead"}}, `".."`},
		{"absolute", []member{{name: "/canary", mode: 0o644}}, "absolute"},
		{"backslash", []member{{name: `..\canary`, mode: 0o644}}, "backslash"},
		{"link out", []member{{name: "l", mode: link, body: "../../canary"}}, "out of the bundle"},
		{"file through a link", []member{{name: "l", mode: link, body: "../.."}, {name: "l/canary", mode: 0o644}}, "symbolic link"},
		{"endless link", []member{{name: "l", mode: link, body: strings.Repeat("x", 5000)}}, "longer"},
		{"setuid", []member{{name: "su", mode: int64(fs.ModeSetuid | 0o755)}}, "setuid"},
		{"device", []member{{name: "n", mode: int64(fs.ModeDevice | 0o644)}}, "type"},
		{"FIFO", []member{{name: "n", mode: int64(fs.ModeNamedPipe | 0o644)}}, "type"},
		{"socket", []member{{name: "n", mode: int64(fs.ModeSocket | 0o644)}}, "type"},
		{"duplicate", []member{{name: "f", mode: 0o644}, {name: "f", mode: 0o644}}, "twice"},
		{"case collision", []member{{name: "F", mode: 0o644}, {name: "f", mode: 0o644}}, "case"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, dir := sandboxed(t, Limits{})
			err := unpackInto(t, tr, dir, zipOf(t, zip.Deflate, c.members...), 0)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
}

// A zip that claims a size other than the real one must not be believed.
func TestZipLies(t *testing.T) {
	data := zipOf(t, zip.Deflate, member{name: "f", mode: 0o644, body: strings.Repeat("a", 5000)})
	at := bytes.Index(data, []byte("PK\x01\x02"))
	lie := bytes.Clone(data)
	copy(lie[at+24:], []byte{1, 0, 0, 0}) // uncompressed size in the central directory
	tr, dir := sandboxed(t, Limits{})
	if err := unpackInto(t, tr, dir, lie, 0); err == nil {
		t.Error("accepted a member larger than it claims")
	}
	tr, dir = sandboxed(t, Limits{})
	if err := unpackInto(t, tr, dir, data, 0); err != nil {
		t.Error("the honest twin was refused:", err)
	}
}

// B35: far more comes out than goes in.
func TestBombs(t *testing.T) {
	zeros := func(w io.Writer, n int64) { io.CopyN(w, zeroReader{}, n) }
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	w := tar.NewWriter(g)
	w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: 200 << 20})
	zeros(w, 200<<20)
	w.Close()
	g.Close()

	for _, c := range []struct {
		name   string
		data   []byte
		limits Limits
		ok     bool
	}{
		{"ratio", gz.Bytes(), Limits{}, false},
		{"ratio allowed", gz.Bytes(), Limits{Ratio: 2000}, true},
		{"bytes", gz.Bytes(), Limits{Ratio: 2000, Bytes: 100 << 20}, false},
		{"entries", tarOf(t, member{name: "a"}, member{name: "b"}, member{name: "c"}), Limits{Entries: 3}, false},
		{"entries allowed", tarOf(t, member{name: "a"}, member{name: "b"}), Limits{Entries: 3}, true},
		{"zip bytes", zipOf(t, zip.Deflate, member{name: "f", mode: 0o644, body: strings.Repeat("a", 5000)}), Limits{Bytes: 4999}, false},
		{"zip bytes allowed", zipOf(t, zip.Deflate, member{name: "f", mode: 0o644, body: strings.Repeat("a", 5000)}), Limits{Bytes: 5000}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, dir := sandboxed(t, c.limits)
			err := unpackInto(t, tr, dir, c.data, 0)
			if (err == nil) != c.ok {
				t.Errorf("got %v, want accepted = %v", err, c.ok)
			}
			if !c.ok && tr.bytes > 128<<20 {
				t.Errorf("wrote %d bytes before stopping", tr.bytes)
			}
		})
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestXzWindow(t *testing.T) {
	pack := func(window int) []byte {
		var b bytes.Buffer
		w, err := xz.WriterConfig{DictCap: window}.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(tarOf(t, member{name: "f", body: "text"}))
		w.Close()
		return b.Bytes()
	}
	ordinary := pack(8 << 20)
	if err := checkXzWindow(ordinary); err != nil {
		t.Error("the ordinary window was refused:", err)
	}
	huge := bytes.Clone(ordinary)
	at := bytes.IndexByte(huge[12:], 0x21) + 12
	huge[at+2] = 40 // 4 GiB - 1
	if err := checkXzWindow(huge); err == nil {
		t.Error("a window of 4 GiB was accepted")
	}
}

func TestNotAnArchive(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("hello"), bytes.Repeat([]byte("x"), 4096), []byte("\x1f\x8b"), []byte("PK\x03\x04")} {
		tr, dir := sandboxed(t, Limits{})
		if err := unpackInto(t, tr, dir, data, 0); err == nil {
			t.Errorf("accepted %.10q", data)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(tarOf(f, member{name: "a", body: "b"}, member{name: "l", kind: tar.TypeSymlink, link: "a"}))
	f.Add(zipOf(f, zip.Deflate, member{name: "a", mode: 0o755, body: "b"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, dir := sandboxed(t, Limits{Bytes: 1 << 20, Entries: 100})
		unpackInto(t, tr, dir, data, 0)
	})
}
