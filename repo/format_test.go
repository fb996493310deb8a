package repo_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandbox/repo"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

var update = flag.Bool("update", false, "write the golden repository anew")

func TestReaderIsIndependent(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "format_reader_test.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		if strings.Contains(name, ".") && name != "github.com/klauspost/compress/zstd" || strings.HasPrefix(name, "sandbox/") {
			t.Errorf("the reader imports %s", name)
		}
	}
}

// testSigner signs with a key that is always the same.
type testSigner struct{ secret ed25519.PrivateKey }

func newSigner(name string) testSigner {
	seed := sha256.Sum256([]byte(name))
	return testSigner{ed25519.NewKeyFromSeed(seed[:])}
}

func (s testSigner) Public() key.Public                  { return key.Public(s.secret.Public().(ed25519.PublicKey)) }
func (s testSigner) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.secret, message), nil }
func (s testSigner) Label() string                       { return "test" }

var goldenTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	goldenRef  = "app/org.example.Golden/any/stable"
	goldenTOML = `id = "org.example.Golden"
version = "1.0"
summary = "A bundle that stays readable"
license = "MIT"
homepage = "https://example.org/golden"
command = "golden"

[permissions]
"files:~/Golden:write" = "keep what you write"
"network:example.org:443" = { reason = "look for news", optional = true }
`
)

// goldenBundle has one of everything: version 2 changes two files.
func goldenBundle(t testing.TB, version string) string {
	files := map[string]string{
		"sandbox.toml":               strings.Replace(goldenTOML, "1.0", version, 1),
		"files/bin/golden*":          "#!/bin/sh\necho golden " + version + "\n",
		"files/bin/same*":            "#!/bin/sh\necho the same in both\n",
		"files/share/empty":          "",
		"files/share/copy":           "#!/bin/sh\necho the same in both\n",
		"files/share/Főtanúsítvány":  "a name with accents\n",
		"files/share/doc/README":     strings.Repeat("a large file that has a frame of its own\n", 7000),
		"files/share/doc/NEWS":       "news of " + version + "\n",
		"files/lib/libgolden.so":     "->libgolden.so.1",
		"files/lib/libgolden.so.1":   "not really a library\n",
		"usr/share/golden":           "->/app/share/doc",
		"usr/share/from-the-runtime": "->/usr/share/zoneinfo",
	}
	return makeBundle(t, files)
}

