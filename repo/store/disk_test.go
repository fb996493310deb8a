package store_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/bundle"
	"sandbox/repo/installed"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// A file system without hard links and nameless files serves as well.
func TestPlainFileSystem(t *testing.T) {
	s := storetest.Open(t)
	s.SetPlain()
	l := storetest.Lock(t, s)
	dir := editor(t, "1", nil)
	rec := storetest.Deploy(t, s, l, dir, "stable", 1)
	want, _ := bundle.Digest(dir)
	if got, err := bundle.Digest(s.BundleDir(rec)); err != nil || got != want {
		t.Errorf("another bundle: %v", err)
	}
	var st unix.Stat_t
	if unix.Stat(filepath.Join(s.BundleDir(rec), "files/share/version"), &st); st.Nlink != 1 {
		t.Errorf("it has %d links", st.Nlink)
	}
	if list, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(list) > 0 {
		t.Errorf("%v is left", list)
	}
	// Contents without a second link are in use all the same.
	before := objects(t, s)
	if _, err := s.GC(l); err != nil || objects(t, s) != before {
		t.Errorf("gc leaves %d of %d contents, %v", objects(t, s), before, err)
	}
	if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
}

// A content that has no link left is copied.
func TestManyLinks(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	dir := editor(t, "1", nil)
	rec, tree, stored := storetest.Record(t, dir, "stable", 1)
	storetest.Fill(t, s, dir, tree, stored)
	i := slices.IndexFunc(tree.Entries, func(e repo.Entry) bool { return e.Path == "files/share/version" })
	h := tree.Entries[i].Object.String()
	object := filepath.Join(s.Dir(), "objects", h[:2], h+".f")
	more := filepath.Join(filepath.Dir(s.Dir()), "links")
	os.Mkdir(more, 0o755)
	n := 1
	for ; n < 65000; n++ {
		if err := os.Link(object, filepath.Join(more, string(rune('a'+n%26))+"-"+time.Duration(n).String())); errors.Is(err, unix.EMLINK) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(object, filepath.Join(more, "x")); !errors.Is(err, unix.EMLINK) {
		testenv.Skip(t, "needs a file system with a limit of 65,000 links: %v", err)
	}
	if err := s.Deploy(l, rec); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Check(s.BundleDir(rec)); err != nil {
		t.Error(err)
	}
	if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
}

// What a power cut left half written is not taken for a content by whoever comes
// next; in the same boot nothing is read again.
func TestPowerCutBeforeSync(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	good, lost := []byte("this one was written"), []byte("this one was not")
	begin := func(boot string) (*store.Store, *store.Lock) {
		s := storetest.OpenAt(t, dir)
		s.SetBoot(boot)
		return s, storetest.Lock(t, s)
	}
	s, l := begin("boot-1")
	for _, data := range [][]byte{good, lost} {
		if err := s.WriteObject(repo.Sum(data), int64(len(data)), false, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	l.Unlock()
	h := repo.Sum(lost).String()
	object := filepath.Join(dir, "objects", h[:2], h+".f")
	if err := os.Truncate(object, 3); err != nil { // as delayed allocation does
		t.Fatal(err)
	}
	s, l = begin("boot-1")
	if !s.HasObject(repo.Sum(lost), false) {
		t.Error("without a power cut, everything was read again")
	}
	l.Unlock()
	s, l = begin("boot-2")
	if s.HasObject(repo.Sum(lost), false) {
		t.Error("what was lost passes for a content")
	}
	if !s.HasObject(repo.Sum(good), false) {
		t.Error("what was not lost is gone too")
	}
	if _, err := os.Lstat(filepath.Join(dir, "unsynced")); err == nil {
		t.Error("it will be done again")
	}
	l.Unlock()
	// What releases refer to was forced to the disk.
	s, l = begin("boot-3")
	storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	if _, err := os.Lstat(filepath.Join(dir, "unsynced")); err == nil {
		t.Error("a deployed release is not synced")
	}
}

func TestFullDisk(t *testing.T) {
	testenv.NeedUserNS(t)
	dir := small(t, "1")
	big := editor(t, "2", map[string]string{"files/share/big": "=" + strings.Repeat("0123456789abcdef", 300_000)})
	t.Setenv("STORE_DIR", t.TempDir())
	testenv.Subprocess(t, func(t *testing.T) {
		at := os.Getenv("STORE_DIR")
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
			t.Skipf("cannot mount: %v", err)
		}
		t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
		s := storetest.OpenAt(t, at+"/store")
		l := storetest.Lock(t, s)
		storetest.Deploy(t, s, l, dir, "stable", 1)
		rec, tree, stored := storetest.Record(t, big, "stable", 2)
		if err := s.WriteTree(rec.Release.Tree, stored); err != nil {
			t.Fatal(err)
		}
		var full error
		for _, e := range tree.Entries {
			if e.Size > 1<<20 {
				f, err := os.Open(filepath.Join(big, e.Path))
				if err != nil {
					t.Fatal(err)
				}
				full = s.WriteObject(e.Object, e.Size, e.Exec, f)
				f.Close()
			}
		}
		if !errors.Is(full, unix.ENOSPC) || !strings.Contains(hint.Of(full), "free some space") {
			t.Errorf("a content that does not fit: %v (hint %q)", full, hint.Of(full))
		}
		if err := s.Deploy(l, rec); err == nil {
			t.Error("half of it is installed")
		}
		if rec, err := s.Current(editRef); err != nil || rec.Release.N != 1 {
			t.Errorf("current is %d, %v", rec.Release.N, err)
		}
		if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
			t.Errorf("%v %v", found, err)
		}
		if _, err := s.GC(l); err != nil {
			t.Error(err)
		}
		// To uninstall needs no space.
		os.WriteFile(at+"/filler", make([]byte, 4<<20), 0o600)
		if _, err := s.Uninstall(l, editRef); err != nil {
			t.Errorf("uninstall on a full disk: %v", err)
		}
	}, inNamespace)
}

// inNamespace lets a test mount.
func inNamespace(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}}
}

