package cgroup

import (
	"path"
	"strings"
)

// probeUnified finds the directory in which our leaves may lie. On a host with
// systemd that is a unit which it has handed over (Delegate=yes, marked by an
// extended attribute; managers of users do not yet do so in systemd 252, and
// then a scope is asked for): everywhere else systemd is the only writer, whatever
// the file modes say (systemd.io/CGROUP_DELEGATION). Without systemd it is the
// own group, if it can be written.
func probeUnified(fs files, all []membership, mounts func() []mount, systemd bool, s session) Unified {
	var u Unified
	where, ok := find(all, "")
	if !ok {
		u.Why = "there is no unified hierarchy here"
		return u
	}
	root := cgroupRoot
	if u.Pure = fs.exists(root + "/cgroup.controllers"); !u.Pure {
		root += "/unified"
	}
	u.Self = join(root, where)
	if !fs.exists(u.Self + "/cgroup.controllers") {
		u.Self = locate(mounts(), membership{Path: where, Unified: true})
		root = strings.TrimSuffix(u.Self, where)
	}
	if u.Self == "" {
		u.Why = "the unified hierarchy is not mounted"
		return u
	}
	if systemd {
		u.Base, u.Why = delegated(fs, u.Self, root)
	} else {
		u.Base, u.Why = undivided(fs, u.Self, root, s.uid)
	}
	if u.Base != "" {
		describe(fs, &u, s.pid)
	}
	return u
}

// delegated walks up to the unit that holds us and was handed over.
func delegated(fs files, self, root string) (base, why string) {
	for dir := self; len(dir) > len(root); dir = path.Dir(dir) {
		if fs.attr(dir, "user.delegate") != "1" && fs.attr(dir, "trusted.delegate") != "1" {
			continue
		}
		// What is delegated to the user's manager is that manager's to divide.
		if name := path.Base(dir); strings.HasPrefix(name, "user@") && strings.HasSuffix(name, ".service") {
			return "", "this session's unit is not delegated"
		}
		return dir, ""
	}
	return "", "this session's unit is not delegated"
}

// undivided is the own group, or for root the kernel's root group when no
// group between has limits that a leaf beside them would escape.
func undivided(fs files, self, root string, uid int) (base, why string) {
	if uid == 0 {
		free := true
		for dir := self; len(dir) > len(root) && free; dir = path.Dir(dir) {
			free = unlimited(fs, dir)
		}
		if free && !fs.exists(root+"/cgroup.type") {
			return root, ""
		}
	}
	return self, ""
}

func unlimited(fs files, dir string) bool {
	for _, f := range []string{"memory.max", "memory.high", "memory.swap.max", "pids.max", "cpu.max", "io.max"} {
		// io.max and absent files are empty when there is no limit.
		if v := fs.text(dir + "/" + f); v != "" && !strings.HasPrefix(v, "max") {
			return false
		}
	}
	return true
}

func describe(fs files, u *Unified, pid int) {
	b := u.Base
	u.Controllers = strings.Fields(fs.text(b + "/cgroup.controllers"))
	u.Enabled = strings.Fields(fs.text(b + "/cgroup.subtree_control"))
	u.Top = !fs.exists(b + "/cgroup.type")
	// clone into a leaf needs the common ancestor's cgroup.procs too (cgroups(7)).
	u.Usable = fs.writable(b) && fs.writable(b+"/cgroup.procs")
	if !u.Usable {
		u.Why = "the group is not ours to write"
		return
	}
	if !fs.writable(b + "/cgroup.subtree_control") {
		u.Controllers = u.Enabled
	}
	if u.Top || hasAll(u.Enabled, u.Controllers) {
		return
	}
	in := pids(fs.text(b + "/cgroup.procs"))
	u.Occupied = len(in) > 0
	u.Alone = len(in) == 1 && in[0] == pid
}
