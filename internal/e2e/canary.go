package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Canary is a directory outside every grant. A test passes when it is as it
// was: contents, modes, owners, link counts, inodes and names.
type Canary struct {
	Dir    string
	File   string // a file in it
	Secret string // what the file says
	before string
	t      testing.TB
}

// NewCanary makes one, and checks it at the end of the test.
func NewCanary(t testing.TB) *Canary {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb-canary-")
	if err != nil {
		t.Fatal(err)
	}
	return CanaryIn(t, dir)
}

// CanaryIn makes one of an existing directory, which it removes at the end.
func CanaryIn(t testing.TB, dir string) *Canary {
	t.Helper()
	c := &Canary{Dir: dir, File: filepath.Join(dir, "secret"), Secret: "canary-" + filepath.Base(dir), t: t}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, c.File, []byte(c.Secret), 0o644)
	put(t, filepath.Join(dir, "sub/inner"), []byte("inner"), 0o600)
	c.before = Snapshot(dir)
	t.Cleanup(func() {
		c.Check()
		os.RemoveAll(dir)
	})
	return c
}

// Check compares now.
func (c *Canary) Check() {
	c.t.Helper()
	if now := Snapshot(c.Dir); now != c.before {
		c.t.Errorf("the canary was touched:\nbefore:\n%safter:\n%s", c.before, now)
	}
}

// Snapshot describes a tree, a line for each file.
func Snapshot(dir string) string {
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", path, err)
			return nil
		}
		var st unix.Stat_t
		unix.Lstat(path, &st)
		fmt.Fprintf(&b, "%s ino=%d mode=%o uid=%d gid=%d links=%d", path, st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink)
		if d.Type().IsRegular() {
			fmt.Fprintf(&b, " %q", Read(path))
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}
