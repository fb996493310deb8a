package store_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// begin begins a download in a Store of its own, as another program has it.
func begin(t *testing.T, dir string) (*store.Store, *store.Fetch) {
	t.Helper()
	s := storetest.OpenAt(t, dir)
	l := storetest.Lock(t, s)
	defer l.Unlock()
	f, err := s.Fetch(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.End)
	return s, f
}

func write(t *testing.T, s *store.Store, text string) repo.Digest {
	t.Helper()
	d := repo.Sum([]byte(text))
	if err := s.WriteObject(d, int64(len(text)), false, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

// What a download brings stays while others change the store and clear it up; once
// it has ended without a release, it goes.
func TestGCLeavesWhatIsBeingFetched(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	a, fetch := begin(t, dir)
	brought := write(t, a, "brought")
	b := storetest.OpenAt(t, dir)
	for name, clear := range map[string]func(*store.Lock) (store.Freed, error){"gc": b.GC, "trim": b.Trim, "clear": b.Clear} {
		l := storetest.Lock(t, b)
		storetest.Deploy(t, b, l, editor(t, "1", nil), "stable", 1)
		if f, err := clear(l); err != nil || !f.Fetching || f.Objects != 0 || len(f.Unused) != 0 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		l.Unlock()
		if !a.HasObject(brought, false) {
			t.Fatalf("%s removes it", name)
		}
	}
	l := storetest.Lock(t, a) // its own commit
	if f, err := a.GC(l); err != nil || !f.Fetching || !a.HasObject(brought, false) {
		t.Errorf("%+v, %v", f, err)
	}
	l.Unlock()
	fetch.End()
	fetch.End()
	// Whoever clears up next takes what had to be left, and only then.
	l = storetest.Lock(t, b)
	if f, err := b.Trim(l); err != nil || f.Fetching || f.Objects != 1 || a.HasObject(brought, false) {
		t.Errorf("afterwards: %+v, %v", f, err)
	}
	write(t, b, "of a download that will go on")
	if f, err := b.Trim(l); err != nil || f.Objects != 0 {
		t.Errorf("nothing was left: %+v, %v", f, err)
	}
	if f, err := b.GC(l); err != nil || f.Objects != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// Two download at a time, and each may commit meanwhile.
func TestTwoFetch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	a, fetchA := begin(t, dir)
	b, fetchB := begin(t, dir)
	first, second := write(t, a, "first"), write(t, b, "second")
	fetchA.End()
	if f, err := a.GC(storetest.Lock(t, a)); err != nil || !f.Fetching || !b.HasObject(first, false) || !b.HasObject(second, false) {
		t.Errorf("%+v, %v", f, err)
	}
	fetchB.End()
}

// The mark of what is not synced stays for a download that another one's commit does
// not wait for, and is made again after it was taken away.
func TestMarkStaysForOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	marked := func() bool {
		_, err := os.Lstat(filepath.Join(dir, "unsynced"))
		return err == nil
	}
	a, fetchA := begin(t, dir)
	b, fetchB := begin(t, dir)
	write(t, a, "first")
	commit := func(s *store.Store) {
		t.Helper()
		l := storetest.Lock(t, s)
		defer l.Unlock()
		storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if commit(b); !marked() {
		t.Error("the mark of a's contents is gone")
	}
	fetchB.End()
	if commit(a); marked() {
		t.Error("the mark stays when nobody else downloads")
	}
	if write(t, a, "more"); !marked() {
		t.Error("what came after is not marked")
	}
	fetchA.End()
	// b knows of no mark any more, and there is one; then it knows of one, and there is none.
	storetest.Lock(t, b).Unlock()
	commit(a)
	l := storetest.Lock(t, b)
	fetchB, err := b.Fetch(l)
	if err != nil || marked() {
		t.Fatalf("%v, marked: %v", err, marked())
	}
	defer fetchB.End()
	l.Unlock()
	if write(t, b, "last"); !marked() {
		t.Error("a mark that another took away is not made again")
	}
}

// What a download is writing in tmp/, where a file system wants it, is not cleared
// away; what it left there is.
func TestTmpStaysForADownload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	a, fetch := begin(t, dir)
	a.SetPlain()
	data := []byte("half of it, and the rest")
	out, in := io.Pipe()
	stored := make(chan error)
	go func() { stored <- a.WriteObject(repo.Sum(data), int64(len(data)), false, out) }()
	in.Write(data[:10])
	b := storetest.OpenAt(t, dir)
	storetest.Lock(t, b).Unlock()
	in.Write(data[10:])
	in.Close()
	if err := <-stored; err != nil || !b.HasObject(repo.Sum(data), false) {
		t.Error(err)
	}
	fetch.End()
	os.WriteFile(filepath.Join(dir, "tmp", "content-x"), bytes.Repeat([]byte("x"), 10), 0o600)
	storetest.Lock(t, b).Unlock()
	if list, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

// A download begins under the lock.
func TestFetchNeedsTheLock(t *testing.T) {
	s := storetest.OpenAt(t, filepath.Join(t.TempDir(), "store"))
	if _, err := s.Fetch(nil); err == nil {
		t.Error("begun without it")
	}
	l := storetest.Lock(t, s)
	f, err := s.Fetch(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(l); err == nil {
		t.Error("two in one store")
	}
	f.End()
	if f, err = s.Fetch(l); err != nil {
		t.Fatal(err)
	}
	f.End()
}
