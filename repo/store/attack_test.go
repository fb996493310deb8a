package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// A store may lie on a disk that others have used: what its files say is refused
// where it is not what it must be, and others are not kept from being read.
func TestHostileRecords(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(record, other string)
	}{
		{"another app's record", func(record, other string) { data, _ := os.ReadFile(other); os.WriteFile(record, data, 0o644) }},
		{"another number", func(record, _ string) { rewrite(record, `"n":1`, `"n":2`) }},
		{"another tree", func(record, _ string) { rewrite(record, `"tree":"`, `"tree":"0`) }},
		{"a key in capitals", func(record, _ string) { rewrite(record, `"remote"`, `"Remote"`) }},
		{"a key twice", func(record, _ string) { rewrite(record, `"remote"`, `"remote":"x","remote"`) }},
		{"wider permissions", func(record, _ string) { rewrite(record, `"permission_text":"`, `"permission_text":"network:host\n`) }},
		{"a newer format", func(record, _ string) { rewrite(record, `"format":1`, `"format":2`) }},
		{"nothing", func(record, _ string) { os.Truncate(record, 0) }},
		{"a link", func(record, other string) { os.Remove(record); os.Symlink(other, record) }},
		{"a FIFO", func(record, _ string) { os.Remove(record); unix.Mkfifo(record, 0o600) }},
		{"huge", func(record, _ string) { os.Truncate(record, 1<<30) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t)
			l := storetest.Lock(t, s)
			rec := storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
			other := storetest.Deploy(t, s, l, editorOther(t), "stable", 1)
			c.spoil(s.BundleDir(rec)+".json", s.BundleDir(other)+".json")
			start := time.Now()
			list, err := s.Records()
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is believed: %+v", list)
			}
			if len(list) != 1 || list[0].Ref() != otherRef {
				t.Errorf("the other is not read: %+v", list)
			}
			if time.Since(start) > 5*time.Second {
				t.Error("it took very long")
			}
			if _, err := s.GC(l); err == nil {
				t.Error("gc goes on without knowing what is needed")
			}
			// Whoever wants to be rid of it can.
			if _, err := s.Uninstall(l, editRef); err != nil {
				t.Errorf("uninstall: %v", err)
			}
			if _, err := s.GC(l); err != nil {
				t.Errorf("gc: %v", err)
			}
		})
	}
}

func rewrite(name, from, to string) {
	data := strings.Replace(e2e.Read(name), from, to, 1)
	os.WriteFile(name, []byte(data), 0o644)
}

// What was decided is not taken for nothing when it cannot be read: a floor would
// be lost.
func TestHostileState(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	dir := editor(t, "1", nil)
	storetest.Deploy(t, s, l, dir, "stable", 5)
	state := filepath.Join(s.Dir(), "state", editRef.String()+".json")
	for _, text := range []string{"", "{", `{"format":2}`, `{"format":1,"Floors":{}}`, `{"format":1,"floors":{"x":-1}}`} {
		if err := os.WriteFile(state, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		rec, _, _ := storetest.Record(t, dir, "stable", 4)
		if err := s.Deploy(l, rec); err == nil {
			t.Errorf("with %q, an old release is installed", text)
		}
		if _, err := s.Floor(editRef, storetest.Fingerprint); err == nil {
			t.Errorf("%q passes for a floor", text)
		}
	}
}

// Links below a store lead nowhere, and what they point to stays as it is.
func TestStoreFollowsNoLinks(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	if err := os.Mkdir(canary, 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(canary+"/file", []byte("untouched"), 0o644)
	dir := editor(t, "1", nil)
	for _, at := range []string{"objects", "trees", "deploy", "state", "tmp", "partial", "deploy/app", "deploy/app/org.example.Edit", "state/app", "lock", "fetching", "history.jsonl", "format", "unsynced", "unswept"} {
		t.Run(at, func(t *testing.T) {
			s := storetest.Open(t)
			name := filepath.Join(s.Dir(), at)
			os.MkdirAll(filepath.Dir(name), 0o755)
			os.RemoveAll(name)
			target := canary
			if at == "lock" || at == "fetching" || at == "history.jsonl" || at == "format" || at == "unsynced" || at == "unswept" {
				target = canary + "/file"
			}
			if err := os.Symlink(target, name); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(s.Dir())
			if err != nil {
				return
			}
			defer s.Close()
			l, err := s.Lock(t.Context())
			if err != nil {
				return
			}
			defer l.Unlock()
			rec, tree, stored := storetest.Record(t, dir, "stable", 1)
			s.WriteTree(rec.Release.Tree, stored)
			for _, e := range tree.Entries {
				if e.Type == repo.File && e.Size > 0 {
					if f, err := os.Open(filepath.Join(dir, e.Path)); err == nil {
						s.WriteObject(e.Object, e.Size, e.Exec, f)
						f.Close()
					}
				}
			}
			s.Deploy(l, rec)
			s.GC(l)
			s.Uninstall(l, editRef)
		})
	}
	if list, _ := os.ReadDir(canary); len(list) != 1 || e2e.Read(canary+"/file") != "untouched" {
		t.Errorf("the canary holds %v, %q", list, e2e.Read(canary+"/file"))
	}
}
