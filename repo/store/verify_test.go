package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/e2e"
	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/bundle"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// damages are ways in which a release can be spoilt, and what is said of it.
var damages = []struct {
	name  string
	spoil func(t *testing.T, dir string)
	path  string // which of its names is told
	words string
	fetch bool // to repair it, something has to be fetched again
}{
	{"a byte is flipped", func(t *testing.T, dir string) {
		f, err := os.OpenFile(dir+"/files/share/version", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteAt([]byte("X"), 0)
	}, "files/share/version", "content has changed", true},
	{"a file is longer", func(t *testing.T, dir string) {
		f, _ := os.OpenFile(dir+"/files/share/version", os.O_WRONLY|os.O_APPEND, 0)
		defer f.Close()
		f.WriteString("more")
	}, "files/share/version", "bytes, not", true},
	{"a file is another", func(t *testing.T, dir string) {
		os.Remove(dir + "/files/share/version")
		os.WriteFile(dir+"/files/share/version", []byte("X\n"), 0o644)
	}, "files/share/version", "content has changed", false},
	{"a file is gone", func(t *testing.T, dir string) { os.Remove(dir + "/files/share/version") }, "files/share/version", "missing", false},
	{"a file is more", func(t *testing.T, dir string) { os.WriteFile(dir+"/files/bin/ls", nil, 0o755) }, "files/bin/ls", "does not belong", false},
	{"a directory is more", func(t *testing.T, dir string) { os.Mkdir(dir+"/usr", 0o755) }, "usr", "does not belong", false},
	{"a file is executable", func(t *testing.T, dir string) { os.Chmod(dir+"/files/share/version", 0o755) }, "files/share/version", "mode is 0755", false},
	{"a file is setuid", func(t *testing.T, dir string) { os.Chmod(dir+"/files/bin/edit", 0o755|os.ModeSetuid) }, "files/bin/edit", "mode is 04755", false},
	{"a directory is open", func(t *testing.T, dir string) { os.Chmod(dir+"/files/bin", 0o777) }, "files/bin", "mode is 0777", false},
	{"the release is open", func(t *testing.T, dir string) { os.Chmod(dir, 0o777) }, "", "mode is 0777", false},
	{"a link leads elsewhere", func(t *testing.T, dir string) {
		os.Remove(dir + "/files/bin/e")
		os.Symlink("/etc/passwd", dir+"/files/bin/e")
	}, "files/bin/e", "not the link", false},
	{"a link is longer", func(t *testing.T, dir string) {
		os.Remove(dir + "/files/bin/e")
		os.Symlink("edit2", dir+"/files/bin/e")
	}, "files/bin/e", "not the link", false},
	{"a file is a link", func(t *testing.T, dir string) {
		os.Remove(dir + "/files/share/version")
		os.Symlink("/etc/passwd", dir+"/files/share/version")
	}, "files/share/version", "cannot be opened", false},
	{"a file is a FIFO", func(t *testing.T, dir string) {
		os.Remove(dir + "/files/share/version")
		unix.Mkfifo(dir+"/files/share/version", 0o644)
	}, "files/share/version", "something else", false},
	{"a directory is a link", func(t *testing.T, dir string) {
		os.Rename(dir+"/files/share", dir+"/../moved")
		t.Cleanup(func() { os.RemoveAll(dir + "/../moved") })
		os.Symlink("../../moved", dir+"/files/share")
	}, "files/share", "cannot be opened", false},
	{"the manifest asks for more", func(t *testing.T, dir string) {
		f, _ := os.OpenFile(dir+"/sandbox.toml", os.O_WRONLY|os.O_APPEND, 0)
		defer f.Close()
		f.WriteString("[permissions]\n\"network:host\" = \"x\"\n")
	}, "sandbox.toml", "bytes, not", false},
	{"an empty file is not", func(t *testing.T, dir string) { os.WriteFile(dir+"/files/share/empty", []byte("x"), 0o644) }, "files/share/empty", "bytes, not", false},
	{"all is gone", func(t *testing.T, dir string) { os.RemoveAll(dir) }, "", "cannot be opened", false},
	{"the lock file is gone", func(t *testing.T, dir string) { os.Remove(dir + ".lock") }, "", "lock file", false},
}

func TestVerifyFinds(t *testing.T) {
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t)
			l := storetest.Lock(t, s)
			source := editor(t, "1", nil)
			rec := storetest.Deploy(t, s, l, source, "stable", 1)
			storetest.Deploy(t, s, l, editorOther(t), "stable", 1)
			if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
				t.Fatalf("sound: %v %v", found, err)
			}
			c.spoil(t, s.BundleDir(rec))
			found, err := s.Verify(t.Context(), store.VerifyOptions{})
			i := slices.IndexFunc(found, func(d store.Damage) bool {
				return d.Ref == editRef && d.N == 1 && d.Path == c.path && strings.Contains(d.Problem, c.words)
			})
			if err != nil || i < 0 {
				t.Errorf("%q of %q is not among %v, %v", c.words, c.path, found, err)
			}
			if found, err := s.Verify(t.Context(), store.VerifyOptions{Refs: []repo.Ref{otherRef}}); err != nil || len(found) > 0 {
				t.Errorf("another app: %v %v", found, err)
			}

			// And it is mended; what is lost, only from where it came.
			fetched := 0
			fetch := func(_ context.Context, n store.Need) error {
				fetched++
				b := bench{t: t, s: s, l: l}
				return b.fillFrom(source)
			}
			if c.fetch {
				r, err := s.Repair(t.Context(), l, nil)
				if err == nil || len(r.Left) == 0 {
					t.Errorf("repaired out of nothing: %+v", r)
				}
			}
			r, err := s.Repair(t.Context(), l, fetch)
			if err != nil || len(r.Left) > 0 || r.Releases != 1 || (fetched > 0) != c.fetch {
				t.Errorf("repair: %+v, %v, fetched %d times", r, err, fetched)
			}
			want, _ := bundle.Digest(source)
			if got, err := bundle.Digest(s.BundleDir(rec)); err != nil || got != want {
				t.Errorf("it is another bundle: %v", err)
			}
		})
	}
}

