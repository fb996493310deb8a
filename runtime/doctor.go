package runtime

import (
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/runtime/cgroup"
)

// DoctorPage is the document about what a machine must offer, for
// `sandbox help machine`.
//
//go:embed DOCTOR.md
var DoctorPage string

// State is a verdict on one thing that a launch uses.
type State string

const (
	Good     State = "ok"
	Degraded State = "degraded" // apps run, with less than they could have
	Missing  State = "missing"  // no app can run until it is there
)

// Group is a heading under which findings are shown.
type Group string

// The groups in the order of a report.
const (
	Isolation Group = "Isolation"
	Limiting  Group = "Limits"
	Around    Group = "Session"
)

// Finding is one line of a diagnosis. A finding that is not Good says what it
// costs, and how to lift it where there is a way.
type Finding struct {
	ID    string `json:"id"` // stable, for programs
	Group Group  `json:"group"`
	Title string `json:"title"`
	State State  `json:"state"`
	Text  string `json:"text"` // what was found
	Cost  string `json:"cost,omitempty"`
	Fix   *Fix   `json:"fix,omitempty"`
}

// Fix is a way to lift a finding.
type Fix struct {
	Text     string   `json:"text"`
	Commands []string `json:"commands,omitempty"` // as one types them
	File     string   `json:"file,omitempty"`     // path of a file to write
	Content  string   `json:"content,omitempty"`  // and what to write into it
}

// Facts are what Examine found on a machine: values only, so that a diagnosis
// can be tested for machines that are not at hand.
type Facts struct {
	UID     int
	Kernel  [2]int // {6, 18}
	Release string
	Arch    string
	Distro  Distro
	Program string // the launcher's path, for profiles that name it

	Container string            // "docker", "podman", "kubernetes", "lxc" …; empty outside of them
	Chroot    bool              // the root is not that of the mount namespace
	Filtered  bool              // a seccomp filter is around this session already
	LSMs      []string          // active security modules; nil when the kernel does not tell
	Enforcing bool              // SELinux enforces
	Sysctl    map[string]string // those that exist

	Trials   map[string]Trial // what was tried for real, by the names below
	Landlock int              // ABI, 0 without
	Cgroups  cgroup.Host
	Session  Session
}

// Distro is what os-release(5) says.
type Distro struct{ ID, Like, Name, Version, Codename string }

// is reports whether the distribution is id or made from it.
func (d Distro) is(ids ...string) bool {
	for _, id := range ids {
		if d.ID == id || strings.Contains(" "+d.Like+" ", " "+id+" ") {
			return true
		}
	}
	return false
}

// Session is what surrounds the process besides the kernel.
type Session struct {
	RuntimeDir   string // $XDG_RUNTIME_DIR
	Registry     string // why instances cannot be listed; empty when they can
	SessionBus   string // why it cannot be reached; empty when it can
	SystemBus    string
	Manager      string // likewise for systemd's manager of the user (for root: the system's)
	Data         Place
	Config       Place
	Cache        Place
	MissingNodes []string // below /dev
}

// Place is a directory of the project's own, or where it will be made.
type Place struct {
	Dir   string
	Why   string // why it cannot be written; empty when it can
	Free  int64  // bytes left for the user; -1 unknown
	Files int64  // inodes left; -1 unknown or without a bound
}

// Trial is one thing that was really tried. The zero value was not.
type Trial struct {
	Ran   bool
	Step  string // what failed
	Errno unix.Errno
}

// OK reports whether it was tried and worked.
func (t Trial) OK() bool { return t.Ran && t.Errno == 0 }

func (t Trial) failed() bool { return t.Ran && t.Errno != 0 }

func (t Trial) String() string {
	switch {
	case !t.Ran:
		return "not tried"
	case t.Errno == 0:
		return "ok"
	}
	return fmt.Sprintf("cannot %s: %v", t.Step, t.Errno)
}

// What is tried. All but the first few need a user namespace and are not tried
// without one.
const (
	tryUser     = "user namespace"
	tryOwners   = "owners" // root only: an unprivileged owner for an app
	trySpaces   = "namespaces"
	tryMounts   = "mounts"
	tryBinds    = "binds"
	tryProc     = "proc"
	tryDevpts   = "devpts"
	tryOverlay  = "overlay"
	tryIDMap    = "idmapped mounts" // root only
	tryFilter   = "filter"
	tryTerminal = "terminal"
	tryOpenAt2  = "openat2"
	tryClose    = "close_range"
)

// Diagnose judges facts. The order is that of a report.
func Diagnose(f Facts) []Finding {
	var out []Finding
	for _, judge := range []func(*Facts) []Finding{
		(*Facts).kernel, (*Facts).userNamespaces, (*Facts).mounts, (*Facts).walls, (*Facts).limits, (*Facts).session,
	} {
		out = append(out, judge(&f)...)
	}
	return out
}

// Runs reports whether apps can run where these were found.
func Runs(findings []Finding) bool {
	for i := range findings {
		if findings[i].State == Missing {
			return false
		}
	}
	return true
}

func (f *Facts) atLeast(major, minor int) bool {
	return f.Kernel[0] > major || f.Kernel[0] == major && f.Kernel[1] >= minor
}

// The calls that a launch makes are all there from this kernel on:
// mount_setattr(2) was the last to come.
const oldestMajor, oldestMinor = 5, 12

func (f *Facts) kernel() []Finding {
	v := Finding{ID: "kernel", Group: Isolation, Title: "kernel", State: Good, Text: "Linux " + f.Release}
	switch {
	case !f.atLeast(oldestMajor, oldestMinor):
		v.State = Missing
		v.Text += " is too old"
		v.Cost = "no app can run: a launch is made of calls that came with 5.12"
		v.Fix = f.newerKernel()
	case !f.atLeast(6, 12):
		v.Text += "; 6.12 and later keep abstract sockets and signals apart too"
	}
	return []Finding{v}
}

func (f *Facts) newerKernel() *Fix {
	switch {
	case f.Distro.is("debian") && !f.Distro.is("ubuntu"):
		return &Fix{Text: "install a newer kernel, from backports if need be, and restart",
			Commands: []string{f.sudo() + "apt install -t " + f.Distro.Codename + "-backports linux-image-" + f.Arch}}
	case f.Distro.is("ubuntu"):
		return &Fix{Text: "install the hardware enablement kernel and restart",
			Commands: []string{f.sudo() + "apt install linux-generic-hwe-" + f.Distro.Version}}
	case f.Distro.is("fedora", "rhel"):
		return &Fix{Text: "install a newer kernel and restart", Commands: []string{f.sudo() + "dnf upgrade kernel"}}
	}
	return &Fix{Text: "install Linux 5.12 or later and restart"}
}

// sysctl is the way to change a kernel setting now and for good.
func (f *Facts) sysctl(key, value string) *Fix {
	if f.Distro.is("nixos") {
		return &Fix{Text: "add the line to configuration.nix and rebuild",
			Commands: []string{fmt.Sprintf("boot.kernel.sysctl.%q = %s;", key, value), f.sudo() + "nixos-rebuild switch"}}
	}
	return &Fix{Text: "the command changes it until the next restart, the file for good",
		Commands: []string{f.sudo() + "sysctl -w " + key + "=" + value},
		File:     "/etc/sysctl.d/60-sandbox.conf", Content: key + " = " + value + "\n"}
}

func (f *Facts) sudo() string {
	if f.UID == 0 {
		return ""
	}
	return "sudo "
}
