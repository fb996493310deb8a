package remote

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://example.org/a/", "file:///srv", "/srv", "http://[::1]:80/%2e%2e/", "https://a@b/", "HTTP://x//y/../z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		again, err := ParseAddress(a.String())
		if err != nil || again.String() != a.String() || !strings.HasSuffix(a.String(), "/") {
			t.Errorf("%q became %q and then %q, %v", s, a, again, err)
		}
		u, err := a.join("man/ab/x")
		if err != nil || !a.sameOrigin(u) || !strings.HasPrefix(u.String(), a.String()) {
			t.Errorf("%q leads to %q, %v", s, u, err)
		}
	})
}

// FuzzTar opens foreign bytes as a single-file bundle, and reads what it lists.
func FuzzTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{BundleHeadName: `{"type":"sandbox-bundle","format":1,"refs":[]}`} {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Format: tar.FormatUSTAR})
		w.Write([]byte(text))
	}
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "man/ab/x", Size: 3, Format: tar.FormatUSTAR})
	w.Write([]byte("abc"))
	w.Close()
	f.Add(b.Bytes())
	path := filepath.Join(f.TempDir(), "x.sandbox")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenTar(path)
		if err != nil {
			return
		}
		defer s.Close()
		for name, e := range s.files {
			if checkPath(name) != nil || e.off < 0 || e.size < 0 || e.off+e.size > int64(len(data)) {
				t.Errorf("%q at %d, %d bytes of %d", name, e.off, e.size, len(data))
			}
			got, err := s.Fetch(t.Context(), name, e.size)
			if err != nil || !bytes.Equal(got, data[e.off:e.off+e.size]) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}

func FuzzRemoteFile(f *testing.F) {
	f.Add([]byte(`{"sandboxremote":1,"url":"https://x.org/","title":"X","root":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseFile(data)
		if err != nil {
			return
		}
		again, err := file.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseFile(again); err != nil || back.Address.String() != file.Address.String() {
			t.Errorf("%s: %v", again, err)
		}
	})
}