func makeBundle(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, strings.TrimSuffix(name, "*"))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(target, p)
		} else if err = os.WriteFile(p, []byte(content), 0o644); err == nil && strings.HasSuffix(name, "*") {
			err = os.Chmod(p, 0o755)
		} else if err == nil {
			err = os.Chmod(p, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error {
		if d.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	return dir
}

func options() publish.Options {
	return publish.Options{Keys: []key.Signer{newSigner("repository")}, Now: func() time.Time { return goldenTime }}
}

func initRepo(t testing.TB, dir string, bins int) {
	t.Helper()
	_, err := publish.Init(dir, publish.InitOptions{
		Options: options(), Name: "golden", Title: "Golden", URL: "https://example.org/repo/", Bins: bins,
		Default: []key.Public{newSigner("repository").Public()}, TimestampDays: 90,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func publishBundles(t testing.TB, dir string, bundles ...string) {
	t.Helper()
	r, err := publish.Open(context.Background(), dir, options())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Publish(context.Background(), publish.Request{Bundles: bundles}); err != nil {
		t.Fatal(err)
	}
}

// fromDir reads a repository on disk.
func fromDir(dir string) source {
	return func(name string, off, n int64) ([]byte, error) {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errNotThere
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if off < 0 {
			return io.ReadAll(io.LimitReader(f, n+1))
		}
		b := make([]byte, n)
		_, err = f.ReadAt(b, off)
		return b, err
	}
}

// fromHTTP reads one behind a web server.
func fromHTTP(url string) source {
	return func(name string, off, n int64) ([]byte, error) {
		q, err := http.NewRequest("GET", url+"/"+name, nil)
		if err != nil {
			return nil, err
		}
		want := http.StatusOK
		if off >= 0 {
			want = http.StatusPartialContent
			q.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			return nil, err
		}
		defer a.Body.Close()
		if a.StatusCode == http.StatusNotFound {
			return nil, errNotThere
		}
		if a.StatusCode != want {
			return nil, fmt.Errorf("%s: %s", name, a.Status)
		}
		return io.ReadAll(io.LimitReader(a.Body, n+1))
	}
}

// fingerprintOf is what a packager tells users.
func fingerprintOf(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	text, err := canonical(e.Signed)
	if err != nil {
		t.Fatal(err)
	}
	return "sha256:" + hash(text)
}

// listing is a directory as text: names, modes, targets, contents.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%v %s", info.Mode(), rel)
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %s", len(data), hash(data))
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestAnotherReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	initRepo(t, dir, 16)
	first, second := goldenBundle(t, "1.0"), goldenBundle(t, "2.0")
	large := makeBundle(t, map[string]string{
		"sandbox.toml": "id = \"org.example.Large\"\nversion = \"1\"\ncommand = \"/app/x\"\n",
		"files/x*":     strings.Repeat("sixteen bytes..\n", (64<<20)/16+1000),
		"files/y":      "small",
	})
	publishBundles(t, dir, first, large)
	publishBundles(t, dir, second)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	r := &reader{fromHTTP(server.URL), goldenTime, fingerprintOf(t, dir)}
	for _, c := range []struct {
		name, bundle string
		n            uint64
	}{{goldenRef, second, 2}, {goldenRef + "@1", first, 1}, {"app/org.example.Large/any/stable", large, 1}} {
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			rel, err := r.checkout(c.name, out)
			if err != nil {
				t.Fatal(err)
			}
			if rel.N != c.n {
				t.Errorf("n is %d, want %d", rel.N, c.n)
			}
			if got, want := listing(t, out), listing(t, c.bundle); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	rows, err := r.catalogue("any")
	if err != nil || len(rows) != 2 || rows[0].Ref != goldenRef || rows[0].N != 2 || rows[0].License != "MIT" {
		t.Errorf("the catalogue is %+v, %v", rows, err)
	}
	if _, err := r.checkout("app/org.example.Golden/any/beta", t.TempDir()); !errors.Is(err, errNotThere) {
		t.Errorf("a channel that is not there: %v", err)
	}
}

// The reader's checks bite: a reader that takes anything proves nothing.
func TestAnotherReaderRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	initRepo(t, dir, 1)
	publishBundles(t, dir, goldenBundle(t, "1.0"))
	flipped := func(part string) source {
		return func(name string, off, n int64) ([]byte, error) {
			data, err := fromDir(dir)(name, off, n)
			if err == nil && strings.Contains(name, part) {
				data = bytes.Clone(data)
				data[len(data)/2] ^= 1
			}
			return data, err
		}
	}
	good := reader{fromDir(dir), goldenTime, fingerprintOf(t, dir)}
	for _, c := range []struct {
		name   string
		change func(r *reader)
	}{
		{"another fingerprint", func(r *reader) { r.fingerprint = "sha256:" + hash(nil) }},
		{"expired", func(r *reader) { r.now = goldenTime.AddDate(0, 0, 91) }},
		{"root changed", func(r *reader) { r.get = flipped("root") }},
		{"timestamp changed", func(r *reader) { r.get = flipped("timestamp") }},
		{"snapshot changed", func(r *reader) { r.get = flipped("snapshot") }},
		{"bin changed", func(r *reader) { r.get = flipped("bin-00") }},
		{"tree changed", func(r *reader) { r.get = flipped("man/") }},
		{"locator changed", func(r *reader) { r.get = flipped("loc/") }},
		{"pack changed", func(r *reader) { r.get = flipped("pack/") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good
			if _, err := r.checkout(goldenRef, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			c.change(&r)
			if _, err := r.checkout(goldenRef, t.TempDir()); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// testdata/repo-v1 was published once and is never written again while the
// format is 1: whoever changes what is read must still read this.
func TestGoldenRepository(t *testing.T) {
	dir := "testdata/repo-v1"
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		initRepo(t, dir, 1)
		publishBundles(t, dir, goldenBundle(t, "1.0"))
		publishBundles(t, dir, goldenBundle(t, "2.0"))
		os.RemoveAll(filepath.Join(dir, ".publish"))
	}
	r := &reader{fromDir(dir), goldenTime, "sha256:" + goldenFingerprint}
	for name, version := range map[string]string{goldenRef: "2.0", goldenRef + "@1": "1.0"} {
		out := t.TempDir()
		rel, err := r.checkout(name, out)
		if err != nil {
			t.Fatalf("%s: %v (the fingerprint is %s)", name, err, fingerprintOf(t, dir))
		}
		if got, want := listing(t, out), listing(t, goldenBundle(t, version)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		if want := "files:~/Golden:write\nask network:example.org:443\n"; rel.PermissionText != want {
			t.Errorf("%s asks for %q", name, rel.PermissionText)
		}
		readGolden(t, dir, r, name)
	}
}

const goldenFingerprint = "7dd6e209e4cf9d3d8f043f42a61eab3b9724c8621132d02df45298632fbf2748"

// readGolden reads the same with this package.
func readGolden(t *testing.T, dir string, r *reader, name string) {
	t.Helper()
	_, target, err := r.release(name)
	if err != nil {
		t.Fatal(err)
	}
	ref, _, err := repo.ParseTarget(name)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := repo.ParseCustom(ref, target.Custom)
	if err != nil {
		t.Fatal(err)
	}
	if rel.Tree, err = repo.ParseDigest(target.Hashes["sha256"]); err != nil {
		t.Fatal(err)
	}
	if err := rel.VerifyPublisher(); err != nil {
		t.Error(err)
	}
	stored, err := os.ReadFile(filepath.Join(dir, repo.TreePath(rel.Tree)))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repo.DecodeTree(stored)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := tree.Manifest(); err != nil || repo.PermissionText(m) != rel.PermissionText {
		t.Errorf("the permissions are not those of the manifest (%v)", err)
	}
	if stored, err = os.ReadFile(filepath.Join(dir, repo.LocatorPath(rel.Locator))); err != nil {
		t.Fatal(err)
	}
	l, err := repo.DecodeLocator(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Covers(tree); err != nil {
		t.Error(err)
	}
	if again, err := repo.EncodeTree(tree); err != nil {
		t.Error(err)
	} else if back, err := repo.DecodeTree(again); err != nil || !slices.Equal(back.Entries, tree.Entries) {
		t.Errorf("the tree does not survive being written again (%v)", err)
	}
}
