package bundle

import (
	"os"
	"path/filepath"
	"testing"
)

// Everything that writes a bundle leans on os.Root. These are the ways out of
// it that releases of Go had; go.mod asks for one without them, and this asks
// the toolchain at hand.
// (B49)
func TestRootHolds(t *testing.T) {
	setup := func(t *testing.T) (root *os.Root, inside, outside string) {
		top := t.TempDir()
		inside, outside = filepath.Join(top, "inside"), filepath.Join(top, "outside")
		for _, dir := range []string{inside, outside, filepath.Join(inside, "d")} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(outside, "canary"), "canary", 0o600)
		write(t, filepath.Join(inside, "d/canary"), "x", 0o644)
		if err := os.Symlink(outside, filepath.Join(inside, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(outside, "canary"), filepath.Join(inside, "file")); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(inside)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			root.Close()
			info, err := os.Stat(filepath.Join(outside, "canary"))
			if err != nil || info.Size() != 6 || info.Mode() != 0o600 {
				t.Errorf("the canary is now %v (%v)", info, err)
			}
			if names, _ := os.ReadDir(outside); len(names) != 1 {
				t.Errorf("outside there is now %v", names)
			}
		})
		return root, inside, outside
	}
	t.Run("CVE-2025-22873 parent with a slash", func(t *testing.T) {
		root, _, _ := setup(t)
		for _, name := range []string{"..", "../", "../.", "d/../../", "d/../..", "./../", "../outside/canary"} {
			if f, err := root.Open(name); err == nil {
				f.Close()
				t.Errorf("Open(%q) succeeds", name)
			}
			if r, err := root.OpenRoot(name); err == nil {
				r.Close()
				t.Errorf("OpenRoot(%q) succeeds", name)
			}
			if _, err := root.Stat(name); err == nil {
				t.Errorf("Stat(%q) succeeds", name)
			}
		}
	})
	t.Run("CVE-2026-39822 link with a slash", func(t *testing.T) {
		root, _, _ := setup(t)
		for _, name := range []string{"link/", "link/.", "link/canary", "./link/", "d/../link/"} {
			if f, err := root.Open(name); err == nil {
				f.Close()
				t.Errorf("Open(%q) succeeds", name)
			}
			if r, err := root.OpenRoot(name); err == nil {
				r.Close()
				t.Errorf("OpenRoot(%q) succeeds", name)
			}
			if _, err := root.Stat(name); err == nil {
				t.Errorf("Stat(%q) succeeds", name)
			}
		}
		root.Mkdir("link/new", 0o755)
		root.Remove("link/canary")
		root.RemoveAll("link/canary")
		root.Rename("d/canary", "link/stolen")
		root.WriteFile("link/new", []byte("x"), 0o644)
	})
	t.Run("CVE-2026-32282 modes through a link", func(t *testing.T) {
		root, _, _ := setup(t)
		if err := root.Chmod("file", 0o777); err == nil {
			t.Error("Chmod follows a link out")
		}
		if err := root.WriteFile("file", []byte("overwritten"), 0o644); err == nil {
			t.Error("WriteFile follows a link out")
		}
	})
	t.Run("CVE-2026-27139 a directory that was swapped", func(t *testing.T) {
		root, inside, outside := setup(t)
		d, err := root.Open("d")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := os.Rename(filepath.Join(inside, "d"), filepath.Join(inside, "was-d")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(inside, "d")); err != nil {
			t.Fatal(err)
		}
		entries, err := d.ReadDir(-1)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		if info, err := entries[0].Info(); err == nil && info.Size() != 1 {
			t.Errorf("ReadDir describes the file outside: %d bytes", info.Size())
		}
	})
}
