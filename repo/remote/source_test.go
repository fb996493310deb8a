package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/hint"
)

// quick is a pace for tests.
var quick = Pace{Connect: 2 * time.Second, Answer: time.Second, Idle: 300 * time.Millisecond, Window: 500 * time.Millisecond, Rate: 256, Backoff: time.Millisecond}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

func writeTree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// at makes a source of a handler.
func at(t *testing.T, h http.Handler) Source {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return source(t, s.URL)
}

func source(t *testing.T, address string) Source {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	src, err := OpenSource(a, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.(io.Closer).Close() })
	return src
}

// withoutRanges answers 200 to everything.
func withoutRanges(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
	})
}

// TestSources asks the same of every source there is.
func TestSources(t *testing.T) {
	data := noise(300_000)
	dir := writeTree(t, map[string][]byte{"pack/ab/big": data, "timestamp.json": []byte("{}")})
	for name, src := range map[string]Source{
		"directory":      source(t, dir),
		"file URL":       source(t, "file://"+dir),
		"ranges":         at(t, http.FileServer(http.Dir(dir))),
		"without ranges": at(t, withoutRanges(dir)),
		"below a path":   source(t, serve(t, http.StripPrefix("/some/where/", http.FileServer(http.Dir(dir))))+"/some/where"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if b, err := src.Fetch(ctx, "timestamp.json", 2); err != nil || string(b) != "{}" {
				t.Errorf("%q, %v", b, err)
			}
			if _, err := src.Fetch(ctx, "pack/ab/big", 299_999); !errors.Is(err, ErrTooLong) {
				t.Errorf("one byte too long: %v", err)
			}
			if b, err := src.Fetch(ctx, "pack/ab/big", 300_000); err != nil || !bytes.Equal(b, data) {
				t.Errorf("exactly as long: %d bytes, %v", len(b), err)
			}
			if _, err := src.Fetch(ctx, "meta/none.json", 10); !errors.Is(err, ErrNotFound) {
				t.Errorf("missing: %v", err)
			}
			if _, err := src.Open(ctx, "pack/ab/none", 0, 10); !errors.Is(err, ErrNotFound) {
				t.Errorf("missing: %v", err)
			}
			for _, part := range [][2]int64{{0, 1}, {0, 300_000}, {299_999, 1}, {1234, 100_000}} {
				got, err := readPart(ctx, src, "pack/ab/big", part[0], part[1])
				if err != nil || !bytes.Equal(got, data[part[0]:part[0]+part[1]]) {
					t.Errorf("%v: %d bytes, %v", part, len(got), err)
				}
			}
			if got, err := readPart(ctx, src, "pack/ab/big", 299_990, 11); err == nil {
				t.Errorf("a part beyond the end: %d bytes", len(got))
			}
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := src.Fetch(cancelled, "timestamp.json", 2); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func readPart(ctx context.Context, src Source, path string, off, n int64) ([]byte, error) {
	b, err := src.Open(ctx, path, off, n)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if b.Whole {
		if _, err := io.CopyN(io.Discard, b, off); err != nil {
			return nil, err
		}
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(b, got); err != nil {
		return nil, err
	}
	if rest, err := io.Copy(io.Discard, b); err != nil || rest != 0 && !b.Whole {
		return nil, fmt.Errorf("%d bytes follow, %v", rest, err)
	}
	return got, nil
}

// B16: nothing from outside becomes a path.
func TestPathsAreOfOneGrammar(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := writeTree(t, map[string][]byte{"a/b.json": []byte("x")})
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	asked := atomic.Int32{}
	web := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) }))
	for _, src := range []Source{source(t, dir), web} {
		for _, path := range []string{"", "/", "/etc/passwd", "..", "../canary", "a/../b", "a//b", "./a", "a/", "a/.hidden", "//evil/x",
			"http://evil/x", "file:///etc/passwd", "a\x00b", "a\nb", "a b", "a?b", "a#b", "a%2fb", "a\\b", "ä", strings.Repeat("a/", 300) + "a"} {
			if _, err := src.Fetch(t.Context(), path, 100); err == nil {
				t.Errorf("%s: fetches %q", src, path)
			}
			if _, err := src.Open(t.Context(), path, 0, 1); err == nil {
				t.Errorf("%s: opens %q", src, path)
			}
		}
	}
	if asked.Load() != 0 {
		t.Error("the server was asked")
	}
	if _, err := source(t, dir).Fetch(t.Context(), "link", 100); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a link out of the repository: %v", err)
	}
	if _, err := source(t, dir).Fetch(t.Context(), "a/b.json", 100); err != nil {
		t.Errorf("a good path: %v", err)
	}
}

func TestDirectoryHoldsOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	src := source(t, dir)
	for _, name := range []string{"fifo", "sub"} {
		if _, err := src.Fetch(t.Context(), name, 10); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	a, _ := ParseAddress(filepath.Join(dir, "gone"))
	if _, err := OpenSource(a, quick); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no directory: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.org":             "https://example.org/",
		"https://Example.org/repo":        "https://example.org/repo/",
		"http://[::1]:8080/a/b/":          "http://[::1]:8080/a/b/",
		"https://example.org//a/./b//":    "https://example.org/a/b/",
		"/srv/repo":                       "file:///srv/repo/",
		"file:///srv/repo":                "file:///srv/repo/",
		"file://localhost/srv/../srv/r":   "file:///srv/r/",
		"https://example.org/a%20b":       "https://example.org/a%20b/",
		"https://user@example.org/":       "",
		"https://user:pass@example.org/":  "",
		"https://example.org/?a=b":        "",
		"https://example.org/?":           "",
		"https://example.org/#x":          "",
		"https://example.org/../x":        "",
		"ftp://example.org/":              "",
		"example.org":                     "",
		"https:///path":                   "",
		"https:example.org":               "",
		"file://host/x":                   "",
		"file:x":                          "",
		"javascript:alert(1)":             "",
		"https://example.org/a\\b":        "",
		"":                                "",
		"https://example.org:notaport/":   "",
		"https://example.org/a\nb":        "",
		"https://exa mple.org/":           "",
		"HTTPS://EXAMPLE.org/":            "https://example.org/",
		"https://example.org/a/b/../../c": "",
	} {
		a, err := ParseAddress(in)
		if got := a.String(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		if err == nil {
			if again, err := ParseAddress(a.String()); err != nil || again.String() != a.String() {
				t.Errorf("%q does not survive a second reading: %q, %v", in, again, err)
			}
		}
	}
}

// B17: redirects.
func TestRedirects(t *testing.T) {
	stolen := atomic.Int32{}
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stolen.Add(1); io.WriteString(w, "{}") }))
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.Path, http.StatusFound)
	}))
	defer secure.Close()
	down := source(t, secure.URL)
	down.(*httpSource).client.Transport.(*http.Transport).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig

	to := func(target string) Source {
		return at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved.json" {
				io.WriteString(w, "{}")
				return
			}
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusFound)
		}))
	}
	for name, src := range map[string]Source{
		"another host":            to(other + "/x"),
		"a host without a scheme": to(strings.TrimPrefix(other, "http:") + "/x"),
		"https to http":           down,
		"a local file":            to("file:///etc/passwd"),
		"a user name":             to("http://user:pass@" + strings.TrimPrefix(other, "http://")),
		"for ever":                to("/again.json"),
	} {
		if _, err := src.Fetch(t.Context(), "timestamp.json", 100); err == nil {
			t.Errorf("%s: followed", name)
		}
		if _, err := src.Open(t.Context(), "timestamp.json", 0, 1); err == nil {
			t.Errorf("%s: followed with a range", name)
		}
	}
	if stolen.Load() != 0 {
		t.Error("the other host was asked")
	}
	if b, err := to("/moved.json").Fetch(t.Context(), "timestamp.json", 100); err != nil || string(b) != "{}" {
		t.Errorf("within the server: %q, %v", b, err)
	}
}

func TestNothingIsUnpackedOnTheWay(t *testing.T) {
	src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked with %v", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write([]byte{0x1f, 0x8b})
	}))
	if _, err := src.Fetch(t.Context(), "a", 1<<20); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("%v", err)
	}
}

// B10: endless and slow bodies.
func TestEndlessData(t *testing.T) {
	sent := atomic.Int64{}
	src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			n, _ := w.Write(noise(64 << 10))
			sent.Add(int64(n))
		}
	}))
	if _, err := src.Fetch(t.Context(), "a", 16<<10); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
	if n := sent.Load(); n > 8<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestLengthThatLies(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"too large": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
			w.Write([]byte("x"))
		},
		"more than follows": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("x"))
		},
	} {
		if b, err := at(t, h).Fetch(t.Context(), "a", 100); err == nil {
			t.Errorf("%s: %q", name, b)
		}
	}
}

func TestSlowServer(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		for range 50 {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, h := range map[string]http.HandlerFunc{"drips": drip, "falls silent": silent} {
		src := at(t, h)
		start := time.Now()
		if _, err := src.Fetch(t.Context(), "a", 1000); !errors.Is(err, ErrTooSlow) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s: held for %v", name, d)
		}
	}
	steady := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			w.Write(noise(100))
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}))
	if b, err := steady.Fetch(t.Context(), "a", 1000); err != nil || len(b) != 1000 {
		t.Errorf("a slow line is served: %d bytes, %v", len(b), err)
	}
}

