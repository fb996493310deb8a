package cgroup

import (
	"os"
	"strings"
)

// Host is what this session offers for limits. It is data: a plan made from
// it can be printed and tested on another machine.
type Host struct {
	UID     int         `json:"uid"`
	Kernel  [2]int      `json:"kernel"` // {6, 18}
	V2      Unified     `json:"v2"`
	V1      []Hierarchy `json:"v1,omitempty"`
	Systemd Manager     `json:"systemd"`
	Home    string      `json:"home,omitempty"`
	Disk    string      `json:"disk,omitempty"` // "254:0", the disk under Home; empty when it is not one
}

// Unified is the v2 hierarchy as far as this process is concerned.
type Unified struct {
	Usable      bool     `json:"usable"`                // a leaf can be made in Base and entered by clone
	Why         string   `json:"why,omitempty"`         // why not
	Pure        bool     `json:"pure"`                  // the only hierarchy; false on hybrid hosts
	Self        string   `json:"self,omitempty"`        // directory of the own group
	Base        string   `json:"base,omitempty"`        // directory in which leaves are made
	Controllers []string `json:"controllers,omitempty"` // that Base can hand on
	Enabled     []string `json:"enabled,omitempty"`     // that Base does hand on
	Top         bool     `json:"top,omitempty"`         // Base is the kernel's root group: processes in it are no obstacle
	Occupied    bool     `json:"occupied,omitempty"`    // Base itself holds processes: controllers not yet enabled stay so
	Alone       bool     `json:"alone,omitempty"`       // …but they are this process only, which may move aside
}

// Hierarchy is one v1 mount.
type Hierarchy struct {
	Controllers []string `json:"controllers"`
	Base        string   `json:"base"` // directory of the own group
	Usable      bool     `json:"usable"`
}

// Manager is the systemd that can make a scope for us: the user's, or for
// root the system's.
type Manager struct {
	Usable      bool     `json:"usable"`
	Why         string   `json:"why,omitempty"`
	Socket      string   `json:"socket,omitempty"`      // path, or "@name" for an abstract one
	Bus         bool     `json:"bus,omitempty"`         // a message bus is behind Socket, else systemd itself
	Controllers []string `json:"controllers,omitempty"` // that it can use for its units
}

// Without returns h with one mode struck out: what to plan with after Create
// or Add failed in that mode.
func (h Host) Without(m Mode) Host {
	switch m {
	case V2:
		h.V2.Usable, h.V2.Why = false, "it failed for this launch"
	case Scope:
		h.Systemd.Usable, h.Systemd.Why = false, "it failed for this launch"
	case V1:
		h.V1 = nil
	}
	return h
}

// Probe looks at this session. It reads a dozen small files and connects to
// nothing, for it runs before every launch.
func Probe() Host {
	return probe(system(), session{
		uid: os.Geteuid(), pid: os.Getpid(), home: os.Getenv("HOME"),
		runtimeDir: os.Getenv("XDG_RUNTIME_DIR"), busAddress: os.Getenv("DBUS_SESSION_BUS_ADDRESS"),
	})
}

// session is what the environment says. Everything in it is only believed as
// far as the files agree.
type session struct {
	uid, pid   int
	home       string
	runtimeDir string
	busAddress string
}

const cgroupRoot = "/sys/fs/cgroup"

func probe(fs files, s session) Host {
	h := Host{UID: s.uid, Home: s.home}
	h.Kernel[0], h.Kernel[1] = release(fs.text("/proc/sys/kernel/osrelease"))
	h.Disk = fs.disk(s.home)
	all := parseMembership(fs.text("/proc/self/cgroup"))
	mounts := lazyMounts(fs)
	systemd := fs.exists("/run/systemd/system")
	h.V2 = probeUnified(fs, all, mounts, systemd, s)
	h.V1 = probeV1(fs, all, mounts)
	h.Systemd = probeManager(fs, h.V2, systemd, s)
	return h
}

// lazyMounts reads mountinfo at most once, and only where the usual places
// fail: it is a long file on hosts with many mounts.
func lazyMounts(fs files) func() []mount {
	var list []mount
	read := false
	return func() []mount {
		if !read {
			list, read = parseMounts(fs.text("/proc/self/mountinfo")), true
		}
		return list
	}
}

func probeV1(fs files, all []membership, mounts func() []mount) []Hierarchy {
	var out []Hierarchy
	for _, m := range all {
		if m.Unified || !hasAny(m.Controllers, v1Controllers) {
			continue
		}
		dir := join(cgroupRoot+"/"+strings.Join(m.Controllers, ","), m.Path)
		if !fs.exists(dir + "/cgroup.procs") {
			dir = locate(mounts(), m)
		}
		if dir == "" {
			continue
		}
		usable := fs.writable(dir) && fs.writable(dir+"/cgroup.procs")
		out = append(out, Hierarchy{Controllers: m.Controllers, Base: dir, Usable: usable})
	}
	return out
}

// v1Controllers are those that a group of ours can have a use for.
var v1Controllers = []string{"memory", "pids", "cpu", "cpuacct", "freezer", "blkio"}

func hasAny(have, want []string) bool {
	for _, w := range want {
		if has(have, w) {
			return true
		}
	}
	return false
}

func join(dir, group string) string {
	if group == "/" {
		return dir
	}
	return dir + group
}
