package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/bundle"
	"sandbox/repo/installed"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// An operation is stopped before each of its changes, by a signal that nothing
// survives or by an error of the disk. What is found afterwards is the old state
// or the new one, and it is sound.
type operation struct {
	name   string
	before func(b *bench)
	do     func(b *bench) error
	old    uint64 // release that is current before; 0: none
	new    uint64
}

// bench is a store with two releases of the editor to put into it.
type bench struct {
	t       testing.TB
	s       *store.Store
	l       *store.Lock
	bundles [3]string
	runtime string
}

var operations = []operation{
	{"install", func(*bench) {}, func(b *bench) error { return b.put(1) }, 0, 1},
	{"update", func(b *bench) { b.must(b.put(1)) }, func(b *bench) error { return b.put(2) }, 1, 2},
	{"reinstall", func(b *bench) { b.must(b.put(1)) }, func(b *bench) error { return b.put(1) }, 1, 1},
	{"install with its runtime", func(*bench) {}, func(b *bench) error { return errors.Join(b.putRuntime(), b.put(1)) }, 0, 1},
	{"rollback", func(b *bench) { b.must(b.put(1)); b.must(b.put(2)) }, func(b *bench) error {
		if rec, err := b.s.Current(editRef); err == nil && rec.Release.N == 1 {
			return nil
		}
		_, _, err := b.s.Rollback(b.l, editRef, 0)
		return err
	}, 2, 1},
	{"uninstall", func(b *bench) { b.must(b.put(1)); b.must(b.put(2)) }, func(b *bench) error {
		if _, err := b.s.Current(editRef); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		_, err := b.s.Uninstall(b.l, editRef)
		return err
	}, 2, 0},
	{"gc", func(b *bench) {
		b.must(b.putRuntime())
		for n := uint64(1); n < 6; n++ {
			b.must(b.put(n))
		}
	}, func(b *bench) error { _, err := b.s.GC(b.l); return err }, 5, 5},
	{"repair", func(b *bench) {
		b.must(b.put(1))
		b.must(b.spoil())
	}, func(b *bench) error {
		_, err := b.s.Repair(context.Background(), b.l, func(_ context.Context, n store.Need) error { return b.fill(n.Record.Release.N) })
		return err
	}, 1, 1},
	{"hold", func(b *bench) { b.must(b.put(1)) }, func(b *bench) error { return b.s.SetHeld(b.l, editRef, true) }, 1, 1},
}

func (b *bench) must(err error) {
	if err != nil {
		b.t.Helper()
		b.t.Fatal(err)
	}
}

// put installs release n; releases take turns with the two bundles.
func (b *bench) put(n uint64) error {
	if err := b.fill(n); err != nil {
		return err
	}
	rec := read(b.t, b.bundles[n%2+1]).rec
	rec.Release.N = n // unsigned: a store looks at no signature
	return b.s.Deploy(b.l, rec)
}

// read is storetest.Record of release 1, once for each bundle.
func read(t testing.TB, dir string) given {
	if g, ok := known.Load(dir); ok {
		return g.(given)
	}
	channel := "stable"
	if strings.Contains(e2e.Read(filepath.Join(dir, manifest.FileName)), "runtime") {
		channel = "1"
	}
	var g given
	g.rec, g.tree, g.stored = storetest.Record(t, dir, channel, 1)
	known.Store(dir, g)
	return g
}

type given struct {
	rec    store.Record
	tree   *repo.Tree
	stored []byte
}

var known sync.Map

func (b *bench) fill(n uint64) error { return b.fillFrom(b.bundles[n%2+1]) }

func (b *bench) fillFrom(dir string) error {
	g := read(b.t, dir)
	if err := b.s.WriteTree(g.rec.Release.Tree, g.stored); err != nil {
		return err
	}
	for _, e := range g.tree.Entries {
		if e.Type != repo.File || e.Size == 0 || b.s.HasObject(e.Object, e.Exec) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Path))
		if err != nil {
			return err
		}
		if err := b.s.WriteObject(e.Object, e.Size, e.Exec, bytes.NewReader(data)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) putRuntime() error {
	if err := b.fillFrom(b.runtime); err != nil {
		return err
	}
	rec := read(b.t, b.runtime).rec
	rec.Explicit = false
	return b.s.Deploy(b.l, rec)
}

