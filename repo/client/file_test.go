package client

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/remote"
	"sandbox/repo/repotest"
	"sandbox/repo/trust"
)

// carry writes apps into a file.
func (b *bench) carry(names ...string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "x.sandbox")
	carried, err := b.client().Download(b.Context(), want(b.T, names...), PlanOptions{}, path)
	if err != nil {
		b.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Size() != carried.Bytes || st.Mode().Perm() != 0o644 {
		b.Fatalf("%v, %v", st, err)
	}
	return path
}

// elsewhere is another user's machine, without a network.
func (b *bench) elsewhere() *bench {
	return &bench{T: b.T, repo: b.repo, store: filepath.Join(b.TempDir(), "store"), now: b.now}
}

// installFile installs from a file; trusted says that a person compared the
// fingerprint.
func (b *bench) installFile(path string, trusted bool, agreed Need, names ...string) (*Plan, Result, error) {
	b.Helper()
	c := b.client()
	f, err := c.OpenFile(b.Context(), path)
	if err != nil {
		return nil, Result{}, err
	}
	defer f.Close()
	if trusted {
		if f.First.Fingerprint != b.repo.Fingerprint() {
			b.Fatalf("fingerprint %s", f.First.Fingerprint)
		}
		if err := f.Trust(); err != nil {
			b.Fatal(err)
		}
	}
	p, err := c.PlanFile(b.Context(), f, want(b.T, names...), PlanOptions{})
	if err != nil {
		return nil, Result{}, err
	}
	p.Settle(func(*Step) Need { return agreed })
	r, err := c.Apply(b.Context(), p)
	return p, r, err
}

func TestCarriedFile(t *testing.T) {
	b := newBench(t, withRuntime(heavy("1.0")), runtimeBundle("12"), repotest.App("org.example.Draw", "1"))
	b.repo.NewRoot() // version 2: the chain must come along
	b.publish()
	path := b.carry("Edit", "Draw")
	there := b.elsewhere()
	if _, _, err := there.installFile(path, false, 0); !errors.Is(err, ErrConsent) {
		t.Fatalf("trusted by itself: %v", err)
	}
	p, r, err := there.installFile(path, true, 0)
	if err != nil || len(r.Done) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	there.sound("1.0")
	if rec := there.record("Edit"); rec.RemoteFingerprint != b.repo.Fingerprint() || rec.Remote != "" || !rec.Explicit {
		t.Errorf("%+v", rec)
	}
	if there.record("org.example.Base").Explicit || p.Steps[0].Release.Ref.Kind != "runtime" {
		t.Error("the runtime is as if asked for")
	}
	// From now on the repository is known, and the next file brings an update.
	b.publish(withRuntime(heavy("1.1")).With(writes))
	there.now = b.now
	path = b.carry("Edit")
	if p, _, err := there.installFile(path, false, 0); err != nil || held(p, "org.example.Edit") == "" {
		t.Errorf("wider permissions: %+v, %v", p, err)
	}
	if _, _, err := there.installFile(path, false, NeedPermissions); err != nil {
		t.Error(err)
	}
	there.sound("1.1")
	// And a remote of that repository takes over.
	there.server = b.server
	there.add("main", b.server.URL, b.repo.Fingerprint())
	b.publish(withRuntime(heavy("1.2")).With(writes))
	there.now = b.now
	if _, _, err := there.update(PlanOptions{}, 0); err != nil {
		t.Error(err)
	}
	there.sound("1.2")
}

func TestChoiceFromACarriedFile(t *testing.T) {
	b := newBench(t, edit("1.0"), repotest.App("org.example.Draw", "1"))
	path := b.carry("Edit", "Draw")
	there := b.elsewhere()
	if _, r, err := there.installFile(path, true, 0, "Draw"); err != nil || len(r.Done) != 1 || there.version("Edit") != "" || there.version("Draw") != "1" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := there.installFile(path, true, 0, "org.example.Nothing"); !errors.Is(err, ErrNotOffered) {
		t.Errorf("%v", err)
	}
}

func TestExpiredCarriedFile(t *testing.T) {
	b := newBench(t, edit("1.0"))
	path := b.carry("Edit")
	there := b.elsewhere()
	there.now = b.now.Add(30 * day)
	p, r, err := there.installFile(path, true, NeedPermissions)
	if err != nil || len(r.Done) != 0 || held(p, "org.example.Edit") != NeedExpired.String() || len(p.Held[0].Step.Origin.Stale()) == 0 {
		t.Fatalf("%+v %+v, %v", p, r, err)
	}
	if _, r, err = there.installFile(path, true, NeedExpired); err != nil || len(r.Done) != 1 {
		t.Errorf("agreed: %+v, %v", r, err)
	}
}

// B05: an old file is no way back.
func TestOldCarriedFile(t *testing.T) {
	b := newBench(t, edit("1.0"))
	old := b.carry("Edit")
	b.publish(edit("1.1"))
	fresh := b.carry("Edit")
	there := b.elsewhere()
	there.now = b.now
	if _, _, err := there.installFile(fresh, true, 0); err != nil {
		t.Fatal(err)
	}
	if _, r, err := there.installFile(old, true, NeedExpired); !errors.Is(err, trust.ErrRollback) || hint.Of(err) == "" || len(r.Done) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	there.sound("1.1")
}

