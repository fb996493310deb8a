package cgroup

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// A group that hands controllers on may hold no process: a supervisor that is
// alone in its unit moves aside first, and without that nothing is left behind.
func TestNoInternalProcess(t *testing.T) {
	u := Probe().V2
	if !u.Usable || !u.Top || len(u.Controllers) == 0 {
		testenv.Skip(t, "needs root and an undivided unified hierarchy with a controller")
	}
	controller := u.Controllers[0]
	if !slices.Contains(u.Enabled, controller) {
		file := u.Base + "/cgroup.subtree_control"
		if err := writeAt(unix.AT_FDCWD, file, "+"+controller); err != nil {
			testenv.Skip(t, "%v", err)
		}
		defer writeAt(unix.AT_FDCWD, file, "-"+controller)
	}
	for _, tc := range []struct {
		name  string
		aside bool
		want  string
	}{{"moves aside", true, "/supervisor-x\n"}, {"stays", false, "device or resource busy"}} {
		t.Run(tc.name, func(t *testing.T) {
			unit, err := makeDir(Dir{Path: u.Base + "/lab-" + uniqueName(t), Unified: true})
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(unit.fd)
			defer removeTree(t, unit)
			p := Plan{Mode: V2, Name: "sandbox-x", Limits: Unlimited(),
				Enable: &Write{File: unit.Path + "/cgroup.subtree_control", Value: "+" + controller},
				Groups: []Dir{{Path: unit.Path + "/sandbox-x", Unified: true}}}
			if tc.aside {
				p.Supervisor = unit.Path + "/supervisor-x"
			}
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			a := newApp(t, "create")
			a.Env = append(a.Env, "PLAN="+string(data))
			a.run(t, unit.fd)
			a.open(t)
			a.signal(t)
			if !strings.Contains(a.out.String(), tc.want) {
				t.Errorf("%s, want %q", a.out, tc.want)
			}
			if _, err := os.Stat(unit.Path + "/sandbox-x"); !os.IsNotExist(err) {
				t.Errorf("the group is left behind: %v", err)
			}
		})
	}
}
