package testapps

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Several test processes ask for the same bundle at once: one builds it.
func TestParallel(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dirs := make([]string, 4)
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() { dirs[i], _ = Bundle(t, "org.example.Hello") })
	}
	wg.Wait()
	for _, d := range dirs {
		if d == "" || d != dirs[0] {
			t.Errorf("bundles %q", dirs)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*", "project-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestHomeOfSomebodyElse(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir, err := home()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := home(); err == nil {
		t.Error("a directory that everybody can write to was accepted")
	}
	os.Remove(dir)
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := home(); err == nil {
		t.Error("a link was accepted")
	}
}
