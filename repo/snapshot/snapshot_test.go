package snapshot_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo/snapshot"
)

// app makes an app with an empty home, in a directory with a short path.
func app(t testing.TB) (*snapshot.Home, string) {
	t.Helper()
	data := testenv.ShortDir(t)
	t.Cleanup(func() { open(data) })
	return in(t, data)
}

func in(t testing.TB, data string) (*snapshot.Home, string) {
	t.Helper()
	h := snapshot.Of(disk.Dirs{Data: data}, "org.example.Edit")
	home := filepath.Join(h.Dir(), "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return h, home
}

// open makes everything removable for the end of a test.
func open(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, h *snapshot.Home, o snapshot.Options) snapshot.Info {
	t.Helper()
	if o.Reason == "" {
		o.Reason = snapshot.Manual
	}
	i, err := h.Create(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func restore(t testing.TB, h *snapshot.Home, name string) snapshot.Info {
	t.Helper()
	i, err := h.Restore(t.Context(), name, snapshot.Options{Reason: snapshot.Restored})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func copyOf(h *snapshot.Home, name string) string {
	return filepath.Join(h.Dir(), "snapshots", name, "home")
}

// tell is a tree as text: every name with its kind, mode, owner, time and content.
func tell(t testing.TB, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%q %o %d:%d", rel, st.Mode, st.Uid, st.Gid)
		if rel != "." { // to move a directory changes its time on some file systems
			line += fmt.Sprint(" ", st.Mtim.Nano())
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(p)
			if err != nil {
				data = []byte("unreadable")
			}
			line += fmt.Sprintf(" %d %x", st.Size, sha256.Sum256(data))
		case unix.S_IFLNK:
			to, _ := os.Readlink(p)
			line += " -> " + to
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// fill makes everything that an app can make.
func fill(t testing.TB, home string) {
	t.Helper()
	write(t, home+"/.config/edit.conf", "tabs = 4\n")
	write(t, home+"/empty", "")
	write(t, home+"/new\nline \xff \"q\"", "odd name")
	write(t, home+"/twice", "one file, two names")
	os.Link(home+"/twice", home+"/again")
	os.Mkdir(home+"/nothing", 0o755)
	os.Symlink("/etc/passwd", home+"/outside")
	os.Symlink("nowhere", home+"/dangling")
	os.Symlink(".", home+"/circle")
	write(t, home+"/secret", "unreadable")
	os.Chmod(home+"/secret", 0)
	write(t, home+"/closed/inner", "in a closed directory")
	os.Chmod(home+"/closed", 0)
	write(t, home+"/readonly/inner", "in a directory nobody may write to")
	os.Chmod(home+"/readonly", 0o555)
	if err := unix.Mkfifo(home+"/fifo", 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, home+"/setid", "x")
	os.Chmod(home+"/setid", 0o755|os.ModeSticky)
	f, err := os.Create(home + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("middle"), 1<<20)
	f.Truncate(64 << 20)
	f.Close()
	os.Chtimes(home+"/.config/edit.conf", time.Unix(1000, 5), time.Unix(2000, 7))
	os.Chtimes(home+"/.config", time.Unix(1000, 5), time.Unix(3000, 9))
}

func TestSnapshotIsTheHome(t *testing.T) {
	h, home := app(t)
	fill(t, home)
	before := tell(t, home)
	i := create(t, h, snapshot.Options{N: 3, Version: "1.2", Note: "as it was"})
	if got := tell(t, copyOf(h, i.Name)); got != before {
		t.Errorf("the copy differs:\n%s\nthe home:\n%s", got, before)
	}
	if got := tell(t, home); got != before {
		t.Errorf("the home was changed:\n%s\nbefore:\n%s", got, before)
	}
	if i.Files != 10 || i.N != 3 || i.Version != "1.2" || i.Note != "as it was" || i.App != "org.example.Edit" || i.Running {
		t.Errorf("it says of itself: %+v", i)
	}
	// A hole takes no place in the copy either.
	var st unix.Stat_t
	if err := unix.Stat(copyOf(h, i.Name)+"/sparse", &st); err != nil || st.Blocks > 4096 {
		t.Errorf("a sparse file takes %d blocks, %v", st.Blocks, err)
	}
	var a, b unix.Stat_t
	unix.Stat(copyOf(h, i.Name)+"/twice", &a)
	if unix.Stat(copyOf(h, i.Name)+"/again", &b); a.Ino != b.Ino || a.Nlink != 2 {
		t.Error("a file of two names became two files")
	}
	infos, err := h.List()
	if err != nil || len(infos) != 1 || infos[0] != i {
		t.Errorf("the list is %+v, %v", infos, err)
	}
}

func TestRestore(t *testing.T) {
	h, home := app(t)
	fill(t, home)
	before := tell(t, home)
	i := create(t, h, snapshot.Options{})
	open(home)
	os.Remove(home + "/empty")
	write(t, home+"/.config/edit.conf", "spoilt")
	write(t, home+"/more", "new")
	spoilt := tell(t, home)
	saved := restore(t, h, i.Name)
	if got := tell(t, home); got != before {
		t.Errorf("the home is now:\n%s\nit was:\n%s", got, before)
	}
	// The restore can be undone.
	if saved.Reason != snapshot.Restored || tell(t, copyOf(h, saved.Name)) != spoilt {
		t.Errorf("what was replaced is not kept: %+v", saved)
	}
	restore(t, h, saved.Name)
	if got := tell(t, home); got != spoilt {
		t.Errorf("undone, the home is:\n%s\nwant:\n%s", got, spoilt)
	}
	// And without any home.
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	if saved := restore(t, h, i.Name); saved.Name != "" {
		t.Errorf("a home that was not there is kept: %+v", saved)
	}
	if got := tell(t, home); got != before {
		t.Errorf("out of nothing, the home is:\n%s\nwant:\n%s", got, before)
	}
}

// An app may write to its files in place: a copy must not share them with the home.
func TestCopySharesNothingWithTheHome(t *testing.T) {
	h, home := app(t)
	write(t, home+"/db", "first")
	old := time.Now().Add(-time.Hour)
	os.Chtimes(home+"/db", old, old)
	one := create(t, h, snapshot.Options{})
	f, err := os.OpenFile(home+"/db", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("SPOIL")
	f.Close()
	os.Chtimes(home+"/db", old, old) // the time a program can set back
	if data, _ := os.ReadFile(copyOf(h, one.Name) + "/db"); string(data) != "first" {
		t.Errorf("the snapshot holds %q", data)
	}
	two := create(t, h, snapshot.Options{})
	if data, _ := os.ReadFile(copyOf(h, two.Name) + "/db"); string(data) != "SPOIL" {
		t.Errorf("the second snapshot holds %q", data)
	}
	restore(t, h, one.Name)
	f, _ = os.OpenFile(home+"/db", os.O_WRONLY, 0)
	f.WriteString("AGAIN")
	f.Close()
	if data, _ := os.ReadFile(copyOf(h, one.Name) + "/db"); string(data) != "first" {
		t.Errorf("after a restore, the snapshot holds %q", data)
	}
}

// What has not changed takes no more place.
func TestUnchangedFilesAreShared(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the clock")
	}
	h, home := app(t)
	write(t, home+"/dir/same", "same")
	write(t, home+"/dir/other", "first")
	write(t, home+"/forged", "first")
	old := time.Now().Add(-time.Hour)
	os.Chtimes(home+"/forged", old, old)
	time.Sleep(3200 * time.Millisecond) // what is younger is copied again
	one := create(t, h, snapshot.Options{})
	write(t, home+"/dir/other", "secnd")
	write(t, home+"/forged", "secnd")
	os.Chtimes(home+"/forged", old, old) // a program can set this time, and not the other
	two := create(t, h, snapshot.Options{})
	ino := func(i snapshot.Info, name string) uint64 {
		var st unix.Stat_t
		if err := unix.Stat(copyOf(h, i.Name)+name, &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	if ino(one, "/dir/same") != ino(two, "/dir/same") {
		t.Error("an unchanged file was copied again")
	}
	if ino(one, "/dir/other") == ino(two, "/dir/other") {
		t.Error("a changed file was not copied")
	}
	if data, _ := os.ReadFile(copyOf(h, two.Name) + "/forged"); string(data) != "secnd" {
		t.Errorf("a file with an old time was taken for unchanged: %q", data)
	}
	if one.Bytes != 14 || two.Bytes != 14 || two.Copied > 10 {
		t.Errorf("sizes: %+v %+v", one, two)
	}
	// Without the first, the second is still whole.
	if err := h.Delete(t.Context(), one.Name); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(copyOf(h, two.Name) + "/dir/same"); string(data) != "same" {
		t.Errorf("the second snapshot holds %q", data)
	}
	// Of what is young it is not known whether it changes once more within a tick.
	write(t, home+"/young", "a")
	three := create(t, h, snapshot.Options{})
	four := create(t, h, snapshot.Options{})
	if ino(three, "/young") == ino(four, "/young") {
		t.Error("a file that may have changed within one tick was not copied")
	}
}

func TestRunningApp(t *testing.T) {
	h, home := app(t)
	write(t, home+"/f", "x")
	first := create(t, h, snapshot.Options{})
	fd, err := unix.Open(filepath.Join(h.Dir(), disk.HomeLock), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(disk.TryShared(fd), disk.PassGate(fd)); err != nil {
		t.Fatal(err)
	}
	_, err = h.Create(t.Context(), snapshot.Options{})
	if !errors.Is(err, snapshot.ErrRunning) || !strings.Contains(hint.Of(err), "sandbox stop") {
		t.Errorf("create: %v (hint %q)", err, hint.Of(err))
	}
	if _, err = h.Restore(t.Context(), first.Name, snapshot.Options{}); !errors.Is(err, snapshot.ErrRunning) {
		t.Errorf("restore: %v", err)
	}
	if err = h.RemoveAll(t.Context()); !errors.Is(err, snapshot.ErrRunning) {
		t.Errorf("remove: %v", err)
	}
	var order []string
	i, err := h.Create(t.Context(), snapshot.Options{Freeze: func() (func(), error) {
		order = append(order, "freeze")
		if _, err := os.Stat(copyOf(h, "x")); err == nil {
			t.Error("something was copied before")
		}
		return func() { order = append(order, "thaw") }, nil
	}})
	if err != nil || !i.Running || strings.Join(order, " ") != "freeze thaw" {
		t.Errorf("held still: %+v, %v, %v", i, order, err)
	}
	broken := errors.New("cannot hold it")
	if _, err := h.Create(t.Context(), snapshot.Options{Freeze: func() (func(), error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Errorf("cannot be held: %v", err)
	}
	disk.Unlock(fd)
	if _, err := h.Restore(t.Context(), first.Name, snapshot.Options{}); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestAutomaticOnesAreFew(t *testing.T) {
	h, home := app(t)
	write(t, home+"/f", "x")
	kept := create(t, h, snapshot.Options{Note: "mine"})
	for n := uint64(1); n < 9; n++ {
		create(t, h, snapshot.Options{Reason: snapshot.Update, N: n})
	}
	infos, err := h.List()
	if err != nil || len(infos) != 1+snapshot.Kept || infos[0] != kept || infos[1].N != 9-snapshot.Kept {
		t.Errorf("there are %+v, %v", infos, err)
	}
	if i, err := h.Before(6); err != nil || i.N != 6 {
		t.Errorf("before 6: %+v %v", i, err)
	}
	if _, err := h.Before(2); err == nil {
		t.Error("a snapshot that is gone is found")
	}
}

func TestNoHome(t *testing.T) {
	h := snapshot.Of(disk.Dirs{Data: t.TempDir()}, "org.example.Edit")
	if _, err := h.Create(t.Context(), snapshot.Options{}); !errors.Is(err, snapshot.ErrNoHome) {
		t.Errorf("create: %v", err)
	}
	if infos, err := h.List(); err != nil || len(infos) > 0 {
		t.Errorf("list: %v %v", infos, err)
	}
	if err := h.RemoveAll(t.Context()); err != nil {
		t.Errorf("remove: %v", err)
	}
	if h.Exists() {
		t.Error("it is said to exist")
	}
}

// An app that was there once must not lead a copy out of its home.
func TestHostileHomes(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	write(t, canary+"/file", "untouched")
	before := tell(t, canary)
	t.Run("the home is a link", func(t *testing.T) {
		h, home := app(t)
		os.Remove(home)
		os.Symlink(canary, home)
		if i, err := h.Create(t.Context(), snapshot.Options{}); err == nil {
			t.Errorf("it is copied: %+v", i)
		}
		if h.Exists() {
			t.Error("it passes for a home")
		}
	})
	t.Run("links in it", func(t *testing.T) {
		h, home := app(t)
		os.Symlink(canary, home+"/dir")
		os.Symlink(canary+"/file", home+"/file")
		i := create(t, h, snapshot.Options{})
		if st, err := os.Lstat(copyOf(h, i.Name) + "/dir"); err != nil || st.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link was followed: %v %v", st, err)
		}
		restore(t, h, i.Name)
		if err := h.RemoveAll(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a directory becomes a link between two snapshots", func(t *testing.T) {
		h, home := app(t)
		write(t, home+"/dir/file", "untouched")
		create(t, h, snapshot.Options{})
		os.RemoveAll(home + "/dir")
		os.Symlink(canary, home+"/dir")
		i := create(t, h, snapshot.Options{})
		os.Remove(home + "/dir")
		write(t, home+"/dir/file", "untouched")
		j := create(t, h, snapshot.Options{})
		var a, b unix.Stat_t
		unix.Stat(canary+"/file", &a)
		if unix.Stat(copyOf(h, j.Name)+"/dir/file", &b); a.Ino == b.Ino {
			t.Error("a file of the host was linked into the snapshot")
		}
		restore(t, h, i.Name)
	})
	t.Run("a directory and a link change places", func(t *testing.T) {
		h, home := app(t)
		write(t, home+"/a/file", "mine")
		os.Symlink(canary, home+"/b")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 4000 {
				unix.Renameat2(unix.AT_FDCWD, home+"/a", unix.AT_FDCWD, home+"/b", unix.RENAME_EXCHANGE)
			}
		}()
		for racing := true; racing; {
			select {
			case <-done:
				racing = false
			default:
			}
			i, err := h.Create(context.Background(), snapshot.Options{Reason: snapshot.Manual})
			if err != nil {
				continue
			}
			filepath.WalkDir(copyOf(h, i.Name), func(p string, d fs.DirEntry, err error) error {
				if d != nil && d.Type().IsRegular() {
					if data, _ := os.ReadFile(p); string(data) != "mine" {
						t.Fatalf("%s holds %q", p, data)
					}
				}
				return nil
			})
			h.Delete(context.Background(), i.Name)
		}
	})
	t.Run("names that are no snapshots", func(t *testing.T) {
		h, home := app(t)
		write(t, home+"/f", "x")
		create(t, h, snapshot.Options{})
		for _, name := range []string{"../../../x", "..", "", "home", "20261126T104501Z/../x", "latest", "lock"} {
			if err := h.Delete(t.Context(), name); err == nil {
				t.Errorf("%q is deleted", name)
			}
			if _, err := h.Restore(t.Context(), name, snapshot.Options{}); err == nil {
				t.Errorf("%q is restored", name)
			}
		}
		os.Symlink(canary, filepath.Join(h.Dir(), "snapshots/20200101T000000Z"))
		if _, err := h.Restore(t.Context(), "20200101T000000Z", snapshot.Options{}); err == nil {
			t.Error("a link is restored from")
		}
		if err := h.Delete(t.Context(), "20200101T000000Z"); err != nil {
			t.Errorf("a link is not deleted: %v", err)
		}
	})
	t.Run("another user's directory", func(t *testing.T) {
		h, home := app(t)
		write(t, home+"/f", "x")
		os.Chmod(h.Dir(), 0o777)
		if _, err := h.Create(t.Context(), snapshot.Options{}); err == nil {
			t.Error("it is used")
		}
	})
	if got := tell(t, canary); got != before {
		t.Errorf("the canary is now:\n%s", got)
	}
}

// A socket, on which nobody listens any more, is left out and counted.
func TestSocketsAreLeftOut(t *testing.T) {
	h, home := app(t)
	l, err := net.Listen("unix", home+"/sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i := create(t, h, snapshot.Options{})
	if i.Skipped != 1 {
		t.Errorf("got %+v", i)
	}
	if _, err := os.Lstat(copyOf(h, i.Name) + "/sock"); err == nil {
		t.Error("there is a socket in the copy")
	}
}

// An app can make directories deeper than a path is long. They are left out: were
// they refused, the app could keep itself from ever being updated. And they can be
// removed.
func TestDeepHome(t *testing.T) {
	h, home := app(t)
	deep(t, home, 3000)
	if err := os.WriteFile(filepath.Join(home, "kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	deepest := create(t, h, snapshot.Options{Reason: snapshot.Update})
	if deepest.Skipped != 1 {
		t.Errorf("%d are left out", deepest.Skipped)
	}
	if data, err := os.ReadFile(copyOf(h, deepest.Name) + "/kept"); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
	restore(t, h, deepest.Name) // what was too deep stays in the home that became a snapshot
	if err := h.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(h.Dir()); err == nil {
		t.Error("it is still there")
	}
	h, home = in(t, filepath.Dir(filepath.Dir(h.Dir())))
	deep(t, home, 230)
	i := create(t, h, snapshot.Options{})
	restore(t, h, i.Name)
}

// A lease of a file makes an open of it fail or wait: neither may keep a snapshot
// from being made.
func TestLeasedFile(t *testing.T) {
	h, home := app(t)
	for _, name := range []string{"leased", "plain"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(filepath.Join(home, "leased"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lease := func(kind int) error {
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, kind)
		return err
	}
	if err := lease(unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	i := create(t, h, snapshot.Options{Reason: snapshot.Update})
	if _, err := os.Lstat(copyOf(h, i.Name) + "/leased"); i.Skipped != 1 || err == nil {
		t.Errorf("%d are left out", i.Skipped)
	}
	if data, err := os.ReadFile(copyOf(h, i.Name) + "/plain"); err != nil || string(data) != "plain" {
		t.Errorf("%q, %v", data, err)
	}
	if err := lease(unix.F_UNLCK); err != nil {
		t.Fatal(err)
	}
	i = create(t, h, snapshot.Options{})
	if data, err := os.ReadFile(copyOf(h, i.Name) + "/leased"); err != nil || string(data) != "leased" || i.Skipped != 0 {
		t.Errorf("without a lease: %q, %v, %d left out", data, err, i.Skipped)
	}
}

func deep(t testing.TB, dir string, levels int) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range levels {
		if err := unix.Mkdirat(at, "deep", 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "deep", unix.O_PATH|unix.O_DIRECTORY, 0)
		unix.Close(at)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	unix.Close(at)
}

// Root's apps own their homes by ids of their own.
func TestOwnersStay(t *testing.T) {
	testenv.NeedRoot(t)
	h, home := app(t)
	write(t, home+"/dir/file", "x")
	os.Symlink("x", home+"/link")
	for _, p := range []string{"", "/dir", "/dir/file", "/link"} {
		if err := os.Lchown(home+p, 1_000_000_123, 1_000_000_123); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(home+"/dir/file", 0o6755|os.ModeSetuid)
	i := create(t, h, snapshot.Options{})
	restore(t, h, i.Name)
	for _, p := range []string{"", "/dir", "/dir/file", "/link"} {
		var st unix.Stat_t
		if err := unix.Lstat(home+p, &st); err != nil || st.Uid != 1_000_000_123 || st.Gid != 1_000_000_123 {
			t.Errorf("%q belongs to %d:%d, %v", p, st.Uid, st.Gid, err)
		}
	}
	if st, _ := os.Stat(home + "/dir/file"); st.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		t.Error("a set-id bit was kept")
	}
}

func TestAttributesStay(t *testing.T) {
	h, home := app(t)
	write(t, home+"/f", "x")
	if err := unix.Setxattr(home+"/f", "user.mine", []byte("value"), 0); err != nil {
		testenv.Skip(t, "needs user attributes: %v", err)
	}
	i := create(t, h, snapshot.Options{})
	restore(t, h, i.Name)
	buf := make([]byte, 16)
	if n, err := unix.Getxattr(home+"/f", "user.mine", buf); err != nil || string(buf[:n]) != "value" {
		t.Errorf("got %q, %v", buf[:max(n, 0)], err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"20261126T104501Z": true, "20261126T104501Z-2": true, "20261126T104501Z-1": false, "20261126T104501Z-02": false,
		"20261126T104501": false, "20261326T104501Z": false, "20261126T104501Z-": false, "20261126T104501Z-2/x": false, "": false, "..": false,
		"20261126t104501z": false,
	} {
		if snapshot.ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestFind(t *testing.T) {
	h, home := app(t)
	if _, err := h.Find("latest"); err == nil {
		t.Error("found without any")
	}
	write(t, home+"/f", "x")
	one := create(t, h, snapshot.Options{})
	two := create(t, h, snapshot.Options{})
	for name, want := range map[string]string{"latest": two.Name, one.Name: one.Name, two.Name: two.Name} {
		if i, err := h.Find(name); err != nil || i.Name != want {
			t.Errorf("%q: %q %v", name, i.Name, err)
		}
	}
	for _, name := range []string{"", "2", "1999", "x"} {
		if i, err := h.Find(name); err == nil {
			t.Errorf("%q: %q", name, i.Name)
		} else if hint.Of(err) == "" {
			t.Errorf("%q: no way out of %v", name, err)
		}
	}
}

// A description that says more than one thing says nothing, but what it describes
// stays, and can be put back.
func TestDescriptionIsReadStrictly(t *testing.T) {
	h, home := app(t)
	write(t, home+"/f", "x")
	i := create(t, h, snapshot.Options{Note: "mine"})
	name := filepath.Join(filepath.Dir(home), "snapshots", i.Name, "info.json")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"a key twice":    strings.Replace(string(good), `"note"`, `"note":"theirs","note"`, 1),
		"another case":   strings.Replace(string(good), `"note"`, `"Note":"theirs","note"`, 1),
		"an unknown key": strings.Replace(string(good), `"note"`, `"more":1,"note"`, 1),
		"cut":            string(good[:len(good)/2]),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := h.Find("latest")
		if err != nil || got.Name != i.Name || !strings.Contains(got.Note, "cannot be read") || got.Automatic() {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	if err := os.WriteFile(name, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Find("latest"); err != nil || got.Note != "mine" {
		t.Errorf("%+v, %v", got, err)
	}
}
