package client

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

const crashChild = "SANDBOX_CLIENT_CRASH"

// TestCrashChild is not a test: it is the process that is killed.
func TestCrashChild(t *testing.T) {
	words := strings.Split(os.Getenv(crashChild), "\n")
	if len(words) != 3 {
		t.Skip("started by TestKilledAtEveryChange")
	}
	unix, _ := strconv.ParseInt(words[2], 10, 64)
	s, err := store.Open(words[1])
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Store: s, Pace: quick, Now: func() time.Time { return time.Unix(unix, 0) }, keepFrom: 64 << 10}
	var p *Plan
	if words[0] == "install" {
		p, err = c.PlanInstall(t.Context(), want(t, "org.example.Edit"), PlanOptions{})
	} else {
		p, err = c.PlanUpdate(t.Context(), nil, PlanOptions{})
	}
	if err == nil {
		_, err = c.Apply(t.Context(), p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// changing are the calls by which a client changes the disk, and those by which
// it talks to the server. Each is a place to be killed at, before it is done.
var changing = [...]string{"linkat", "renameat", "renameat2", "mkdirat", "symlinkat", "unlinkat", "fsync", "syncfs", "fchmod", "ftruncate", "write", "pwrite64", "flock", "connect", "utimensat"}

// TestKilledAtEveryChange kills an install and an update at the first, second,
// third … call of each kind, until one comes to its end: old or new, never half,
// and the next attempt ends well (B47).
func TestKilledAtEveryChange(t *testing.T) {
	strace := testenv.NeedCommand(t, "strace")
	if err := exec.Command(strace, "-o", os.DevNull, "-e", "inject=linkat:signal=KILL:when=999", "true").Run(); err != nil {
		testenv.Skip(t, "needs a strace that injects: %v", err)
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	for _, op := range []string{"install", "update"} {
		t.Run(op, func(t *testing.T) {
			b := newBench(t, small("1.0"))
			old := ""
			if op == "update" {
				b.mustInstall("Edit")
				b.publish(small("1.1"))
				old = "1.0"
			}
			next := map[string]string{"install": "1.0", "update": "1.1"}[op]
			template := b.store
			killed := 0
			for _, call := range changing {
				for k := 1; k < 60; k += step {
					b.store = filepath.Join(memory(t), "store")
					clone(t, template, b.store)
					if !b.kill(strace, op, call, k) {
						break
					}
					killed++
					b.old(old, next, fmt.Sprintf("%s %d", call, k))
					os.RemoveAll(filepath.Dir(b.store))
				}
			}
			t.Logf("killed %d times", killed)
			if killed < 20/step {
				t.Errorf("killed %d times only", killed)
			}
		})
	}
}

func small(version string) repotest.Bundle {
	return edit(version).File("files/share/a", noise(300<<10)+version).File("files/share/b", version+"b")
}

func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sb-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// clone copies a store, hard links and all.
func clone(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// child is this program as it does an operation.
func (b *bench) child(op string) *exec.Cmd {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestCrashChild$", "-test.count=1")
	c.Env = append(os.Environ(), crashChild+"="+strings.Join([]string{op, b.store, strconv.FormatInt(b.now.Unix(), 10)}, "\n"))
	return c
}

// kill runs the operation and reports whether it was killed on the way.
func (b *bench) kill(strace, op, call string, k int) bool {
	b.Helper()
	child := b.child(op)
	c := exec.Command(strace, append([]string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, k)}, child.Args...)...)
	c.Env = child.Env
	out, err := c.CombinedOutput()
	if err == nil {
		return false
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if ok {
		ws := exit.Sys().(syscall.WaitStatus)
		if ws.Signal() == syscall.SIGKILL || exit.ExitCode() == 128+9 {
			return true
		}
	}
	b.Fatalf("%s %s %d: %v\n%s", op, call, k, err, out)
	return false
}

// old looks at a store after a kill: what is current is whole, old or new; then
// the operation is done again.
func (b *bench) old(old, next, when string) {
	b.Helper()
	got := b.version("Edit")
	if got != old && got != next {
		b.Fatalf("%s: %q is current", when, got)
	}
	b.sound(got)
	if old == "" {
		if _, _, err := b.install(PlanOptions{}, "org.example.Edit"); err != nil {
			b.Fatalf("%s: again: %v", when, err)
		}
	} else if _, _, err := b.update(PlanOptions{}, 0); err != nil {
		b.Fatalf("%s: again: %v", when, err)
	}
	b.sound(next)
	if b.Failed() {
		b.Fatal(when)
	}
}
