package cgroup

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// An ordinary user to whom a group was given makes leaves in it and clones into
// them, with no help from root.
func TestOrdinaryUserInGivenGroup(t *testing.T) {
	h := Probe()
	if !h.V2.Usable || os.Geteuid() != 0 {
		testenv.Skip(t, "needs root, to give a group away, and a unified hierarchy to write")
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		testenv.Skip(t, "where systemd runs it is the one to give groups away")
	}
	for _, given := range []bool{true, false} {
		unit, err := makeDir(Dir{Path: h.V2.Base + "/lab-" + uniqueName(t), Unified: true})
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(unit.fd)
		defer removeTree(t, unit)
		for _, f := range []string{"", "/cgroup.procs", "/cgroup.subtree_control"} {
			if given {
				if err := os.Chown(unit.Path+f, 65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
		}
		a := newApp(t, "leaf")
		a.Path, a.Dir = readable(t), "/"
		a.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		a.run(t, unit.fd)
		a.open(t)
		a.signal(t)
		want := unit.Path + " v2 " + unit.Path + "/sandbox-x\n"
		if !given {
			want = "none: {Usable:false"
		}
		if !strings.HasPrefix(a.out.String(), want) {
			t.Errorf("given %v: %s, want %s", given, a.out, want)
		}
	}
}

// An app that is cloned into its group together with a new control group
// namespace finds itself at the root of it, so it learns nothing of the host's
// tree.
func TestCgroupNamespaceRoot(t *testing.T) {
	h := Probe()
	if !h.V2.Usable || os.Geteuid() != 0 {
		testenv.Skip(t, "needs root and a unified hierarchy to write")
	}
	for name, flags := range map[string]uintptr{"new namespace": unix.CLONE_NEWCGROUP, "the host's": 0} {
		p, err := Decide(h, uniqueName(t), Unlimited())
		if err != nil {
			t.Fatal(err)
		}
		g, err := Create(p)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("cat", "/proc/self/cgroup")
		cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD(), Cloneflags: flags}
		out, err := cmd.CombinedOutput()
		if err := g.Remove(context10(t)); err != nil {
			t.Error(err)
		}
		where, ok := find(parseMembership(string(out)), "")
		inside := strings.HasSuffix(where, p.Name)
		if err != nil || !ok || inside == (flags != 0) {
			t.Errorf("%s: the app sees %q, %v", name, where, err)
		}
	}
}