// spoil damages a content, a directory and the tree of the current release.
func (b *bench) spoil() error {
	rec, err := b.s.Current(editRef)
	if err != nil {
		return err
	}
	dir := b.s.BundleDir(rec)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "files/share/version"), []byte("X"), 0o644),
		os.Remove(filepath.Join(dir, "files/bin/e")),
		os.WriteFile(filepath.Join(dir, "files/extra"), nil, 0o644))
}

func newBench(t testing.TB, dir string, bundles [3]string, runtime string) *bench {
	t.Helper()
	s := storetest.OpenAt(t, dir)
	l, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, s, l, bundles, runtime}
}

func (b *bench) close() { b.l.Unlock(); b.s.Close() }

// memory is a directory on a file system that syncs at once.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sb-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

const crashChild = "SANDBOX_STORE_CRASH"

// TestCrashChild is not a test: it is the process that is killed.
func TestCrashChild(t *testing.T) {
	words := strings.Split(os.Getenv(crashChild), "\n")
	if len(words) != 6 {
		t.Skip("started by TestKilledAtEveryStep")
	}
	stop, _ := strconv.Atoi(words[1])
	i := slices.IndexFunc(operations, func(o operation) bool { return o.name == words[0] })
	b := newBench(t, words[2], [3]string{"", words[3], words[4]}, words[5])
	n := 0
	b.s.SetFault(func(string) error {
		if n++; n == stop {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	if err := operations[i].do(b); err != nil {
		t.Fatal(err)
	}
	fmt.Println("steps:", n)
}

func TestKilledAtEveryStep(t *testing.T) {
	bundles, runtime := [3]string{"", small(t, "1"), small(t, "2")}, smallRuntime(t)
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			killed := 0
			for step := 1; ; step++ {
				dir := filepath.Join(memory(t), "store")
				b := newBench(t, dir, bundles, runtime)
				o.before(b)
				b.close()
				c := exec.Command("/proc/self/exe", "-test.run=^TestCrashChild$", "-test.count=1")
				c.Env = append(os.Environ(), crashChild+"="+strings.Join([]string{o.name, strconv.Itoa(step), dir, bundles[1], bundles[2], runtime}, "\n"))
				out, err := c.CombinedOutput()
				exit, ended := errors.AsType[*exec.ExitError](err)
				if err == nil {
					if killed == 0 {
						t.Errorf("nothing was interrupted:\n%s", out)
					}
					t.Logf("killed before each of %d changes", killed)
					return
				}
				if ws, ok := exit.Sys().(syscall.WaitStatus); !ended || !ok || ws.Signal() != syscall.SIGKILL {
					t.Fatalf("step %d: %v\n%s", step, err, out)
				}
				killed++
				sound(t, o, dir, bundles, runtime, fmt.Sprintf("killed at step %d", step))
				os.RemoveAll(filepath.Dir(dir))
			}
		})
	}
}

func TestFailingAtEveryStep(t *testing.T) {
	bundles, runtime := [3]string{"", small(t, "1"), small(t, "2")}, smallRuntime(t)
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				dir := filepath.Join(memory(t), "store")
				b := newBench(t, dir, bundles, runtime)
				o.before(b)
				n, what := 0, ""
				b.s.SetFault(func(s string) error {
					if n++; n == step {
						what = s
						return unix.ENOSPC
					}
					return nil
				})
				err := o.do(b)
				if n < step {
					b.close()
					if err != nil || step == 1 {
						t.Errorf("step %d of %d: %v", step, n, err)
					}
					return
				}
				if err != nil && (!errors.Is(err, unix.ENOSPC) || !strings.Contains(hint.Of(err), "free some space")) {
					t.Errorf("at %q: the reason is lost: %v (hint %q)", what, err, hint.Of(err))
				}
				b.close()
				sound(t, o, dir, bundles, runtime, fmt.Sprintf("failed at %q", what))
				os.RemoveAll(filepath.Dir(dir))
			}
		})
	}
}

