package runtime

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/runtime/cgroup"
)

// L25: masks, limits and filters that could not be set up were skipped in
// silence elsewhere (systemd#40833). Here every step is made to fail once: the
// app is never executed, the launch says which step it was, nothing is left.
func TestL25EveryStepThatFailsStopsTheLaunch(t *testing.T) {
	testenv.NeedUserNS(t)
	b := e2e.ProbeBundle(t, "[permissions]", `"files:~/granted:write" = "x"`, `"files:~/new:create" = "y"`)
	home := testenv.TempXDG(t) // after the build, which has its cache in the true home
	man, err := manifest.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	granted := filepath.Join(home, "granted")
	if err := os.Mkdir(granted, 0o755); err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(granted, "ran")
	host, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	plan := func() *Plan {
		p, err := Make(Request{Manifest: man, Bundle: b, Command: "/app/bin/probe", Args: []string{"write " + ran + " x"},
			Permissions: permissions.Merge(man.Layer()), Instance: "failing"}, host)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	launch := func(step string) (int, error) {
		goruntime.LockOSThread()
		defer goruntime.UnlockOSThread()
		return Run(Options{Plan: plan(), Host: host, Limits: cgroup.Unlimited(), Std: [3]int{fd, fd, fd}, failStep: step})
	}
	if status, err := launch(""); status != 0 || err != nil {
		t.Fatalf("without a failure: %d %v", status, err)
	}
	if os.Remove(ran) != nil {
		t.Fatal("the app did not run")
	}
	steps := stepsOf(t, plan(), host, fd)
	if len(steps) < 50 {
		t.Errorf("only %d steps", len(steps))
	}
	for _, step := range steps {
		status, err := launch(step)
		if err == nil {
			t.Errorf("%q failed, and the launch did not: status %d", step, status)
		} else if !strings.Contains(err.Error(), step) {
			t.Errorf("%q failed, and the launch says: %v", step, err)
		}
		if os.Remove(ran) == nil {
			t.Errorf("%q failed, and the app ran", step)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), home) {
		t.Error("mounts are left")
	}
	if children, _ := os.ReadFile("/proc/thread-self/children"); len(children) > 0 {
		t.Errorf("children are left: %s", children)
	}
}

// stepsOf lists the steps of a plan that make system calls; of those that differ
// in a name only, the first.
func stepsOf(t *testing.T, p *Plan, host *Host, fd int) []string {
	t.Helper()
	shifted, err := shiftedMounts(p)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(shifted)
	filter := make([]byte, 8)
	prog, err := compile(p, wiring{status: fd, gate: fd, std: [3]int{fd, fd, fd}, filter: filter, shifted: shifted,
		mapIDs: p.Outside.UID == host.UID, openat2: host.OpenAt2})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.free()
	seen := map[string]bool{}
	var out []string
	for _, list := range [][]op{prog.setup, prog.launch} {
		for i := range list {
			name := prog.names[list[i].step]
			kind := name
			for _, alike := range []string{"hide /proc/", "make /etc/", "make /dev/", "open /dev/", "set the limit"} {
				if strings.HasPrefix(name, alike) {
					kind = alike
				}
			}
			if name != "" && !seen[kind] && list[i].nr < 1<<20 {
				seen[kind] = true
				out = append(out, name)
			}
		}
	}
	return out
}

// A launch with a filter that does not filter, or walls that are not there,
// is noticed by the check before the app starts.
func TestL25WallsAreChecked(t *testing.T) {
	testenv.NeedUserNS(t)
	host, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	for _, fake := range []string{"file", "zero"} {
		st := unix.Stat_t{}
		path := map[string]string{"file": "/etc/passwd", "zero": "/dev/zero"}[fake]
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		b, err := newBuilder()
		if err != nil {
			t.Fatal(err)
		}
		c := &compiler{builder: b, plan: &Plan{}, wire: wiring{openat2: host.OpenAt2}}
		c.status = ^uintptr(0)
		c.name("check the mask")
		c.expectNull(c.hostPath(path))
		pid, errno := b.clone3(&cloneArgs{exitSignal: uint64(unix.SIGCHLD)})
		if errno != 0 {
			t.Fatal(errno)
		}
		if ws := (&process{pid: pid}).reap(); ws.ExitStatus() != 125 {
			t.Errorf("a mask of %s was taken: %v", path, ws)
		}
		b.free()
	}
}
