package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/snapshot"
)

// An operation is stopped before each of its changes. Afterwards the home is the
// old one or the new one, every snapshot is whole, and nothing is left over.
type operation struct {
	name  string
	plain bool // on a file system that cannot exchange names
	do    func(ctx context.Context, h *snapshot.Home) error
	gone  bool // it leaves no home
}

func operations() []operation {
	first := func(h *snapshot.Home) string {
		infos, err := h.List()
		if err != nil || len(infos) == 0 {
			return ""
		}
		return infos[0].Name
	}
	back := func(ctx context.Context, h *snapshot.Home) error {
		_, err := h.Restore(ctx, first(h), snapshot.Options{Reason: snapshot.Restored})
		return err
	}
	return []operation{
		{"create", false, func(ctx context.Context, h *snapshot.Home) error {
			_, err := h.Create(ctx, snapshot.Options{Reason: snapshot.Update})
			return err
		}, false},
		{"create and prune", false, func(ctx context.Context, h *snapshot.Home) error {
			_, err := h.Create(ctx, snapshot.Options{Reason: snapshot.Update, Keep: 1})
			return err
		}, false},
		{"restore", false, back, false},
		{"restore by two renames", true, back, false},
		{"delete", false, func(ctx context.Context, h *snapshot.Home) error { return h.Delete(ctx, first(h)) }, false},
		{"remove all", false, func(ctx context.Context, h *snapshot.Home) error { return h.RemoveAll(ctx) }, true},
	}
}

const (
	crashChild = "SANDBOX_SNAPSHOT_CRASH"
	oldText    = "as it was at first"
	newText    = "as it is now"
)

// prepared is a home with two snapshots, both of its old content: the new one is
// in the home alone.
func prepared(t testing.TB, o operation) (*snapshot.Home, string) {
	t.Helper()
	data, err := os.MkdirTemp("/dev/shm", "sb-")
	if err != nil {
		data = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	h, home := in(t, data)
	fill := func(text string) {
		write(t, home+"/one", text)
		write(t, home+"/dir/two", text)
	}
	fill(oldText)
	create(t, h, snapshot.Options{Reason: snapshot.Update})
	create(t, h, snapshot.Options{Reason: snapshot.Update})
	fill(newText)
	if o.plain {
		h.SetPlain()
	}
	return h, data
}

// TestCrashChild is not a test: it is the process that is killed.
func TestCrashChild(t *testing.T) {
	words := strings.Split(os.Getenv(crashChild), "\n")
	if len(words) != 3 {
		return
	}
	stop, _ := strconv.Atoi(words[1])
	h := snapshot.Of(disk.Dirs{Data: words[2]}, "org.example.Edit")
	n := 0
	h.SetFault(func(string) error {
		if n++; n == stop {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	for _, o := range operations() {
		if o.name == words[0] {
			if o.plain {
				h.SetPlain()
			}
			if err := o.do(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestKilledAtEveryStep(t *testing.T) {
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				h, data := prepared(t, o)
				c := exec.Command("/proc/self/exe", "-test.run=^TestCrashChild$", "-test.count=1")
				c.Env = append(os.Environ(), crashChild+"="+strings.Join([]string{o.name, strconv.Itoa(step), data}, "\n"))
				out, err := c.CombinedOutput()
				exit, _ := errors.AsType[*exec.ExitError](err)
				if err == nil {
					if step < 3 {
						t.Errorf("nothing was interrupted:\n%s", out)
					}
					t.Logf("killed before each of %d changes", step-1)
					return
				}
				if ws, ok := exit.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
					t.Fatalf("step %d: %v\n%s", step, err, out)
				}
				sound(t, h, o, fmt.Sprintf("killed at step %d", step))
			}
		})
	}
}

func TestFailingAtEveryStep(t *testing.T) {
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				h, _ := prepared(t, o)
				n, what := 0, ""
				h.SetFault(func(s string) error {
					if n++; n == step {
						what = s
						return unix.ENOSPC
					}
					return nil
				})
				err := o.do(t.Context(), h)
				h.SetFault(nil)
				if n < step {
					if err != nil || step < 3 {
						t.Errorf("step %d of %d: %v", step, n, err)
					}
					return
				}
				if err != nil && (!errors.Is(err, unix.ENOSPC) || !strings.Contains(hint.Of(err), "free some space")) {
					t.Errorf("at %q: the reason is lost: %v (hint %q)", what, err, hint.Of(err))
				}
				sound(t, h, o, fmt.Sprintf("failed at %q", what))
			}
		})
	}
}