// The key that signed a file was withdrawn since.
func TestCarriedFileOfAWithdrawnKey(t *testing.T) {
	b := newBench(t, edit("1.0"))
	old := b.carry("Edit")
	b.repo.Keys["timestamp"] = []repotest.Key{repotest.NewKey("timestamp-2")}
	b.repo.NewRoot()
	b.publish(repotest.App("org.example.Draw", "1"))
	there := b.elsewhere()
	there.now = b.now
	if _, _, err := there.installFile(b.carry("Draw"), true, 0); err != nil {
		t.Fatal(err)
	}
	if _, r, err := there.installFile(old, true, NeedExpired); !errors.Is(err, trust.ErrUnsigned) || len(r.Done) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// rewrite copies a tar, letting change see each file.
func rewrite(t *testing.T, path string, change func(h *tar.Header, data []byte) ([]byte, bool), more ...tar.Header) string {
	t.Helper()
	in, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, r := tar.NewWriter(&out), tar.NewReader(bytes.NewReader(in))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		data, _ := io.ReadAll(r)
		keep := true
		if change != nil {
			data, keep = change(h, data)
		}
		if !keep {
			continue
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(data))
		} else {
			h.Size, data = 0, nil
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	for _, h := range more {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, h.Size))
	}
	w.Close()
	bad := filepath.Join(t.TempDir(), "bad.sandbox")
	if err := os.WriteFile(bad, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return bad
}

func TestCarriedFileFaults(t *testing.T) {
	b := newBench(t, heavy("1.0"))
	good := b.carry("Edit")
	canary := filepath.Join(t.TempDir(), "canary")
	os.WriteFile(canary, []byte("alive"), 0o600)
	only := func(prefix string, change func([]byte) []byte) func(*tar.Header, []byte) ([]byte, bool) {
		return func(h *tar.Header, d []byte) ([]byte, bool) {
			if strings.HasPrefix(h.Name, prefix) {
				d = change(slices.Clone(d))
			}
			return d, true
		}
	}
	without := func(prefix string) func(*tar.Header, []byte) ([]byte, bool) {
		return func(h *tar.Header, d []byte) ([]byte, bool) { return d, !strings.HasPrefix(h.Name, prefix) }
	}
	renamed := func(prefix, to string) func(*tar.Header, []byte) ([]byte, bool) {
		return func(h *tar.Header, d []byte) ([]byte, bool) {
			if strings.HasPrefix(h.Name, prefix) {
				h.Name = to
			}
			return d, true
		}
	}
	typed := func(prefix string, typ byte, link string) func(*tar.Header, []byte) ([]byte, bool) {
		return func(h *tar.Header, d []byte) ([]byte, bool) {
			if strings.HasPrefix(h.Name, prefix) {
				h.Typeflag, h.Linkname = typ, link
			}
			return d, true
		}
	}
	reg := func(name string, n int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: n, Mode: 0o644}
	}
	for name, path := range map[string]string{
		"a flipped byte in the pack":      rewrite(t, good, only("pack/", flip)),
		"a flipped byte in the tree":      rewrite(t, good, only("man/", flip)),
		"a flipped byte in the locator":   rewrite(t, good, only("loc/", flip)),
		"a flipped byte in the timestamp": rewrite(t, good, only("timestamp", flip)),
		"a flipped byte in the bin":       rewrite(t, good, only("meta/1.bin", flip)),
		"a cut pack":                      rewrite(t, good, only("pack/", cut)),
		"no pack":                         rewrite(t, good, without("pack/")),
		"no snapshot":                     rewrite(t, good, without("meta/1.snapshot")),
		"no root":                         rewrite(t, good, without("1.root")),
		"no head":                         rewrite(t, good, without("sandbox-bundle")),
		"a head of another type (B23)":    rewrite(t, good, only("sandbox-bundle", func([]byte) []byte { return []byte(`{"type":"sandbox-tree","format":1,"refs":[]}`) })),
		"a head without refs":             rewrite(t, good, only("sandbox-bundle", func([]byte) []byte { return []byte(`{"type":"sandbox-bundle","format":1,"refs":[]}`) })),
		"a head with an odd ref":          rewrite(t, good, only("sandbox-bundle", func([]byte) []byte { return []byte(`{"type":"sandbox-bundle","format":1,"refs":["app/../../x/y"]}`) })),
		"a head that names what is missing": rewrite(t, good, only("sandbox-bundle", func([]byte) []byte {
			return []byte(`{"type":"sandbox-bundle","format":1,"refs":["app/org.example.Other/x86_64/stable"]}`)
		})),
		"a head of a later format":     rewrite(t, good, only("sandbox-bundle", func([]byte) []byte { return []byte(`{"type":"sandbox-bundle","format":2,"refs":["x"]}`) })),
		"a path upwards":               rewrite(t, good, renamed("pack/", "../../canary")),
		"an absolute path":             rewrite(t, good, renamed("pack/", canary)),
		"a name with a backslash":      rewrite(t, good, nil, reg("a\\b", 1)),
		"a hidden name":                rewrite(t, good, nil, reg(".x", 1)),
		"a symbolic link for the pack": rewrite(t, good, typed("pack/", tar.TypeSymlink, canary)),
		"a hard link for the pack":     rewrite(t, good, typed("pack/", tar.TypeLink, "1.root.json")),
		"a directory for the pack":     rewrite(t, good, typed("pack/", tar.TypeDir, "")),
		"a fifo for the pack":          rewrite(t, good, typed("pack/", tar.TypeFifo, "")),
		"a device for the pack":        rewrite(t, good, typed("pack/", tar.TypeChar, "")),
		"a name twice":                 rewrite(t, good, nil, reg("timestamp.json", 10)),
		"nothing":                      rewrite(t, good, func(*tar.Header, []byte) ([]byte, bool) { return nil, false }),
	} {
		t.Run(name, func(t *testing.T) {
			there := b.elsewhere()
			there.T = t
			c := there.client()
			f, err := c.OpenFile(t.Context(), path)
			if err == nil {
				defer f.Close()
				if err = f.Trust(); err == nil {
					var p *Plan
					if p, err = c.PlanFile(t.Context(), f, nil, PlanOptions{}); err == nil {
						p.Settle(func(*Step) Need { return 0xff })
						_, err = c.Apply(t.Context(), p)
					}
				}
			}
			if err == nil {
				t.Error("installed")
			}
			there.sound("")
		})
	}
	if text, err := os.ReadFile(canary); err != nil || string(text) != "alive" {
		t.Errorf("the canary: %q, %v", text, err)
	}
	there := b.elsewhere()
	if _, _, err := there.installFile(rewrite(t, good, nil), true, 0); err != nil {
		t.Errorf("the good one: %v", err)
	}
	there.sound("1.0")
}

func TestCarriedFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	b := &bench{T: t, store: filepath.Join(dir, "store")}
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("hello\n"), "zeros": make([]byte, 1<<20), "short": make([]byte, 100)} {
		path := filepath.Join(dir, name)
		os.WriteFile(path, data, 0o644)
		if _, err := b.client().OpenFile(t.Context(), path); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "gone"), "/dev/zero"} {
		if _, err := b.client().OpenFile(t.Context(), path); err == nil {
			t.Errorf("%s: opened", path)
		}
	}
}

// The same state of a repository gives the same file, whatever else this machine has
// asked it.
func TestDownloadIsStable(t *testing.T) {
	b := newBench(t, withRuntime(edit("1.0")), runtimeBundle("1"), repotest.App("org.other.Draw", "1.0"))
	b.repo.Delegations = []repotest.Delegation{{Name: "pub-ann", Patterns: []string{"app/org.other.*/*/*"}, Keys: []repotest.Key{repotest.NewKey("ann")}}}
	b.publish(repotest.App("org.other.Draw", "1.1"))
	var first []byte
	for i := range 8 {
		o := b.elsewhere()
		o.add("main", b.server.URL, b.repo.Fingerprint())
		if i%2 == 1 {
			if _, err := o.client().Search(t.Context(), nil, SearchOptions{}); err != nil {
				t.Fatal(err)
			}
			o.mustInstall("org.other.Draw")
		}
		data, err := os.ReadFile(o.carry("org.example.Edit"))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Errorf("download %d differs", i)
		}
	}
	o := b.elsewhere()
	if _, _, err := o.installFile(b.carry("org.example.Edit"), true, 0); err != nil {
		t.Error(err)
	}
	o.sound("1.0")
}

func TestDownloadFails(t *testing.T) {
	b := newBench(t, heavy("1.0"))
	dir := t.TempDir()
	for name, hook := range map[string]repotest.Hook{
		"a flipped byte": repotest.Only("pack/", repotest.Changed(flip)),
		"a cut pack":     repotest.Only("pack/", repotest.Changed(cut)),
		"no pack":        repotest.Only("pack/", repotest.Missing),
	} {
		b.server.Misbehave(hook)
		if _, err := b.client().Download(t.Context(), want(t, "Edit"), PlanOptions{}, filepath.Join(dir, "x.sandbox")); err == nil {
			t.Errorf("%s: written", name)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	other := repotest.New()
	other.Keys["root"] = []repotest.Key{repotest.NewKey("other root")}
	other.Release(repotest.App("org.example.Draw", "1"))
	other.Publish()
	b.server.Misbehave(nil)
	b.add("other", repotest.Serve(t, other).URL, other.Fingerprint())
	if _, err := b.client().Download(t.Context(), want(t, "Edit", "Draw"), PlanOptions{}, filepath.Join(dir, "x.sandbox")); err == nil || hint.Of(err) == "" {
		t.Errorf("of two repositories: %v", err)
	}
}

var _ remote.Source = (*remote.TarFile)(nil)
