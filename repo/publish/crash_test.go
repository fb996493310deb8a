package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/repo/key"
)

// operations are all that change a repository, on one that holds three versions
// of an app and one of another.
func operations(t testing.TB) map[string]func(r *Repository) error {
	ctx := context.Background()
	next := newBundle(t, app, "4", "", map[string]string{"data": noise(4, 3000)})
	other := newBundle(t, "org.example.Other", "2", "", nil)
	fresh := newKey(t)
	return map[string]func(r *Repository) error{
		"publish": func(r *Repository) error {
			_, err := r.Publish(ctx, Request{Bundles: []string{next, other}})
			return err
		},
		"promote": func(r *Repository) error {
			_, err := r.Promote(ctx, Promotion{From: app, Channel: "beta"})
			return err
		},
		"promote an older one": func(r *Repository) error {
			_, err := r.Promote(ctx, Promotion{From: "app/" + app + "/any/stable@1", Channel: "stable"})
			return err
		},
		"retract": func(r *Repository) error {
			if _, err := r.find(app); err != nil {
				return nil // it was done before the crash
			}
			_, err := r.Retract(app, false)
			return err
		},
		"end of life": func(r *Repository) error {
			_, err := r.EndOfLife(app, EndOfLife{Why: "done"})
			return err
		},
		"refresh": func(r *Repository) error {
			_, err := r.Refresh()
			return err
		},
		"collect": func(r *Repository) error {
			_, err := r.GC(ctx, Collection{Now: true})
			return err
		},
		"publisher": func(r *Repository) error {
			p, _ := ParsePattern("org.elsewhere.*")
			if len(r.Publishers()) > 0 {
				return nil
			}
			return r.AddPublisher(Publisher{Name: "elsewhere", Patterns: []Pattern{p}, Keys: []key.Public{fresh.Public()}}, false)
		},
		"rotate with the old keys": func(r *Repository) error {
			r.chain.given = append(r.chain.given, fresh)
			all := map[string][]key.Public{}
			remove := map[string][]string{}
			for _, role := range topRoles {
				all[role] = []key.Public{fresh.Public()}
				if a := r.authority(role); len(a.keys) == 1 && a.keys[fresh.Public().ID()] == nil {
					remove[role] = a.fingerprints()
				}
			}
			_, err := r.Rotate(Rotation{Add: all, Remove: remove})
			return err
		},
	}
}

func crashRepo(t testing.TB) (dir string, o Options) {
	t.Helper()
	dir, o = newRepo(t)
	for v := 1; v <= 3; v++ {
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, fmt.Sprint(v), "", map[string]string{
			"data": noise(uint64(v), 20_000), "same": noise(100, 1000),
		})}})
	}
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, "org.example.Other", "1", "", nil)}})
	// Something for gc to rewrite.
	with(t, dir, o, func(r *Repository) error {
		r.Retract("app/"+app+"/any/stable@2", false)
		return nil
	})
	return dir, o
}

var errCrash = errors.New("the power went")

// Every operation is stopped after every step: what clients see is the state
// before or the state after, all of it is there, and running it again leads to
// the state after.
func TestCrashAtEveryStep(t *testing.T) {
	before, o := crashRepo(t)
	old := list(t, before, o)
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			done := copyDir(t, before)
			steps := 0
			count := o
			count.fault = func(string) error { steps++; return nil }
			if err := with(t, done, count, op); err != nil {
				t.Fatal(err)
			}
			after := list(t, done, o)
			checkAll(t, done, o)
			accepts(t, done, o)
			if steps < 1 {
				t.Fatal("there were no steps")
			}
			for stop := 1; stop <= steps; stop++ {
				dir := copyDir(t, before)
				n, last := 0, ""
				crash := o
				crash.fault = func(step string) error {
					if n++; n == stop {
						last = step
						return errCrash
					}
					return nil
				}
				err := with(t, dir, crash, op)
				if !errors.Is(err, errCrash) {
					t.Fatalf("step %d: %v", stop, err)
				}
				if got := list(t, dir, o); !slices.Equal(got, old) && !slices.Equal(got, after) {
					t.Errorf("stopped after step %d (%s): neither old nor new: %q", stop, last, got)
				}
				checkAll(t, dir, o)
				if !(strings.HasPrefix(name, "rotate")) {
					accepts(t, dir, o)
				}
				if err := with(t, dir, o, op); err != nil {
					t.Errorf("stopped after step %d (%s), then again: %v", stop, last, err)
				}
				if got := list(t, dir, o); !slices.Equal(versions(got), versions(after)) {
					t.Errorf("stopped after step %d (%s), then again: %q, want %q", stop, last, got, after)
				}
				checkAll(t, dir, o)
				accepts(t, dir, o)
			}
		})
	}
}

