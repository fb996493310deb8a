package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// ownNamespace puts the victim into a user namespace of its own, as every app
// is; for root it is an unprivileged user there, as every app of root's is.
func ownNamespace(t *testing.T, a *app) (uid int) {
	t.Helper()
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 100000+os.Getpid()%10000, 100000
	}
	a.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	a.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: uid, Size: 1}}
	a.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: gid, Size: 1}}
	a.SysProcAttr.Credential = &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true}
	probe := newApp(t, "spin 0")
	probe.Env = probe.Env[:1]
	probe.SysProcAttr.Cloneflags, probe.SysProcAttr.UidMappings, probe.SysProcAttr.GidMappings = a.SysProcAttr.Cloneflags, a.SysProcAttr.UidMappings, a.SysProcAttr.GidMappings
	if err := probe.Run(); err != nil {
		testenv.Skip(t, "no user namespaces for this user: %v", err)
	}
	return uid
}

// The claim behind a plan without groups: since Linux 5.14 RLIMIT_NPROC in the
// app's own user namespace counts the app's tasks and no others of the user.
func TestPidsByRlimit(t *testing.T) {
	for _, tc := range []struct {
		name     string
		pids     int64
		children int
		all      bool
	}{{"refused beyond the limit", 30, 60, false}, {"free below it", 60, 20, true}} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Decide(bareHost, "x", with(func(l *Limits) { l.Pids = tc.pids }))
			if err != nil || len(p.Rlimits) != 1 || len(p.Degraded) != 0 {
				t.Fatalf("plan %s, %v", p, err)
			}
			if k := Probe().Kernel; k[0] < 5 || k[0] == 5 && k[1] < 14 {
				testenv.Skip(t, "needs Linux 5.14")
			}
			a := newApp(t, "fork "+strconv.Itoa(tc.children))
			// The test binary must be reachable for the other user.
			a.Path = readable(t)
			uid := ownNamespace(t, a)
			crowd(t, uid, int(tc.pids)+10)
			a.run(t, -1)
			value := unix.Rlimit{Cur: p.Rlimits[0].Value, Max: p.Rlimits[0].Value}
			if err := unix.Prlimit(a.Process.Pid, p.Rlimits[0].Resource, &value, nil); err != nil {
				t.Fatal(err)
			}
			a.open(t)
			a.signal(t)
			n, err := strconv.Atoi(strings.TrimSpace(a.out.String()))
			if err != nil || n < 5 || int64(n) >= tc.pids || tc.all != (n == tc.children) {
				t.Errorf("%d children started, %v %q; limit %d", n, err, a.out, tc.pids)
			}
		})
	}
}

// readable is a copy of the test binary where everybody can run it.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-victim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(dir+"/victim", data, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/victim"
}

// crowd has other processes of the same user outside: more than the limit.
func crowd(t *testing.T, uid, n int) {
	t.Helper()
	for range n {
		c := exec.Command("sleep", "30")
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if os.Getuid() == 0 {
			c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
		}
		if err := c.Start(); err != nil {
			testenv.Skip(t, "cannot start %d more processes: %v", n, err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	}
}

// Why memory is RLIMIT_DATA where there is no group: a Go program starts under
// it and is stopped by it, whereas RLIMIT_AS of the same size kills it at start.
func TestMemoryByRlimit(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		testenv.Skip(t, "the race detector itself needs more memory than the limit")
	}
	const limit = 192 << 20
	p, err := Decide(bareHost, "x", with(func(l *Limits) { l.Memory = limit }))
	if err != nil || len(p.Rlimits) != 1 || p.Rlimits[0].Resource != unix.RLIMIT_DATA || len(p.Degraded) != 1 {
		t.Fatalf("plan %s, %v", p, err)
	}
	run := func(ulimit, what string) (string, bool) {
		a := newApp(t, what)
		a.Env[1] = "NOGATE=1"
		a.Args = []string{"sh", "-c", fmt.Sprintf(`ulimit %s %d && exec "$0"`, ulimit, limit>>10), a.Path}
		a.Path = "/bin/sh"
		err := a.Run()
		return a.out.String(), err == nil
	}
	if out, ok := run("-d", "allocate 40"); !ok {
		t.Errorf("40 MiB of data under a limit of 192: %s", out)
	}
	if out, ok := run("-d", "allocate 400"); ok {
		t.Errorf("400 MiB of data under a limit of 192: %s", out)
	}
	if _, ok := run("-v", "allocate 40"); ok {
		t.Log("this Go runtime reserves so little that RLIMIT_AS would do as well")
	}
}
