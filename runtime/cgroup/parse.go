package cgroup

import (
	"path"
	"strconv"
	"strings"
)

// membership is one line of /proc/PID/cgroup: where the process is in one
// hierarchy. The unified hierarchy has no controllers here.
type membership struct {
	Controllers []string // sorted as the kernel prints them; {"name=systemd"} for a named one
	Path        string   // absolute and clean, seen from the reader's cgroup namespace
	Unified     bool
}

// parseMembership reads /proc/PID/cgroup (cgroups(7)). Lines that it cannot
// use are left out: a path outside the reader's cgroup namespace ("/../x"), a
// group that is gone ("/x (deleted)"), an odd number of fields.
func parseMembership(data string) []membership {
	var out []membership
	for line := range strings.Lines(data) {
		id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			continue
		}
		names, where, ok := strings.Cut(rest, ":")
		if !ok || !usablePath(where) {
			continue
		}
		if _, err := strconv.ParseUint(id, 10, 31); err != nil {
			continue
		}
		if names == "" {
			if id == "0" {
				out = append(out, membership{Path: where, Unified: true})
			}
			continue
		}
		if controllers := strings.Split(names, ","); allPlain(controllers) {
			out = append(out, membership{Controllers: controllers, Path: where})
		}
	}
	return out
}

func usablePath(p string) bool {
	return strings.HasPrefix(p, "/") && path.Clean(p) == p && !strings.HasPrefix(p, "/..") &&
		!strings.HasSuffix(p, " (deleted)") && !strings.Contains(p, "\x00")
}

// allPlain keeps "/" and ".." out of names that become part of a path.
func allPlain(names []string) bool {
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "/\x00") || n[0] == '.' {
			return false
		}
	}
	return true
}

// find returns where a process is in the unified hierarchy (controller "") or
// in the one of a v1 controller.
func find(all []membership, controller string) (string, bool) {
	for _, m := range all {
		if m.Unified && controller == "" {
			return m.Path, true
		}
		for _, c := range m.Controllers {
			if c == controller && !m.Unified {
				return m.Path, true
			}
		}
	}
	return "", false
}

// mount is a cgroup file system: Root is the group that Point shows.
type mount struct {
	Root, Point string
	Unified     bool
	Options     []string // of the superblock; on v1 the controllers are among them
}

// parseMounts picks the cgroup file systems out of /proc/PID/mountinfo
// (proc_pid_mountinfo(5)); anything it does not understand is left out.
func parseMounts(data string) []mount {
	var out []mount
	for line := range strings.Lines(data) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		if !ok {
			continue
		}
		f, g := strings.Split(before, " "), strings.Split(after, " ")
		if len(f) < 6 || len(g) < 3 || g[0] != "cgroup" && g[0] != "cgroup2" {
			continue
		}
		m := mount{Root: unescape(f[3]), Point: unescape(f[4]), Unified: g[0] == "cgroup2", Options: strings.Split(g[2], ",")}
		if usablePath(m.Root) && usablePath(m.Point) {
			out = append(out, m)
		}
	}
	return out
}

// locate turns a group's path into the directory that shows it, or "".
func locate(mounts []mount, where membership) string {
	for _, m := range mounts {
		if m.Unified != where.Unified || !hasAll(m.Options, where.Controllers) {
			continue
		}
		if rest, ok := within(where.Path, m.Root); ok {
			return path.Join(m.Point, rest)
		}
	}
	return ""
}

// within returns what follows dir in p when p is dir or lies under it.
func within(p, dir string) (string, bool) {
	if dir == "/" || p == dir {
		return strings.TrimPrefix(p, dir), true
	}
	rest, ok := strings.CutPrefix(p, dir+"/")
	return rest, ok
}

// unescape undoes the \040 style of mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// number reads a file that holds one; "max" and anything odd is -1.
func number(data string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(data), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// field reads a flat keyed file ("usage_usec 12\n…"); a missing key is -1.
func field(data, key string) int64 {
	for line := range strings.Lines(data) {
		if k, v, ok := strings.Cut(line, " "); ok && k == key {
			return number(v)
		}
	}
	return -1
}

// transferred sums io.stat of v2 ("8:0 rbytes=1 wbytes=2 …") over all devices.
func transferred(data string) (read, write int64) {
	for line := range strings.Lines(data) {
		for _, pair := range strings.Fields(line) {
			k, v, _ := strings.Cut(pair, "=")
			switch n := number(v); {
			case n < 0:
			case k == "rbytes":
				read = add(read, n)
			case k == "wbytes":
				write = add(write, n)
			}
		}
	}
	return read, write
}

// transferredV1 sums blkio.throttle.io_service_bytes ("8:0 Read 1\n8:0 Write 2\n…").
func transferredV1(data string) (read, write int64) {
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		switch n := number(f[2]); {
		case n < 0:
		case f[1] == "Read":
			read = add(read, n)
		case f[1] == "Write":
			write = add(write, n)
		}
	}
	return read, write
}

// add saturates: a counter never turns negative.
func add(a, b int64) int64 {
	if s := a + b; s >= 0 {
		return s
	}
	return 1<<63 - 1
}

// pids reads cgroup.procs. A process of another pid namespace shows as 0 and
// is left out.
func pids(data string) []int {
	var out []int
	for line := range strings.Lines(data) {
		if n := number(line); n > 0 && n <= 1<<30 {
			out = append(out, int(n))
		}
	}
	return out
}

// release reads the first two numbers of a kernel release ("6.18.44-generic").
func release(s string) (major, minor int) {
	digits := func(s string) (int, string) {
		i := 0
		for i < len(s) && i < 6 && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, _ := strconv.Atoi(s[:i])
		return n, s[i:]
	}
	major, rest := digits(s)
	if after, ok := strings.CutPrefix(rest, "."); ok {
		minor, _ = digits(after)
	}
	return major, minor
}

func hasAll(have, want []string) bool {
	for _, w := range want {
		if !has(have, w) {
			return false
		}
	}
	return true
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
