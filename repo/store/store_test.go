package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/bundle"
	"sandbox/repo/installed"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// editor is a bundle whose version and contents differ with v.
func editor(t testing.TB, v string, more map[string]string) string {
	t.Helper()
	files := map[string]string{
		"files/bin/edit": "=#!/bin/sh\necho edit " + v + "\n", "files/bin/e": "->edit", "files/share/empty": "=", "files/share/same": "=the same in all\n",
		"files/share/version": "=" + v + "\n", "files/share-more/x": "=x\n", "files/share/deep/er/file": "=deep\n",
	}
	for name, from := range more {
		files[name] = from
	}
	return e2e.Bundle(t, "id = \"org.example.Edit\"\nversion = \""+v+"\"\ncommand = \"edit\"\narch = [\"any\"]\n", files)
}

// editorOf is the editor with one more line in its manifest.
func editorOf(t testing.TB, v, line string) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Edit\"\nversion = \""+v+"\"\ncommand = \"edit\"\narch = [\"any\"]\n"+line+"\n", map[string]string{"files/bin/edit": "=" + v})
}

func runtimeOf(t testing.TB, channel string) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Platform\"\nversion = \"1\"\nkind = \"runtime\"\nchannel = \""+channel+"\"\narch = [\"any\"]\n",
		map[string]string{"files/lib/libc": "=libc " + channel + "\n"})
}

var editRef = repo.Ref{Kind: manifest.App, ID: "org.example.Edit", Arch: "any", Channel: "stable"}

func places(s *store.Store) []installed.Place { return []installed.Place{{Dir: s.Dir()}} }

func TestDeployedDirectoryIsABundle(t *testing.T) {
	dir := editor(t, "1", nil)
	defer unix.Umask(unix.Umask(0o077)) // modes are exact whatever the umask
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	rec := storetest.Deploy(t, s, l, dir, "stable", 1)

	got := s.BundleDir(rec)
	if _, err := bundle.Check(got); err != nil {
		t.Errorf("it is no bundle: %v", err)
	}
	want, err := bundle.Digest(dir)
	if d, err2 := bundle.Digest(got); err != nil || err2 != nil || d != want {
		t.Errorf("another bundle than was given: %v %v", err, err2)
	}
	filepath.WalkDir(got, func(p string, d fs.DirEntry, err error) error {
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); info.IsDir() && mode != 0o755 || info.Mode().IsRegular() && mode != 0o644 && mode != 0o755 {
			t.Errorf("%s has mode %v", p, mode)
		}
		if info.ModTime().Unix() != 1 {
			t.Errorf("%s is of %v", p, info.ModTime())
		}
		return nil
	})
	b, err := installed.App(places(s), "org.example.Edit", "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if real, _ := filepath.EvalSymlinks(got); b.Dir != real || b.Deployment.N != 1 {
		t.Errorf("a launch finds %s, not %s", b.Dir, got)
	}
	if back, err := s.Current(editRef); err != nil || back.Release.Tree != rec.Release.Tree || back.Remote != "test" || !back.Explicit || back.Accepted != rec.Accepted {
		t.Errorf("the record reads %+v, %v", back, err)
	}
}

func TestSameContentIsOneFile(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	one := storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	two := storetest.Deploy(t, s, l, editor(t, "2", nil), "stable", 2)
	a, err1 := os.Stat(filepath.Join(s.BundleDir(one), "files/share/same"))
	b, err2 := os.Stat(filepath.Join(s.BundleDir(two), "files/share/same"))
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		t.Errorf("two files: %v %v", err1, err2)
	}
	a, _ = os.Stat(filepath.Join(s.BundleDir(one), "files/share/version"))
	b, _ = os.Stat(filepath.Join(s.BundleDir(two), "files/share/version"))
	if os.SameFile(a, b) {
		t.Error("different contents are one file")
	}
}

// One content, executable here and not there: two files, one download.
func TestContentInBothModes(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	dir := editor(t, "1", map[string]string{"files/bin/tool": "=same bytes", "files/share/tool": "=same bytes"})
	rec, tree, stored := storetest.Record(t, dir, "stable", 1)
	if err := s.WriteTree(rec.Release.Tree, stored); err != nil {
		t.Fatal(err)
	}
	wrote := map[repo.Digest]bool{}
	for _, e := range tree.Entries {
		if e.Type == repo.File && e.Size > 0 && !wrote[e.Object] {
			wrote[e.Object] = true
			data, _ := os.ReadFile(filepath.Join(dir, e.Path))
			if err := s.WriteObject(e.Object, e.Size, e.Exec, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if !s.HasObject(e.Object, !e.Exec) {
				t.Error("it would be fetched again")
			}
		}
	}
	if err := s.Deploy(l, rec); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"files/bin/tool": 0o755, "files/share/tool": 0o644} {
		st, err := os.Stat(filepath.Join(s.BundleDir(rec), name))
		if err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}
}

