package repo_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandbox/repo/client"
	"sandbox/repo/key"
	"sandbox/repo/publish"
	"sandbox/repo/remote"
	"sandbox/repo/store"
)

// user is a client of the repository in dir, at the time of the golden one.
func user(t *testing.T, dir string) *client.Client {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Store: s, Arch: "x86_64", Now: func() time.Time { return goldenTime.Add(time.Hour) }}
	t.Cleanup(func() { c.Close(); s.Close() })
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := remote.ParseAddress("file://" + abs)
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.LookAt(t.Context(), remote.Remote{Name: "golden", Address: a}, fingerprintOf(t, dir), nil)
	if err == nil {
		err = c.AddRemote(t.Context(), n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wants(t *testing.T, text string) []client.Want {
	t.Helper()
	w, err := client.ParseWant(text)
	if err != nil {
		t.Fatal(err)
	}
	return []client.Want{w}
}

// What was published with format 1 can be installed, whatever came after.
func TestGoldenInstalls(t *testing.T) {
	for n, version := range []string{"2.0", "1.0"} {
		c := user(t, "testdata/repo-v1")
		p, err := c.PlanInstall(t.Context(), wants(t, "org.example.Golden"), client.PlanOptions{Release: uint64(n)}) // 0 is the newest
		if err != nil {
			t.Fatal(err)
		}
		p.Settle(func(*client.Step) client.Need { return 0 })
		if _, err := c.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		rec, err := c.Store.Find("org.example.Golden")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := listing(t, c.Store.BundleDir(rec)), listing(t, goldenBundle(t, version)); got != want {
			t.Errorf("installed was\n%s\nwant\n%s", got, want)
		}
	}
}

// fromTar reads a bundle in one file.
func fromTar(path string) source {
	return func(name string, off, n int64) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for r := tar.NewReader(f); ; {
			h, err := r.Next()
			if err == io.EOF {
				return nil, errNotThere
			}
			if err != nil {
				return nil, err
			}
			if h.Name != name {
				continue
			}
			if off > 0 {
				if _, err := io.CopyN(io.Discard, r, off); err != nil {
					return nil, err
				}
			}
			return io.ReadAll(io.LimitReader(r, n))
		}
	}
}

// The other reader reads the file for machines without a network: the same
// files under the same names.
func TestAnotherReaderOfOneFile(t *testing.T) {
	c := user(t, "testdata/repo-v1")
	path := filepath.Join(t.TempDir(), "golden.sandbox")
	if _, err := c.Download(t.Context(), wants(t, "org.example.Golden"), client.PlanOptions{}, path); err != nil {
		t.Fatal(err)
	}
	head, err := fromTar(path)("sandbox-bundle.json", -1, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Type   string   `json:"type"`
		Format int      `json:"format"`
		Refs   []string `json:"refs"`
	}
	if err := strict(head, &said); err != nil || said.Type != "sandbox-bundle" || said.Format != 1 || len(said.Refs) != 1 || said.Refs[0] != goldenRef {
		t.Errorf("it begins with %s (%v)", head, err)
	}
	out := t.TempDir()
	r := &reader{fromTar(path), goldenTime, "sha256:" + goldenFingerprint}
	if _, err := r.checkout(goldenRef, out); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, out), listing(t, goldenBundle(t, "2.0")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Publishers, new roots, older releases: what a repository comes to in time.
func TestAnotherReaderOfARepositoryThatHasLived(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	initRepo(t, dir, 256)
	acme, second := newSigner("acme"), newSigner("second")
	of := func(keys ...key.Signer) publish.Options {
		o := options()
		o.Keys = append(o.Keys, keys...)
		return o
	}
	do := func(o publish.Options, work func(r *publish.Repository) error) {
		t.Helper()
		r, err := publish.Open(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := work(r); err != nil {
			t.Fatal(err)
		}
	}
	pattern, err := publish.ParsePattern("com.acme.*")
	if err != nil {
		t.Fatal(err)
	}
	do(of(), func(r *publish.Repository) error {
		return r.AddPublisher(publish.Publisher{Name: "acme", Patterns: []publish.Pattern{pattern}, Keys: []key.Public{acme.Public()}}, false)
	})
	anvil := makeBundle(t, map[string]string{"sandbox.toml": "id = \"com.acme.Anvil\"\nversion = \"3\"\ncommand = \"/app/x\"\n", "files/x*": "anvil"})
	do(of(acme), func(r *publish.Repository) error {
		_, err := r.Publish(t.Context(), publish.Request{Bundles: []string{anvil}})
		return err
	})
	publishBundles(t, dir, goldenBundle(t, "1.0"))
	do(of(second), func(r *publish.Repository) error {
		keys := []key.Public{second.Public()}
		_, err := r.Rotate(publish.Rotation{
			Add: map[string][]key.Public{"root": keys, "timestamp": keys}, Threshold: map[string]int{"root": 2},
			Remove: map[string][]string{"timestamp": {newSigner("repository").Public().Fingerprint()}},
		})
		return err
	})
	do(of(second), func(r *publish.Repository) error {
		_, err := r.Promote(t.Context(), publish.Promotion{From: "org.example.Golden", Channel: "beta"})
		return err
	})
	r := &reader{fromDir(dir), goldenTime, fingerprintOf(t, dir)}
	for name, bundle := range map[string]string{
		"com.acme.Anvil/any/stable": anvil, "org.example.Golden/any/stable": goldenBundle(t, "1.0"), "org.example.Golden/any/beta": goldenBundle(t, "1.0"),
	} {
		out := t.TempDir()
		if _, err := r.checkout("app/"+name, out); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if listing(t, out) != listing(t, bundle) {
			t.Errorf("%s is another", name)
		}
	}
	if _, err := r.checkout("app/com.acme.Nothing/any/stable", t.TempDir()); !errors.Is(err, errNotThere) {
		t.Errorf("got %v", err)
	}
}
