package snapshot_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
	"sandbox/repo/snapshot"
)

// onXFS mounts a file system that can clone.
func onXFS(t *testing.T) string {
	t.Helper()
	testenv.NeedRoot(t)
	mkfs := testenv.NeedCommand(t, "mkfs.xfs")
	mount := testenv.NeedCommand(t, "mount")
	dir := testenv.ShortDir(t)
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 400<<20); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{mkfs, "-q", image}, {mount, "-o", "loop", image, at}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			testenv.Skip(t, "needs an XFS on a loop device: %q: %v: %s", c, err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	return at
}

// Where the file system can, a copy is a clone: it takes no time and no place, and
// is a copy all the same.
func TestClones(t *testing.T) {
	at := onXFS(t)
	h, home := in(t, at)
	if err := os.WriteFile(home+"/large", bytes.Repeat([]byte("0123456789abcdef"), 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	used := func() uint64 {
		var st unix.Statfs_t
		unix.Sync()
		if err := unix.Statfs(at, &st); err != nil {
			t.Fatal(err)
		}
		return (st.Blocks - st.Bfree) * uint64(st.Bsize)
	}
	before := used()
	i := create(t, h, snapshot.Options{})
	if more := used() - before; i.Copied != 0 || i.Bytes != 64<<20 || more > 4<<20 {
		t.Errorf("it takes %d bytes more: %+v", more, i)
	}
	f, err := os.OpenFile(home+"/large", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("SPOILT")
	f.Close()
	start := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data[:16])
	}
	if got := start(copyOf(h, i.Name) + "/large"); got != "0123456789abcdef" {
		t.Errorf("the snapshot begins with %q", got)
	}
	saved := restore(t, h, i.Name)
	if got := start(home + "/large"); got != "0123456789abcdef" {
		t.Errorf("the home begins with %q", got)
	}
	if got := start(copyOf(h, saved.Name) + "/large"); got != "SPOILT6789abcdef" {
		t.Errorf("what was replaced begins with %q", got)
	}
	if more := used() - before; more > 8<<20 {
		t.Errorf("all of it takes %d bytes more", more)
	}
}
