package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/repo"
)

// Two trees whose digests begin alike have one place. Whichever came first must
// not be taken for the other.
func TestTreesThatBeginAlike(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rec := Record{Release: alikeRelease(t)}
	rec.Publisher = rec.Release.Publisher.Key
	if err := s.mkdirs(place(rec.Release)); err != nil {
		t.Fatal(err)
	}
	if err := s.writeRecord(rec); err != nil {
		t.Fatal(err)
	}
	if err := s.same(rec); err != nil {
		t.Errorf("its own record: %v", err)
	}
	if _, err := s.readRecord(rec.Ref(), deployment(rec.Release)); err != nil {
		t.Fatal(err)
	}
	other := rec
	other.Release.Tree[31] ^= 1
	if place(other.Release) != place(rec.Release) {
		t.Fatal("another place")
	}
	if err := s.same(other); err == nil || !strings.Contains(err.Error(), "another content") {
		t.Errorf("the record of a tree that begins alike: %v", err)
	}
	name := filepath.Join(s.dir, place(rec.Release)+".json")
	if err := os.WriteFile(name, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.same(rec); err != nil {
		t.Errorf("a damaged record keeps it from being mended: %v", err)
	}
}

func alikeRelease(t *testing.T) repo.Release {
	t.Helper()
	ref, err := repo.ParseRef("app/org.example.Edit/any/stable")
	if err != nil {
		t.Fatal(err)
	}
	return repo.Release{Ref: ref, N: 1, Version: "1", Tree: repo.Sum([]byte("tree")), TreeLength: 1, Locator: repo.Sum(nil), LocatorLength: 1,
		Permissions: repo.Sum(nil), Publisher: repo.Publisher{Key: make([]byte, 32), Sig: make([]byte, 64)}}
}

// Whoever can read the lock of the machine's store could hold it for ever.
func TestLockIsNobodyElses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name := filepath.Join(dir, lockName)
	if err := os.WriteFile(name, nil, 0o644); err != nil { // as older versions made it
		t.Fatal(err)
	}
	l, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}
