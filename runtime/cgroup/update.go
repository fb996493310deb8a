package cgroup

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Update changes the limits of the running group. A changed limit that its
// mode or its hierarchies cannot hold is an error, and then nothing is changed.
// On v2 a memory limit below what is in use makes the kernel reclaim, then kill.
func (g *Group) Update(l Limits) error {
	if err := l.Check(); err != nil {
		return err
	}
	p := g.plan
	old := p.Limits
	p.Limits = l
	for _, n := range changed(old, l) {
		if !p.held(n) && !g.gain(n) {
			return hint.With(errors.New("cannot change limit "+n.limit+" of a running instance: it was started without a controller for it"),
				"stop the instance and start it with the limit")
		}
	}
	if p.Unit != nil {
		if err := g.updateScope(l); err != nil {
			return err
		}
		g.plan.Limits = l
		return nil
	}
	for _, d := range g.dirs {
		writes := l.v1Writes(d.Controllers, p.Disk, true)
		if d.Unified {
			writes = l.v2Writes(d.Controllers, p.Disk, true)
		}
		if err := g.apply(d, writes); err != nil {
			return err
		}
	}
	g.plan.Limits = l
	return nil
}

// changed lists what a change of limits needs, lifted limits included.
func changed(old, l Limits) []need {
	var out []need
	every := Limits{Memory: 1, Swap: 1, Pids: 1, Files: 1, CPU: 1, IORead: 1, IOWrite: 1}
	differs := map[string]bool{
		"memory": old.Memory != l.Memory,
		"swap":   old.Swap != l.Swap,
		"pids":   old.Pids != l.Pids,
		"cpu":    old.CPU != l.CPU,
		"io":     old.IORead != l.IORead || old.IOWrite != l.IOWrite,
	}
	for _, n := range every.wanted() {
		if differs[n.limit] {
			out = append(out, n)
		}
	}
	if old.Files != l.Files {
		out = append(out, need{limit: "files"}) // an rlimit: no group can hold it
	}
	return out
}

// gain has the group above a leaf of ours hand one controller more on.
func (g *Group) gain(n need) bool {
	d := g.unified()
	if d == nil || g.plan.Unit != nil || n.v2 == "" || n.v2 == "io" && g.plan.Disk == "" {
		return false
	}
	if writeAt(unix.AT_FDCWD, path.Dir(d.Path)+"/cgroup.subtree_control", "+"+n.v2) != nil {
		return false
	}
	d.Controllers = append(d.Controllers, n.v2)
	for i := range g.plan.Groups {
		if g.plan.Groups[i].Unified {
			g.plan.Groups[i].Controllers = d.Controllers
		}
	}
	return true
}
