package publish

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
)

func TestServe(t *testing.T) {
	dir, o := newRepo(t)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	pack := ""
	for _, name := range files(t, dir) {
		if strings.HasPrefix(name, "pack/") {
			pack = name
		}
	}
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret", 0o644)
	// Names that a repository has, which lead out of it.
	stray := "man/aa/" + strings.Repeat("a", 64)
	os.MkdirAll(filepath.Join(dir, "man/aa"), 0o755)
	os.Symlink(outside, filepath.Join(dir, stray))
	write(t, filepath.Join(dir, "notes.txt"), "secret", 0o644)
	h, err := Handler(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	get := func(method, path string, header ...string) (*http.Response, string) {
		t.Helper()
		q, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		a, err := http.DefaultTransport.RoundTrip(q) // follows no redirect
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, _ := io.ReadAll(a.Body)
		return a, string(body)
	}

	for _, name := range files(t, dir) {
		if name == "notes.txt" || name == stray {
			continue
		}
		want, _ := os.ReadFile(filepath.Join(dir, name))
		a, body := get("GET", "/"+name)
		if a.StatusCode != 200 || body != string(want) || a.Header.Get("ETag") == "" {
			t.Errorf("%s: %s", name, a.Status)
		}
		forEver := strings.Contains(a.Header.Get("Cache-Control"), "immutable")
		changes := name == timestampFile || name == layoutFile || strings.HasSuffix(name, remoteSuffix)
		if forEver == changes {
			t.Errorf("%s: Cache-Control %q", name, a.Header.Get("Cache-Control"))
		}
		if a, _ := get("GET", "/"+name, "If-None-Match", a.Header.Get("ETag")); a.StatusCode != 304 {
			t.Errorf("%s with its tag: %s", name, a.Status)
		}
	}
	a, body := get("GET", "/"+pack, "Range", "bytes=2-5")
	want, _ := os.ReadFile(filepath.Join(dir, pack))
	if a.StatusCode != 206 || body != string(want[2:6]) {
		t.Errorf("a range: %s %q", a.Status, body)
	}
	if a, _ := get("GET", "/"+pack, "Range", "bytes=99999999-"); a.StatusCode != 416 {
		t.Errorf("a range behind the end: %s", a.Status)
	}
	if a, body := get("HEAD", "/"+pack); a.StatusCode != 200 || body != "" || a.ContentLength != int64(len(want)) {
		t.Errorf("HEAD: %s, %d bytes", a.Status, a.ContentLength)
	}
	if a, _ := get("POST", "/"+timestampFile); a.StatusCode != 405 {
		t.Errorf("POST: %s", a.Status)
	}
	for _, path := range []string{
		"/", "/meta/", "/meta", "/pack", "/pack/", "/notes.txt", "/.publish/config.json", "/.publish/lock", "/2.root.json",
		"/../" + filepath.Base(dir) + "/timestamp.json", "/..%2f..%2fetc/passwd", "/%2e%2e/timestamp.json", "//timestamp.json", "/meta/../timestamp.json",
		"/timestamp.json/", "/timestamp.json%00", "/man/bb/" + strings.Repeat("a", 64), "/" + stray, "/01.root.json", "/meta/1.Targets.json",
	} {
		a, body := get("GET", path)
		if a.StatusCode != 404 && a.StatusCode != 301 && a.StatusCode != 400 || strings.Contains(body, "secret") || strings.Contains(body, "root:") {
			t.Errorf("%s: %s %q", path, a.Status, body)
		}
		if a.StatusCode == 404 && a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a 404 that caches keep", path)
		}
	}
}

func TestServeEndsAndRefuses(t *testing.T) {
	dir, _ := newRepo(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	ready := make(chan net.Addr, 1)
	go func() { done <- Serve(ctx, dir, "127.0.0.1:0", func(a net.Addr) { ready <- a }) }()
	addr := <-ready
	a, err := http.Get("http://" + addr.String() + "/timestamp.json")
	if err != nil || a.StatusCode != 200 {
		t.Fatal(err)
	}
	a.Body.Close()
	if err := Serve(context.Background(), dir, addr.String(), nil); err == nil || hint.Of(err) == "" {
		t.Errorf("an address that is taken: %v", err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
	if err := Serve(context.Background(), t.TempDir(), "127.0.0.1:0", nil); err == nil || hint.Of(err) == "" {
		t.Errorf("no repository: %v", err)
	}
}