// sound looks at a store after an interruption, as a launch and as the next
// writer, and does the operation again.
func sound(t *testing.T, o operation, dir string, bundles [3]string, runtime, when string) {
	t.Helper()
	ro, err := store.OpenReadOnly(dir)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer ro.Close()
	n := currentNumber(t, ro, when)
	if n != o.old && n != o.new {
		t.Errorf("%s: release %d is current, neither %d nor %d", when, n, o.old, o.new)
	}
	found, err := installed.App(places(ro), "org.example.Edit", "")
	switch {
	case n == 0 && err == nil:
		t.Errorf("%s: a launch finds %s", when, found.Dir)
	case n > 0 && err != nil:
		t.Errorf("%s: a launch does not find it: %v", when, err)
	case n > 0 && o.name != "repair":
		want, _ := bundle.Digest(bundles[n%2+1])
		if got, err := bundle.Digest(found.Dir); err != nil || got != want {
			t.Errorf("%s: a launch finds another bundle: %v", when, err)
		}
	}
	if found != nil {
		found.Release()
	}
	b := newBench(t, dir, bundles, runtime)
	defer b.close()
	if list, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(list) > 0 {
		t.Errorf("%s: %s stays in tmp", when, list[0].Name())
	}
	if o.name != "repair" {
		b.clean(when)
	}
	if err := o.do(b); err != nil {
		t.Errorf("%s: and cannot be done again: %v", when, err)
	}
	if n := currentNumber(t, b.s, when); n != o.new {
		t.Errorf("%s: done again, release %d is current", when, n)
	}
	b.clean(when + ", done again")
	if _, err := b.s.GC(b.l); err != nil {
		t.Errorf("%s: gc: %v", when, err)
	}
	b.clean(when + ", done again, gc")
	b.noLeftovers(when)
}

func currentNumber(t *testing.T, s *store.Store, when string) uint64 {
	t.Helper()
	rec, err := s.Current(editRef)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", when, err)
	}
	return rec.Release.N
}

func (b *bench) clean(when string) {
	b.t.Helper()
	found, err := b.s.Verify(b.t.Context(), store.VerifyOptions{})
	if err != nil || len(found) > 0 {
		b.t.Errorf("%s: verify: %v %v", when, found, err)
	}
}

// noLeftovers: every object belongs to a release, every name to a record.
func (b *bench) noLeftovers(when string) {
	b.t.Helper()
	used := map[string]bool{}
	records, err := b.s.Records()
	if err != nil {
		b.t.Errorf("%s: %v", when, err)
	}
	for _, r := range records {
		all, _ := b.s.Deployments(r.Ref())
		for _, r := range all {
			used[r.Release.Tree.String()] = true
			t, err := b.s.Tree(r.Release.Tree)
			if err != nil {
				b.t.Errorf("%s: %v", when, err)
				continue
			}
			for _, e := range t.Entries {
				used[e.Object.String()] = true
			}
		}
	}
	for _, top := range []string{"objects", "trees"} {
		filepath.WalkDir(filepath.Join(b.s.Dir(), top), func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !used[strings.TrimSuffix(strings.TrimSuffix(d.Name(), ".f"), ".x")] {
				b.t.Errorf("%s: %s is of no use to anybody", when, p)
			}
			return nil
		})
	}
	filepath.WalkDir(filepath.Join(b.s.Dir(), "deploy"), func(p string, d fs.DirEntry, err error) error {
		if d, err := installed.ParseDeployment(filepath.Base(p)); err == nil {
			if _, err := os.Lstat(p + installed.RecordSuffix); err != nil {
				b.t.Errorf("%s: %s has no record", when, d)
			}
			return fs.SkipDir
		}
		return nil
	})
}

// small is the editor with as few changes as show everything.
func small(t testing.TB, v string) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Edit\"\nversion = \""+v+"\"\ncommand = \"edit\"\narch = [\"any\"]\n", map[string]string{
		"files/bin/edit": "=#!/bin/sh\necho " + v + "\n", "files/bin/e": "->edit", "files/share/same": "=same\n", "files/share/version": "=" + v})
}

func smallRuntime(t testing.TB) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Platform\"\nversion = \"1\"\nkind = \"runtime\"\nchannel = \"1\"\narch = [\"any\"]\n",
		map[string]string{"files/lib/libc": "=libc\n"})
}
