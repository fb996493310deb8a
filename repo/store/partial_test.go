package store_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

func keep(t *testing.T, s *store.Store, pack, text string) {
	t.Helper()
	p := s.Partial(repo.Sum([]byte(pack)), 0, 1<<20)
	if p == nil {
		t.Fatal("not kept")
	}
	if _, err := p.WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
	p.Close()
}

func partials(t *testing.T, s *store.Store) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir(), "partial"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestPartialIsFoundAgain(t *testing.T) {
	s := storetest.OpenAt(t, filepath.Join(t.TempDir(), "store"))
	keep(t, s, "a", "the beginning")
	if n := s.PartialSize(repo.Sum([]byte("a")), 0, 1<<20); n != 13 {
		t.Errorf("%d bytes", n)
	}
	if n := s.PartialSize(repo.Sum([]byte("b")), 0, 1<<20); n != 0 {
		t.Errorf("%d bytes of what is not there", n)
	}
	s2 := storetest.OpenAt(t, s.Dir())
	storetest.Lock(t, s2).Unlock()
	a := repo.Sum([]byte("a"))
	p := s2.Partial(a, 0, 1<<20)
	if p == nil || p.Size() != 13 {
		t.Fatalf("%+v", p)
	}
	buf := make([]byte, 13)
	if _, err := p.ReadAt(buf, 0); err != nil || string(buf) != "the beginning" {
		t.Errorf("%q, %v", buf, err)
	}
	if other := s.Partial(a, 0, 1<<20); other != nil {
		t.Error("two are at one")
	}
	if other := s.Partial(a, 1, 1<<20); other == nil || other.Size() != 0 {
		t.Errorf("other bytes of the pack: %+v", other)
	} else {
		other.Drop()
	}
	p.Drop()
	if names := partials(t, s); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
	if again := s.Partial(a, 0, 1<<20); again == nil || again.Size() != 0 {
		t.Errorf("%+v", again)
	}
}

// What is planted where one would lie is not written through.
func TestPartialFollowsNoLinks(t *testing.T) {
	for kind, plant := range map[string]func(from, to string) error{"a link": os.Symlink, "a second name": os.Link} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			s := storetest.OpenAt(t, filepath.Join(dir, "store"))
			canary := filepath.Join(dir, "canary")
			os.WriteFile(canary, []byte("untouched"), 0o644)
			keep(t, s, "a", "x")
			name := filepath.Join(s.Dir(), "partial", partials(t, s)[0])
			os.Remove(name)
			if err := plant(canary, name); err != nil {
				t.Fatal(err)
			}
			if p := s.Partial(repo.Sum([]byte("a")), 0, 1<<20); p != nil {
				t.Error("opened by way of it")
				p.Close()
			}
			l := storetest.Lock(t, s)
			if _, err := s.GC(l); err != nil || len(partials(t, s)) != 0 {
				t.Errorf("%v, %q", err, partials(t, s))
			}
			l.Unlock()
			if data, err := os.ReadFile(canary); err != nil || string(data) != "untouched" {
				t.Errorf("%q, %v", data, err)
			}
			keep(t, s, "a", "x")
		})
	}
}

// GC takes what nobody is at; Verify has nothing to say of any.
func TestGCRemovesPartials(t *testing.T) {
	s := storetest.OpenAt(t, filepath.Join(t.TempDir(), "store"))
	keep(t, s, "a", strings.Repeat("x", 5000))
	used := s.Partial(repo.Sum([]byte("b")), 0, 1<<20)
	l := storetest.Lock(t, s)
	if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	if f, err := s.Trim(l); err != nil || f.Partial != 0 || len(partials(t, s)) != 2 {
		t.Errorf("%+v, %v, %q", f, err, partials(t, s))
	}
	f, err := s.GC(l)
	if err != nil || f.Partial != 1 || f.Bytes != 5000 || len(partials(t, s)) != 1 {
		t.Errorf("%+v, %v, %q", f, err, partials(t, s))
	}
	used.Close()
	if f, err := s.GC(l); err != nil || f.Partial != 1 || len(partials(t, s)) != 0 {
		t.Errorf("%+v, %v, %q", f, err, partials(t, s))
	}
}

// The next writer finds those of this week.
func TestPartialsEnd(t *testing.T) {
	s := storetest.OpenAt(t, filepath.Join(t.TempDir(), "store"))
	keep(t, s, "old", "x")
	name := filepath.Join(s.Dir(), "partial", partials(t, s)[0])
	then := time.Now().Add(-store.PartialAge - time.Hour)
	if err := os.Chtimes(name, then, then); err != nil {
		t.Fatal(err)
	}
	keep(t, s, "new", "x")
	storetest.Lock(t, s)
	if names := partials(t, s); len(names) != 1 || "partial/"+names[0] == name {
		t.Errorf("%q", names)
	}
}

type info struct {
	fs.FileInfo
	name string
	size int64
	at   time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.at }

func TestWhichPartialsGo(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	made := func(name string, size int64, age time.Duration) fs.FileInfo {
		return info{name: name, size: size, at: now.Add(-age)}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		list []fs.FileInfo
		all  bool
		want string
	}{
		{"none", nil, true, ""},
		{"lately", []fs.FileInfo{made("a", 5, day), made("b", 5, 2*day)}, false, ""},
		{"all are to go", []fs.FileInfo{made("a", 5, day), made("b", 5, 2*day)}, true, "ab"},
		{"the old one", []fs.FileInfo{made("a", 5, 8*day), made("b", 5, 2*day)}, false, "a"},
		{"the newest stays, however large", []fs.FileInfo{made("a", 1, 2*day), made("b", 2*store.MaxPartials, day)}, false, "a"},
		{"the oldest go when there is too much", []fs.FileInfo{made("a", store.MaxPartials/2, 3*day), made("b", store.MaxPartials/2, 2*day), made("c", 1, day)}, false, "a"},
		{"as much as there may be", []fs.FileInfo{made("a", store.MaxPartials/2, 3*day), made("b", store.MaxPartials/2, 2*day)}, false, ""},
		{"a clock that was wrong", []fs.FileInfo{made("a", 5, -30*day)}, false, ""},
	} {
		var got bytes.Buffer
		for _, i := range store.SurplusPartials(c.list, now, c.all) {
			fmt.Fprint(&got, i.Name())
		}
		if got.String() != c.want {
			t.Errorf("%s: %q go, want %q", c.name, got.String(), c.want)
		}
	}
}