var otherRef = repo.Ref{Kind: "app", ID: "org.example.Other", Arch: "any", Channel: "stable"}

func editorOther(t testing.TB) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Other\"\nversion = \"1\"\ncommand = \"other\"\narch = [\"any\"]\n", map[string]string{"files/bin/other": "=x"})
}

func TestVerifyFindsContents(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	data := []byte("of no release")
	if err := s.WriteObject(repo.Sum(data), int64(len(data)), false, strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	h := repo.Sum(data).String()
	name := filepath.Join(s.Dir(), "objects", h[:2], h+".f")
	for what, spoil := range map[string]func(){
		"content has changed": func() { os.WriteFile(name, []byte("spoilt"), 0o644) },
		"mode is 0666":        func() { os.Chmod(name, 0o666) },
		"no file":             func() { os.Remove(name); os.Symlink("/etc/passwd", name) },
	} {
		s.WriteObject(repo.Sum(data), int64(len(data)), false, strings.NewReader(string(data)))
		spoil()
		found, err := s.Verify(t.Context(), store.VerifyOptions{})
		if err != nil || len(found) != 1 || !strings.Contains(found[0].Problem, what) || found[0].Object != repo.Sum(data) {
			t.Errorf("%s: %v %v", what, found, err)
		}
		if r, err := s.Repair(t.Context(), l, nil); err != nil || len(r.Left) > 0 || s.HasObject(repo.Sum(data), false) {
			t.Errorf("%s: %+v %v", what, r, err)
		}
	}
}

func TestVerifyFindsAttributes(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	rec := storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	if err := unix.Setxattr(filepath.Join(s.BundleDir(rec), "files/bin/edit"), "user.x", []byte("y"), 0); err != nil {
		testenv.Skip(t, "needs user attributes: %v", err)
	}
	found, err := s.Verify(t.Context(), store.VerifyOptions{})
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Problem, `attribute "user.x"`) {
		t.Errorf("%v %v", found, err)
	}
}

// A record, a tree file, or the link that says what is current.
func TestRepairOfTheStoreItself(t *testing.T) {
	source := editor(t, "1", nil)
	for _, c := range []struct {
		name  string
		spoil func(ref, dir, tree string)
		words string
		left  bool
	}{
		{"the tree file has changed", func(_, _, tree string) { os.WriteFile(tree, []byte("x"), 0o644) }, "changed since", false},
		{"the tree file is gone", func(_, _, tree string) { os.Remove(tree) }, "not in the store", false},
		{"current leads nowhere", func(ref, _, _ string) { os.Remove(ref + "/current"); os.Symlink("9-0123456789ab", ref+"/current") }, "has no record", false},
		{"current is nonsense", func(ref, _, _ string) { os.Remove(ref + "/current"); os.Symlink("/etc", ref+"/current") }, "cannot be told", false},
		{"the record is nonsense", func(_, dir, _ string) { os.WriteFile(dir+".json", []byte("{}"), 0o644) }, "record cannot be read", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t)
			l := storetest.Lock(t, s)
			rec := storetest.Deploy(t, s, l, source, "stable", 1)
			h := rec.Release.Tree.String()
			dir := s.BundleDir(rec)
			c.spoil(filepath.Dir(dir), dir, filepath.Join(s.Dir(), "trees", h[:2], h))
			found, err := s.Verify(t.Context(), store.VerifyOptions{})
			if err != nil || len(found) != 1 || !strings.Contains(found[0].Problem, c.words) {
				t.Errorf("%v %v", found, err)
			}
			r, err := s.Repair(t.Context(), l, func(_ context.Context, n store.Need) error {
				b := bench{t: t, s: s, l: l}
				return b.fillFrom(source)
			})
			if (err != nil || len(r.Left) > 0) != c.left {
				t.Errorf("repair: %+v %v", r, err)
			}
			if c.left && hint.Of(err) == "" {
				t.Errorf("no way out of: %v", err)
			}
			if now, err := s.Current(editRef); !c.left && (err != nil || now.Release.N != 1) {
				t.Errorf("current is %d, %v", now.Release.N, err)
			}
		})
	}
}

// What an instance runs from is not exchanged under it.
func TestRepairSparesWhatRuns(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	rec := storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	os.Remove(filepath.Join(s.BundleDir(rec), "files/bin/e"))
	fd, err := unix.Open(s.BundleDir(rec)+".lock", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil || disk.TryShared(fd) != nil {
		t.Fatal(err)
	}
	r, err := s.Repair(t.Context(), l, nil)
	if err == nil || !strings.Contains(hint.Of(err), "sandbox stop") || len(r.Left) != 1 || !strings.Contains(err.Error(), "an instance runs") {
		t.Errorf("%+v %v", r, err)
	}
	unix.Close(fd)
	if r, err := s.Repair(t.Context(), l, nil); err != nil || r.Releases != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestVerifyCanBeStopped(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Verify(ctx, store.VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var last, total int64
	if _, err := s.Verify(t.Context(), store.VerifyOptions{Progress: func(d, t int64) { last, total = d, t }}); err != nil || last != total || total == 0 {
		t.Errorf("progress ends at %d of %d, %v", last, total, err)
	}
}
