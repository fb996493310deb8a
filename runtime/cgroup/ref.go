package cgroup

import (
	"fmt"
	"path"
)

// Ref is how an instance's registry entry remembers its group. Open believes
// it only as far as the names and the kernel's inode numbers agree.
type Ref struct {
	Mode   Mode     `json:"mode"`
	Name   string   `json:"name,omitempty"`
	Dirs   []RefDir `json:"dirs,omitempty"`
	Unit   *Unit    `json:"unit,omitempty"`
	Disk   string   `json:"disk,omitempty"`
	Limits Limits   `json:"limits"`
}

// RefDir is one directory of a group.
type RefDir struct {
	Path        string   `json:"path"`
	Unified     bool     `json:"unified,omitempty"`
	Controllers []string `json:"controllers,omitempty"`
	Inode       uint64   `json:"inode"` // never used twice while the system runs
}

// Ref describes the group for Open. In mode Scope it is complete after Add.
func (g *Group) Ref() Ref {
	r := Ref{Mode: g.plan.Mode, Name: g.plan.Name, Disk: g.plan.Disk, Limits: g.plan.Limits}
	if g.plan.Unit != nil {
		u := *g.plan.Unit
		u.Properties = nil
		r.Unit = &u
	}
	for _, d := range g.dirs {
		r.Dirs = append(r.Dirs, RefDir{d.Path, d.Unified, d.Controllers, d.inode})
	}
	return r
}

// Open finds a group again. It is an error when the group is gone, when a
// directory is not the one that was made, or when the names are not ours: a
// damaged entry must not make Kill reach a group of someone else.
func Open(r Ref) (*Group, error) {
	g := &Group{plan: Plan{Mode: r.Mode, Name: r.Name, Unit: r.Unit, Disk: r.Disk, Limits: r.Limits}}
	if r.Mode == None || r.Mode == "" {
		g.plan.Mode = None
		return g, nil
	}
	if err := checkPlan(g.plan); err != nil {
		return nil, err
	}
	if r.Disk != "" && !isDevice(r.Disk) {
		return nil, fmt.Errorf("cannot use disk %q of a control group", r.Disk)
	}
	leaf := r.Name
	if r.Unit != nil {
		if leaf += ".scope"; r.Unit.Name != leaf {
			return nil, fmt.Errorf("cannot use unit name %q of a control group", r.Unit.Name)
		}
	}
	for _, d := range r.Dirs {
		if !path.IsAbs(d.Path) || path.Clean(d.Path) != d.Path || path.Base(d.Path) != leaf {
			g.Close()
			return nil, fmt.Errorf("cannot use %q as a control group of the instance", d.Path)
		}
		opened, err := openDir(Dir{Path: d.Path, Unified: d.Unified, Controllers: d.Controllers})
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("cannot %w", err)
		}
		g.dirs = append(g.dirs, opened)
		g.plan.Groups = append(g.plan.Groups, opened.Dir)
		if opened.inode != d.Inode {
			g.Close()
			return nil, fmt.Errorf("cannot open group %s: another one has taken its place", d.Path)
		}
	}
	return g, nil
}
