package cgroup

import (
	"fmt"
	"math"
	"strings"
)

// Unit is a transient scope to ask systemd for.
type Unit struct {
	Socket      string     `json:"socket"`
	Bus         bool       `json:"bus,omitempty"`
	Name        string     `json:"name"`
	IOPath      string     `json:"io_path,omitempty"` // systemd finds the disk under it itself
	Controllers []string   `json:"controllers,omitempty"`
	Properties  []Property `json:"properties"`
}

// Property is one of org.freedesktop.systemd1(5). Value is a bool, a string, a
// uint64 or a []PathRate.
type Property struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func (p Property) String() string { return fmt.Sprintf("%s=%v", p.Name, p.Value) }

// PathRate limits bytes a second on the disk that holds Path; D-Bus type (st).
type PathRate struct {
	Path string
	Rate uint64
}

// planScope asks systemd for a scope around the app. Delegate=yes keeps
// systemd from moving the app out of it (CVE-2020-27352).
func planScope(h Host, p Plan) (Plan, bool) {
	m := h.Systemd
	if !m.Usable {
		return p, false
	}
	p.Mode = Scope
	u := &Unit{Socket: m.Socket, Bus: m.Bus, Name: p.Name + ".scope"}
	if strings.HasPrefix(h.Home, "/") {
		u.IOPath = h.Home
	}
	for _, c := range []string{"memory", "pids", "cpu", "io"} {
		if has(m.Controllers, c) {
			u.Controllers = append(u.Controllers, c)
		}
	}
	u.Properties = append([]Property{
		{"Description", "sandbox " + strings.TrimPrefix(p.Name, prefix)},
		{"Delegate", true},
		{"CollectMode", "inactive-or-failed"},
	}, p.Limits.properties(u, false)...)
	p.Unit = u
	return p, true
}

// infinity is systemd's word for no limit.
const infinity = math.MaxUint64

// properties are the limits as systemd names them; with all, unset ones too.
func (l Limits) properties(u *Unit, all bool) []Property {
	var out []Property
	put := func(set bool, controller, name string, value uint64) {
		if has(u.Controllers, controller) && (set || all) {
			if !set {
				value = infinity
			}
			out = append(out, Property{name, value})
		}
	}
	memory := l.Memory != Unset
	put(memory, "memory", "MemoryMax", uint64(l.Memory))
	put(memory || l.Swap != Unset, "memory", "MemorySwapMax", uint64(max(l.Swap, 0)))
	if memory && !all && has(u.Controllers, "memory") {
		out = append(out, Property{oomPolicy, "kill"})
	}
	put(l.Pids != Unset, "pids", "TasksMax", uint64(l.Pids))
	put(l.CPU != 0, "cpu", "CPUQuotaPerSecUSec", uint64(l.CPU*1e6))
	if has(u.Controllers, "io") && u.IOPath != "" {
		io := func(name string, n int64) {
			switch {
			case n != Unset:
				out = append(out, Property{name, []PathRate{{u.IOPath, uint64(n)}}})
			case all:
				out = append(out, Property{name, []PathRate{}})
			}
		}
		io("IOReadBandwidthMax", l.IORead)
		io("IOWriteBandwidthMax", l.IOWrite)
	}
	return out
}

// oomPolicy is unknown to scopes before systemd 253: asked for, never required.
const oomPolicy = "OOMPolicy"
