package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// checkLeftovers looks at the outside after everything has ended. Processes
// are found by what they show of their command line, which holds the home or
// the bundle, and by the output they keep open (Process.Wait).
func (h *Home) checkLeftovers() {
	h.t.Helper()
	var left []string
	if !Within(3*time.Second, func() bool { left = h.leftovers(); return len(left) == 0 }) {
		h.t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func (h *Home) leftovers() []string {
	left := append(h.processes(), h.mounts()...)
	left = append(left, h.groups()...)
	names, _ := os.ReadDir(filepath.Join(h.Runtime, "sandbox/instances"))
	for _, n := range names {
		left = append(left, "registry file "+n.Name())
	}
	return left
}

// processes lists those that speak of the home, and every one whose root,
// directory or environment does, as far as that may be looked at.
func (h *Home) processes() []string {
	var left []string
	names, _ := os.ReadDir("/proc")
	for _, n := range names {
		dir := "/proc/" + n.Name()
		cmdline := Read(dir + "/cmdline")
		if n.Name()[0] < '0' || n.Name()[0] > '9' || !strings.Contains(cmdline+Read(dir+"/environ"), h.Root) {
			continue
		}
		left = append(left, "process "+n.Name()+" "+strings.ReplaceAll(cmdline, "\x00", " "))
	}
	return left
}

func (h *Home) mounts() []string {
	var left []string
	for line := range strings.Lines(Read("/proc/self/mountinfo")) {
		if strings.Contains(line, h.Root) {
			left = append(left, "mount "+strings.TrimSpace(line))
		}
	}
	return left
}

// groups lists control groups named after an instance that ran in this home:
// their logs and homes tell which.
func (h *Home) groups() []string {
	apps, _ := os.ReadDir(filepath.Join(h.Dir, ".local/share/sandbox/app"))
	var names []string
	for _, a := range apps {
		if last := a.Name()[strings.LastIndexByte(a.Name(), '.')+1:]; len(last) > 6 {
			names = append(names, "sandbox-"+strings.ToLower(last))
		}
	}
	if len(names) == 0 {
		return nil
	}
	var left []string
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		for _, name := range names {
			if strings.HasPrefix(d.Name(), name) {
				left = append(left, "control group "+path)
			}
		}
		return nil
	})
	return left
}