// The reader's own slowness is not the server's.
func TestSlowReader(t *testing.T) {
	data := noise(64 << 10)
	src := at(t, http.FileServer(http.Dir(writeTree(t, map[string][]byte{"a": data}))))
	b, err := src.Open(t.Context(), "a", 0, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := make([]byte, 0, len(data))
	for range 4 {
		part := make([]byte, len(data)/4)
		if _, err := io.ReadFull(b, part); err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
		time.Sleep(400 * time.Millisecond)
	}
	if !bytes.Equal(got, data) {
		t.Error("the bytes differ")
	}
}

// breaking ends a response after some bytes, as a server that dies does.
func breaking(dir string, after int64, ranges bool, times int) (http.Handler, *atomic.Int32) {
	count := &atomic.Int32{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ranges {
			r.Header.Del("Range")
		}
		if int(count.Add(1)) > times {
			http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
			return
		}
		http.FileServer(http.Dir(dir)).ServeHTTP(&breaker{ResponseWriter: w, left: after}, r)
	}), count
}

type breaker struct {
	http.ResponseWriter
	left int64
}

func (b *breaker) Write(p []byte) (int, error) {
	n := min(int64(len(p)), b.left)
	b.ResponseWriter.Write(p[:n])
	if b.left -= n; b.left <= 0 {
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return int(n), nil
}

func TestServerThatDiesMidway(t *testing.T) {
	data := noise(1 << 20)
	dir := writeTree(t, map[string][]byte{"a": data})
	for _, c := range []struct {
		name   string
		ranges bool
		after  int64
		times  int
		good   bool
	}{
		{"comes back", true, 200_000, 3, true},
		{"comes back, without ranges", false, 200_000, 3, true},
		{"breaks often, with progress", true, 100_000, 1000, true},
		{"brings nothing any more", true, 0, 1000, false},
		{"brings a little each time", true, 10, 1000, false},
		{"without ranges never gets to the end", false, 500_000, 1000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, count := breaking(dir, c.after, c.ranges, c.times)
			got, err := readPart(t.Context(), at(t, h), "a", 1000, 1<<20-1000)
			if c.good && (err != nil || !bytes.Equal(got, data[1000:])) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if !c.good && !errors.Is(err, ErrUnreachable) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if !c.good && count.Load() > 50 {
				t.Errorf("asked %d times", count.Load())
			}
		})
	}
}

func TestPartsThatWereNotAskedFor(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"another part": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/100")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(noise(10))
		},
		"no range said": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			w.Write(noise(10))
		},
		"a part for the whole": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-14/100")
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(noise(3))
		},
	} {
		if got, err := readPart(t.Context(), at(t, h), "a", 5, 10); err == nil {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusPartialContent) }))
	if _, err := src.Fetch(t.Context(), "a", 10); err == nil {
		t.Error("206 without a range")
	}
}

func TestBusyServerIsAskedAgain(t *testing.T) {
	count := atomic.Int32{}
	src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "{}")
	}))
	if b, err := src.Fetch(t.Context(), "a", 10); err != nil || string(b) != "{}" {
		t.Errorf("%q, %v", b, err)
	}
	down := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	if _, err := down.Fetch(t.Context(), "a", 10); !errors.Is(err, ErrUnreachable) || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	for _, code := range []int{http.StatusUnauthorized, http.StatusNotImplemented, http.StatusTeapot} {
		n := atomic.Int32{}
		src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); w.WriteHeader(code) }))
		if _, err := src.Fetch(t.Context(), "a", 10); err == nil || n.Load() != 1 {
			t.Errorf("%d: %v after %d requests", code, err, n.Load())
		}
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := source(t, s.URL).Fetch(t.Context(), "a", 10)
	if !errors.Is(err, ErrUnreachable) || strings.Count(err.Error(), s.URL) != 1 {
		t.Errorf("%v", err)
	}
}

func TestProxyByEnvironment(t *testing.T) {
	asked := atomic.Value{}
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		io.WriteString(w, "{}")
	}))
	t.Setenv("http_proxy", proxy)
	t.Setenv("no_proxy", "direct.invalid")
	src := source(t, "http://repo.invalid/x/")
	if b, err := src.Fetch(t.Context(), "timestamp.json", 10); err != nil || string(b) != "{}" || asked.Load() != "http://repo.invalid/x/timestamp.json" {
		t.Errorf("%q, %v, the proxy was asked for %v", b, err, asked.Load())
	}
	if _, err := source(t, "http://direct.invalid/").Fetch(t.Context(), "timestamp.json", 10); err == nil {
		t.Error("no_proxy was not heeded")
	}
}

func TestCancelDuringTransfer(t *testing.T) {
	src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(noise(1000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	b, err := src.Open(ctx, "a", 0, 2000)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	io.ReadFull(b, make([]byte, 1000))
	cancel()
	start := time.Now()
	if _, err := io.ReadAll(b); !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// cutter ends bodies early and says that they are whole.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) WriteHeader(code int) {
	c.Header().Del("Content-Length")
	c.ResponseWriter.WriteHeader(code)
}

func (c *cutter) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.ResponseWriter.Write(p[:n])
	return len(p), nil
}

func truncate(path string, n int64) error { return os.Truncate(path, n) }
