package cgroup

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

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