// sound looks at a home after an interruption, lets the next operation clear up,
// and looks again.
func sound(t *testing.T, h *snapshot.Home, o operation, when string) {
	t.Helper()
	home := filepath.Join(h.Dir(), "home")
	whole(t, h, when)
	if o.gone && !h.Exists() {
		snapshot.Sweep(filepath.Dir(filepath.Dir(h.Dir())))
		if names, _ := os.ReadDir(filepath.Dir(h.Dir())); len(names) > 0 {
			t.Errorf("%s: %s is left", when, names[0].Name())
		}
		return
	}
	if !h.Exists() && !o.plain {
		t.Errorf("%s: there is no home", when)
	}
	// The next operation ends what was begun.
	i, err := h.Create(t.Context(), snapshot.Options{Reason: snapshot.Manual, Note: "after"})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if a, b := textOf(home), textOf(copyOf(h, i.Name)); a != b || a != oldText && a != newText {
		t.Errorf("%s: the home holds %q, its copy %q", when, a, b)
	}
	whole(t, h, when+", cleared up")
	// What was in the home is somewhere: no data are lost by a restore.
	infos, _ := h.List()
	now := false
	for _, i := range infos {
		now = now || textOf(copyOf(h, i.Name)) == newText
	}
	if !now {
		t.Errorf("%s: the newest data are lost", when)
	}
	names, _ := os.ReadDir(filepath.Join(h.Dir(), "snapshots"))
	for _, n := range names {
		if n.Name()[0] == '.' {
			t.Errorf("%s: %s is left", when, n.Name())
		}
	}
}

// whole: every snapshot that can be seen is complete.
func whole(t *testing.T, h *snapshot.Home, when string) {
	t.Helper()
	infos, err := h.List()
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for _, i := range infos {
		if text := textOf(copyOf(h, i.Name)); text != oldText && text != newText {
			t.Errorf("%s: the snapshot %s holds %q", when, i.Name, text)
		}
		if i.App != "org.example.Edit" {
			t.Errorf("%s: the snapshot %s has no description", when, i.Name)
		}
	}
}

// textOf is the content that both files of a home have, or what is wrong.
func textOf(home string) string {
	one, err1 := os.ReadFile(home + "/one")
	two, err2 := os.ReadFile(home + "/dir/two")
	if err := errors.Join(err1, err2); err != nil {
		return err.Error()
	}
	if string(one) != string(two) {
		return "half"
	}
	return string(one)
}

// On a file system that cannot exchange names, an app may begin while there is no
// home: what was replaced is kept all the same.
func TestBegunBetweenTwoRenames(t *testing.T) {
	h, home := app(t)
	write(t, home+"/one", oldText)
	i := create(t, h, snapshot.Options{})
	write(t, home+"/one", newText)
	h.SetPlain()
	stop := errors.New("stop")
	h.SetFault(func(step string) error {
		if step == "rename home home" {
			return stop
		}
		return nil
	})
	if _, err := h.Restore(t.Context(), i.Name, snapshot.Options{Reason: snapshot.Restored}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	h.SetFault(nil)
	write(t, home+"/one", "of an app that began")
	create(t, h, snapshot.Options{})
	infos, _ := h.List()
	var texts []string
	for _, i := range infos {
		data, _ := os.ReadFile(copyOf(h, i.Name) + "/one")
		texts = append(texts, string(data))
	}
	if got := strings.Join(texts, ", "); got != oldText+", "+newText+", of an app that began" {
		t.Errorf("the snapshots hold %s", got)
	}
}
