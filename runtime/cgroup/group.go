package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Group is the control group of one instance, or the empty stand-in of mode
// None. Its methods are for one goroutine at a time.
type Group struct {
	plan  Plan
	dirs  []*dir // the unified one, if any, first
	notes []Degraded
	oom   *os.File // of OOM; nil when nobody asked
	above int64    // kills for want of memory in the group above a scope, before ours; -1 unknown
	bus   *manager // from Create to the first Add, in mode Scope
}

// Mode says what holds the limits.
func (g *Group) Mode() Mode { return g.plan.Mode }

// Degraded lists the limits that hold less than asked: what the plan foresaw
// and what this kernel then turned out to lack.
func (g *Group) Degraded() []Degraded {
	return append(append([]Degraded(nil), g.plan.Degraded...), g.notes...)
}

// Create makes the groups and sets their limits. On failure nothing is left
// behind, and the caller may plan again with Host.Without. In mode Scope it
// makes sure of systemd's ear; the scope itself is made by Add.
func Create(p Plan) (*Group, error) {
	if err := checkPlan(p); err != nil {
		return nil, err
	}
	g := &Group{plan: p}
	if err := g.create(); err != nil {
		g.removeDirs()
		g.Close()
		return nil, fmt.Errorf("cannot set up limits by %s: %w", p.Mode, err)
	}
	return g, nil
}

func checkPlan(p Plan) error {
	name, ok := strings.CutPrefix(p.Name, prefix)
	if !ok {
		return errors.New("internal error: limits were not planned by Decide")
	}
	if err := checkName(name); err != nil {
		return err
	}
	return p.Limits.Check()
}

func (g *Group) create() error {
	if g.plan.Unit != nil {
		return g.callUp()
	}
	if g.plan.Supervisor != "" {
		if err := moveAside(g.plan.Supervisor); err != nil {
			return err
		}
	}
	if e := g.plan.Enable; e != nil {
		if err := writeAt(unix.AT_FDCWD, e.File, e.Value); err != nil {
			return fmt.Errorf("write %q to %s: %w", e.Value, e.File, err)
		}
	}
	for _, d := range g.plan.Groups {
		made, err := makeDir(d)
		if err != nil {
			return err
		}
		g.dirs = append(g.dirs, made)
		if err := g.apply(made, d.Writes); err != nil {
			return err
		}
	}
	return nil
}

// moveAside puts this process, alone in a group that is to hand controllers
// on, into a group below it. The unit's manager removes that with the unit.
func moveAside(to string) error {
	if err := unix.Mkdir(to, 0o755); err != nil && err != unix.EEXIST {
		return fmt.Errorf("make group %s: %w", to, err)
	}
	if err := writeAt(unix.AT_FDCWD, to+"/cgroup.procs", "0"); err != nil {
		return fmt.Errorf("move to group %s: %w", to, err)
	}
	return nil
}

// FD is the directory to clone into (CLONE_INTO_CGROUP), or -1. It stays the
// group's own; Close ends it.
func (g *Group) FD() int {
	if len(g.dirs) > 0 && g.dirs[0].Unified && g.plan.Unit == nil {
		return g.dirs[0].fd
	}
	return -1
}

// Waits says whether the child must wait at its gate until Add has returned:
// before that it is outside some limit.
func (g *Group) Waits() bool {
	return g.plan.Unit != nil || g.plan.Mode == V1
}

// Add puts a waiting child into those groups into which it was not cloned, and
// makes sure that it is in all of them. Call it in every mode: in mode V2 it
// only checks, in mode None it does nothing. A second process, or one for a
// group that was opened, joins the first. pid must be a child that has not been
// waited for.
func (g *Group) Add(pid int) error {
	if g.plan.Unit != nil {
		if err := g.addToScope(pid); err != nil {
			return fmt.Errorf("cannot set up limits by scope: %w", err)
		}
	}
	for _, d := range g.dirs {
		if d.Unified {
			continue
		}
		if err := writeAt(d.fd, "cgroup.procs", itoa(pid)); err != nil {
			return fmt.Errorf("cannot move the app into %s: %w", d.Path, err)
		}
	}
	return g.Verify(pid)
}

// Verify makes sure that a process is in every directory of the group, by what
// the kernel says of it. Processes get moved: by a manager that thinks the
// group its own (CVE-2020-27352), or by a mistake of ours.
func (g *Group) Verify(pid int) error {
	if len(g.dirs) == 0 {
		return nil
	}
	data, err := readAt(unix.AT_FDCWD, "/proc/"+itoa(pid)+"/cgroup")
	if err != nil {
		return fmt.Errorf("cannot tell the control group of process %d: %w", pid, err)
	}
	all := parseMembership(data)
	for _, d := range g.dirs {
		if !d.holds(all) {
			return fmt.Errorf("cannot keep process %d in %s: it is elsewhere", pid, d.Path)
		}
	}
	return nil
}

// Close lets go of the descriptors; the group itself stays.
func (g *Group) Close() {
	if g.oom != nil {
		g.oom.Close() // ends the goroutine of OOM
		g.oom = nil
	}
	g.hangUp()
	for _, d := range g.dirs {
		unix.Close(d.fd)
	}
	g.dirs = nil
}