func TestWrongContentIsRefused(t *testing.T) {
	s := storetest.Open(t)
	data := []byte("some content")
	d, size := repo.Sum(data), int64(len(data))
	for _, c := range []struct {
		name string
		size int64
		data string
	}{
		{"a flipped byte", size, "some Content"},
		{"too short", size, "some conten"},
		{"too long", size, "some content!"},
		{"signed as shorter", size - 1, "some content"},
		{"signed as longer", size + 1, "some content"},
		{"nothing", size, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := s.WriteObject(d, c.size, false, strings.NewReader(c.data)); err == nil {
				t.Error("it is stored")
			}
			if s.HasObject(d, false) {
				t.Error("it has a name")
			}
		})
	}
	if err := s.WriteObject(d, size, false, bytes.NewReader(data)); err != nil || !s.HasObject(d, false) {
		t.Errorf("what is right is refused: %v", err)
	}
	if err := s.WriteObject(d, size, false, bytes.NewReader(data)); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// An endless body ends at the signed size.
func TestEndlessContentIsCutOff(t *testing.T) {
	s := storetest.Open(t)
	r := &endless{}
	if err := s.WriteObject(repo.Sum([]byte("x")), 1000, false, r); err == nil {
		t.Error("it is stored")
	}
	if r.n > 1<<20 {
		t.Errorf("%d bytes were read", r.n)
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) { e.n += len(p); return len(p), nil }

func TestDeployRefuses(t *testing.T) {
	dir := editor(t, "1", nil)
	for _, c := range []struct {
		name   string
		change func(*store.Record)
	}{
		{"another app's tree", func(r *store.Record) { r.Release.Ref.ID = "org.example.Other" }},
		{"another arch", func(r *store.Record) { r.Release.Ref.Arch = "x86_64" }},
		{"another kind", func(r *store.Record) { r.Release.Ref.Kind = manifest.Runtime }},
		{"another version", func(r *store.Record) { r.Release.Version = "2" }},
		{"a runtime that the manifest does not name", func(r *store.Record) {
			r.Release.Runtime = repo.Ref{Kind: manifest.Runtime, ID: "org.example.Platform", Arch: "any", Channel: "1"}
		}},
		{"a tree that is not there", func(r *store.Record) { r.Release.Tree[0] ^= 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t)
			l := storetest.Lock(t, s)
			rec, tree, stored := storetest.Record(t, dir, "stable", 1)
			storetest.Fill(t, s, dir, tree, stored)
			c.change(&rec)
			if err := s.Deploy(l, rec); err == nil {
				t.Error("it is installed")
			}
			if list, err := s.Records(); err != nil || len(list) > 0 {
				t.Errorf("there is %v, %v", list, err)
			}
		})
	}
}

func TestDeployNeedsItsContents(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	dir := editor(t, "1", nil)
	rec, _, stored := storetest.Record(t, dir, "stable", 1)
	if err := s.WriteTree(rec.Release.Tree, stored); err != nil {
		t.Fatal(err)
	}
	err := s.Deploy(l, rec)
	if m, ok := errors.AsType[*store.Missing](err); !ok || m.Tree {
		t.Errorf("got %v", err)
	}
	if _, err := s.Current(editRef); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it is installed: %v", err)
	}
}

// A floor holds over an uninstall, and only an explicit word goes below it (B05).
func TestFloor(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	old, new := editor(t, "1", nil), editor(t, "2", nil)
	storetest.Deploy(t, s, l, new, "stable", 7)
	rec, tree, stored := storetest.Record(t, old, "stable", 3)
	storetest.Fill(t, s, old, tree, stored)
	if err := s.Deploy(l, rec); err == nil || !strings.Contains(err.Error(), "release 7") {
		t.Errorf("an older release: %v", err)
	}
	rec.Downgrade = true
	if err := s.Deploy(l, rec); err != nil {
		t.Errorf("asked for: %v", err)
	}
	if n, err := s.Floor(editRef, storetest.Fingerprint); n != 7 || err != nil {
		t.Errorf("the floor is %d, %v", n, err)
	}
	if err := s.RaiseFloor(l, editRef, storetest.Fingerprint, 5); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Floor(editRef, storetest.Fingerprint); n != 7 {
		t.Errorf("the floor went down to %d", n)
	}
	// Numbers of another repository are other numbers.
	if n, _ := s.Floor(editRef, "sha256:other"); n != 0 {
		t.Errorf("another repository's floor is %d", n)
	}
}
