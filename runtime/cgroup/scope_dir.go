package cgroup

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// enterScope finds the scope's directory by where its first process is, and
// checks that the limits that were asked for are there: a manager without a
// controller drops properties silently.
func (g *Group) enterScope(pid int) error {
	u := g.plan.Unit
	data, err := readAt(unix.AT_FDCWD, "/proc/"+itoa(pid)+"/cgroup")
	if err != nil {
		return err
	}
	all := parseMembership(data)
	where, ok := find(all, "")
	if !ok || path.Base(where) != u.Name {
		return fmt.Errorf("systemd did not move the app into %s", u.Name)
	}
	d, err := openDir(Dir{Path: scopeDir(where), Unified: true, Controllers: u.Controllers})
	if err != nil {
		return err
	}
	g.dirs = []*dir{d}
	g.above = -1
	if g.plan.Limits.Memory != Unset {
		g.above = oomKills(unix.AT_FDCWD, path.Dir(d.Path)+"/memory.events")
	}
	return checkScope(d, u, g.plan.Limits)
}

func checkScope(d *dir, u *Unit, l Limits) error {
	for _, w := range l.v2Writes(u.Controllers, "", false) {
		have, err := readAt(d.fd, w.File)
		if w.File == "memory.oom.group" {
			writeAt(d.fd, w.File, w.Value) // for managers without OOMPolicy
			continue
		}
		if err != nil && !w.Optional || err == nil && strings.HasPrefix(have, "max") {
			return fmt.Errorf("systemd did not set %s of %s", w.File, u.Name)
		}
	}
	return nil
}

// scopeDir shows a group of the unified hierarchy, also where it is mounted
// elsewhere.
func scopeDir(where string) string {
	if p := join(cgroupRoot, where); unix.Access(p+"/cgroup.controllers", unix.F_OK) == nil {
		return p
	}
	mounts, _ := readAt(unix.AT_FDCWD, "/proc/self/mountinfo")
	return locate(parseMounts(mounts), membership{Path: where, Unified: true})
}