func TestReadOnlyDisk(t *testing.T) {
	testenv.NeedUserNS(t)
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	storetest.Deploy(t, s, l, small(t, "1"), "stable", 1)
	l.Unlock()
	t.Setenv("STORE_DIR", cmp(os.Getenv("STORE_DIR"), s.Dir()))
	testenv.Subprocess(t, func(t *testing.T) {
		at := os.Getenv("STORE_DIR")
		if err := unix.Mount(at, at, "", unix.MS_BIND, ""); err != nil {
			t.Skipf("cannot mount: %v", err)
		}
		if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			t.Skipf("cannot mount: %v", err)
		}
		_, err := store.Open(at)
		if err == nil {
			var s *store.Store
			if s, err = store.Open(at); err == nil {
				_, err = s.Lock(t.Context())
			}
		}
		if !errors.Is(err, unix.EROFS) || !strings.Contains(hint.Of(err), "read-only") {
			t.Errorf("a change: %v (hint %q)", err, hint.Of(err))
		}
		// What is there can be read, verified and run.
		r, err := store.OpenReadOnly(at)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := r.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
			t.Errorf("%v %v", found, err)
		}
		b, err := installed.App([]installed.Place{{Dir: at}}, "edit", "")
		if err != nil {
			t.Errorf("a launch: %v", err)
		} else {
			b.Release()
		}
	}, inNamespace)
}

func cmp(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// A Sync while another content is being written leaves the mark: that one may have
// its name before its bytes are on the disk.
func TestSyncWhileOthersWrite(t *testing.T) {
	s := storetest.OpenAt(t, filepath.Join(t.TempDir(), "store"))
	storetest.Lock(t, s)
	marked := func() bool {
		_, err := os.Lstat(filepath.Join(s.Dir(), "unsynced"))
		return err == nil
	}
	data := []byte("half of it, and the rest")
	out, in := io.Pipe()
	stored := make(chan error)
	go func() { stored <- s.WriteObject(repo.Sum(data), int64(len(data)), false, out) }()
	in.Write(data[:10])
	if err := s.Sync(); err != nil || !marked() {
		t.Errorf("%v, marked: %v", err, marked())
	}
	in.Write(data[10:])
	in.Close()
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil || marked() {
		t.Errorf("%v, marked: %v", err, marked())
	}
}
