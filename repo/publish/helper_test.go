package publish

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/repo"
	"sandbox/repo/key"
)

// newKey is a key in memory.
func newKey(t testing.TB) key.Signer {
	t.Helper()
	k, err := key.New()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newRepo makes a repository signed by one key in a fresh directory.
func newRepo(t testing.TB, change ...func(*InitOptions)) (dir string, o Options) {
	t.Helper()
	k := newKey(t)
	dir = filepath.Join(t.TempDir(), "repo")
	o = Options{Keys: []key.Signer{k}}
	i := InitOptions{Options: o, Default: []key.Public{k.Public()}, URL: "https://example.org/repo/", Title: "Example"}
	for _, c := range change {
		c(&i)
	}
	if _, err := Init(dir, i); err != nil {
		t.Fatal(err)
	}
	return dir, i.Options
}

func open(t testing.TB, dir string, o Options) *Repository {
	t.Helper()
	r, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// with opens the repository for one operation.
func with(t testing.TB, dir string, o Options, do func(r *Repository) error) error {
	t.Helper()
	r, err := Open(context.Background(), dir, o)
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

const app = "org.example.App"

// newBundle writes a bundle directory: id, version, lines for the manifest,
// and files below files/.
func newBundle(t testing.TB, id, version, extra string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	toml := fmt.Sprintf("id = %q\nversion = %q\ncommand = \"main\"\nsummary = \"An example\"\n%s\n", id, version, extra)
	write(t, filepath.Join(dir, "sandbox.toml"), toml, 0o644)
	write(t, filepath.Join(dir, "files/bin/main"), "#!/bin/sh\n# "+version+"\n", 0o755)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		write(t, filepath.Join(dir, "files", name), files[name], 0o644)
	}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d.IsDir() {
			os.Chmod(path, 0o755)
		}
		return err
	})
	return dir
}

func write(t testing.TB, path, data string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, mode)
}

// noise does not compress.
func noise(seed uint64, n int) string {
	var b strings.Builder
	for c := rand.New(rand.NewPCG(seed, 1)); b.Len() < n; {
		b.WriteByte(byte(c.Uint32()))
	}
	return b.String()
}

func publish(t testing.TB, dir string, o Options, q Request) []Published {
	t.Helper()
	out, err := tryPublish(t, dir, o, q)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryPublish(t testing.TB, dir string, o Options, q Request) (out []Published, err error) {
	t.Helper()
	err = with(t, dir, o, func(r *Repository) error {
		out, err = r.Publish(context.Background(), q)
		return err
	})
	return out, err
}

func ref(t testing.TB, text string) repo.Ref {
	t.Helper()
	r, err := repo.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// index lists what the repository offers: target and version.
func list(t testing.TB, dir string, o Options) []string {
	t.Helper()
	var out []string
	err := with(t, dir, o, func(r *Repository) error {
		all, err := r.releases()
		for _, e := range all {
			out = append(out, fmt.Sprintf("%s n=%d %s", e.target, e.N, e.Version))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// resum gives an index the sum that fits.
func resum(data []byte) []byte {
	if len(data) < sha256.Size {
		return data
	}
	body := data[:len(data)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(slices.Clone(body), sum[:]...)
}
