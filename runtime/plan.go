package runtime

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sandbox/internal/safe"
)

// A Plan is everything about one launch, decided before anything is done. It
// is plain data: `sandbox run --dry-run` prints it, tests compare it with a
// golden file, and the performing half adds nothing of its own.
type Plan struct {
	App      string // the manifest's id
	Version  string
	Instance string // name of this run, unique in the registry

	UID, GID int   // the ids the app sees
	Outside  Owner // the ids the kernel sees; equal to the caller's unless root calls

	ShareNet bool // network:host: the host's network namespace
	Hostname string

	Make []Made // on the host, before anything else
	View []Step // what the app's root is made of, in order

	Search  []string // absolute paths inside, tried in order as execvp does
	Argv    []string // argv[0] is the name the user knows
	Env     []string // NAME=VALUE, sorted; nothing else reaches the app
	Dirs    []string // working directories, the first that can be entered
	Rlimits []Rlimit

	Features []string      // seccomp switches, from feature: permissions
	Limits   []string      // limit: permissions, canonical
	Deadline time.Duration // after which init ends by itself; 0 is never
	Landlock int           // scopes to use: the ABI found, 0 when there is none

	Permissions []string // what the app may do, canonical, for ps and /.sandbox-info
	Notes       []string // what was asked for and could not be given, in words
}

// Owner is the uid and gid that the kernel charges the app's deeds to.
type Owner struct{ UID, GID int }

// Rlimit is one setrlimit(2) call.
type Rlimit struct {
	Name       string
	Resource   int
	Soft, Hard uint64
}

// Verb is what a Step does to the app's root.
type Verb string

const (
	Tmpfs   Verb = "tmpfs"   // an empty file system in memory, bounded by Size and Inodes
	Dir     Verb = "dir"     // a directory
	File    Verb = "file"    // a file with fixed content
	Symlink Verb = "symlink" // a symbolic link to Source
	Bind    Verb = "bind"    // the host's Source, at Target
	Overlay Verb = "overlay" // Lower laid over each other, read-only
	Proc    Verb = "proc"    // a procfs of the app's own pid namespace
	Devpts  Verb = "devpts"  // terminals of the app's own
	Mask    Verb = "mask"    // hide Target: an empty file or an empty directory
	Freeze  Verb = "freeze"  // make the file system mounted at Target read-only
	Self    Verb = "self"    // Target becomes a mount of itself, so that it cannot be renamed away
)

// Step is one piece of the view.
type Step struct {
	Do     Verb
	Target string // absolute path inside
	Source string
	Lower  []string // overlay: the upper-most first
	Data   []byte

	Mode     uint32
	Size     int64 // bytes, for tmpfs
	Inodes   int64 // files, for tmpfs
	ReadOnly bool
	Exec     bool // tmpfs: programs may be run from it
	Devices  bool // the bind may carry device nodes

	IsFile   bool // bind, mask: Target is a file, not a directory
	Optional bool // mask, freeze, self: nothing to do when Target is not there
	Shift    bool // bind: translate the ids of a root caller's files
	Link     bool // self: Target is a symbolic link
	Hostile  bool // the app could have written Target's parents: follow nothing there
	Ino, Dev uint64
	Why      string // the permission or rule that put the step here
}

// String is one line a person can read.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %s", s.Do, safe.Text(s.Target))
	switch s.Do {
	case Bind:
		fmt.Fprintf(&b, " <- %s", safe.Text(s.Source))
	case Symlink:
		fmt.Fprintf(&b, " -> %s", safe.Text(s.Source))
	case Overlay:
		lower := make([]string, len(s.Lower))
		for i, l := range s.Lower {
			lower[i] = safe.Text(l)
		}
		fmt.Fprintf(&b, " <- %s", strings.Join(lower, " over "))
	case File:
		fmt.Fprintf(&b, " %d bytes", len(s.Data))
	case Tmpfs:
		fmt.Fprintf(&b, " size=%s files=%d", size(s.Size), s.Inodes)
	}
	if opts := s.options(); opts != "" {
		b.WriteString(" " + opts)
	}
	if s.Why != "" {
		fmt.Fprintf(&b, "  # %s", safe.Text(s.Why))
	}
	return b.String()
}

func (s Step) options() string {
	var o []string
	switch s.Do {
	case Tmpfs, Dir, File:
		if s.Mode != 0 {
			o = append(o, fmt.Sprintf("mode=%04o", s.Mode))
		}
	}
	switch s.Do {
	case Self:
		if s.ReadOnly {
			o = append(o, "ro")
		}
		if s.Link {
			o = append(o, "link")
		}
	case Bind:
		if s.ReadOnly {
			o = append(o, "ro")
		} else {
			o = append(o, "rw")
		}
		o = append(o, "nosuid")
		if !s.Devices {
			o = append(o, "nodev")
		}
		if s.Shift {
			o = append(o, "root's files are the app's")
		}
	case Tmpfs:
		if !s.Exec {
			o = append(o, "noexec")
		}
	}
	return strings.Join(o, ",")
}

func size(n int64) string {
	switch {
	case n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + "G"
	case n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "M"
	case n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + "K"
	}
	return strconv.FormatInt(n, 10)
}

// String is what --dry-run prints.
func (p *Plan) String() string {
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", key, fmt.Sprintf(format, args...))
	}
	line("app", "%s %s", safe.Text(p.App), safe.Text(p.Version))
	line("namespaces", "%s", strings.Join(p.namespaces(), " "))
	line("ids", "uid %d and gid %d inside, uid %d and gid %d to the kernel", p.UID, p.GID, p.Outside.UID, p.Outside.GID)
	line("hostname", "%s", safe.Text(p.Hostname))
	filter := "allow-list"
	for _, f := range p.Features {
		filter += " +" + f
	}
	line("seccomp", "%s", filter)
	if p.Landlock >= 6 {
		line("landlock", "abstract sockets and signals stay inside (ABI %d)", p.Landlock)
	} else {
		line("landlock", "not used: needs ABI 6, this kernel has %d", p.Landlock)
	}
	for _, l := range p.Limits {
		line("limit", "%s", safe.Text(l))
	}
	for _, r := range p.Rlimits {
		line("rlimit", "%s %s", r.Name, rlimitText(r))
	}
	for _, m := range p.Make {
		line("make", "%s", m)
	}
	for _, s := range p.View {
		line("view", "%s", s)
	}
	for _, e := range p.Env {
		line("env", "%s", safe.Text(e))
	}
	line("directory", "%s", safe.Text(strings.Join(p.Dirs, " or ")))
	line("program", "%s", safe.Text(strings.Join(p.Search, " or ")))
	for i, a := range p.Argv {
		line("argument", "%d %s", i, safe.Text(a))
	}
	for _, n := range p.Notes {
		line("note", "%s", safe.Text(n))
	}
	return b.String()
}

func (p *Plan) namespaces() []string {
	ns := []string{"user", "mount", "pid", "ipc", "uts", "cgroup"}
	if !p.ShareNet {
		ns = append(ns, "net")
	}
	return ns
}

func rlimitText(r Rlimit) string {
	text := func(v uint64) string {
		if v == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(v, 10)
	}
	if r.Soft == r.Hard {
		return text(r.Soft)
	}
	return text(r.Soft) + " of " + text(r.Hard)
}