// versions forgets the numbers: what a crash hid from the caller may have
// happened, and happens again under the next number.
func versions(list []string) []string {
	out := map[string]bool{}
	for _, l := range list {
		f := strings.Fields(l)
		target, _, _ := strings.Cut(f[0], "@")
		out[target+" "+f[2]] = true
	}
	var s []string
	for k := range out {
		s = append(s, k)
	}
	slices.Sort(s)
	return s
}

// The process is killed after every step, so that nothing of it tidies up.
func TestKilledAtEveryStep(t *testing.T) {
	const variable = "PUBLISH_TEST_KILL" // DIR, KEYS, BUNDLE and STEP
	if args := strings.Split(os.Getenv(variable), "\n"); len(args) == 4 {
		stop, _ := strconv.Atoi(args[3])
		f, err := key.Load(args[1])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		o := Options{Keys: []key.Signer{f.Signer(nil)}, fault: func(string) error {
			if n++; n == stop {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				time.Sleep(time.Minute)
			}
			return nil
		}}
		publish(t, args[0], o, Request{Bundles: []string{args[2]}})
		return
	}
	f, err := key.Create(filepath.Join(t.TempDir(), "keys"), "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	before, o := newRepo(t, func(i *InitOptions) {
		i.Keys = []key.Signer{f.Signer(nil)}
		i.Default = []key.Public{f.Public()}
	})
	publish(t, before, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	next := newBundle(t, app, "2", "", map[string]string{"data": noise(1, 300_000)})
	killed := 0
	for stop := 1; ; stop++ {
		dir := copyDir(t, before)
		c := exec.Command("/proc/self/exe", "-test.run=^TestKilledAtEveryStep$")
		c.Env = append(os.Environ(), variable+"="+strings.Join([]string{dir, f.Path, next, strconv.Itoa(stop)}, "\n"))
		out, err := c.CombinedOutput()
		if err == nil {
			break // more steps than there are
		}
		killed++
		if !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := list(t, dir, o); len(got) != 1 && len(got) != 2 {
			t.Errorf("killed after step %d: %q", stop, got)
		}
		checkAll(t, dir, o)
		accepts(t, dir, o)
		publish(t, dir, o, Request{Bundles: []string{next}})
		if got := list(t, dir, o); len(got) != 2 || !strings.HasSuffix(got[0], "n=2 2") {
			t.Errorf("killed after step %d, then again: %q", stop, got)
		}
		checkAll(t, dir, o)
		// Nothing is left over for ever.
		with(t, dir, o, func(r *Repository) error {
			_, err := r.GC(context.Background(), Collection{Now: true})
			return err
		})
		strays, _ := filepath.Glob(filepath.Join(dir, "*/*", tempPrefix+"*"))
		more, _ := filepath.Glob(filepath.Join(dir, "*", tempPrefix+"*"))
		if len(strays)+len(more) > 0 {
			t.Errorf("gc leaves %q", append(strays, more...))
		}
	}
	if killed < 8 {
		t.Errorf("killed %d times only", killed)
	}
}
