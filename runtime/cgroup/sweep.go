package cgroup

import (
	"context"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sweepAge spares a group whose supervisor is just about to fill it.
const sweepAge = 2 * time.Second

// Discard removes the group of an instance whose supervisor was killed. It
// waits for processes that are dying, and kills none: what is alive in the group
// keeps it.
func Discard(r Ref) {
	g, err := Open(r)
	if err != nil {
		return
	}
	defer g.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	wait(ctx, func() (bool, error) {
		err := g.removeDirs()
		return err == nil, ignoreBusy(err)
	}, "remove the control group")
}

// Sweep removes the groups that supervisors left behind when they were killed,
// and returns their paths. alive gets the name given to Decide and says whether
// that instance still has a supervisor. A group with a process in it is never
// removed: the kernel refuses.
func Sweep(h Host, alive func(name string) bool) []string {
	var removed []string
	for _, base := range h.bases() {
		entries, err := os.ReadDir(base)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), prefix)
			if !ok || !e.IsDir() || checkName(name) != nil || strings.HasSuffix(name, ".scope") || alive(name) {
				continue
			}
			info, err := e.Info()
			if err != nil || time.Since(info.ModTime()) < sweepAge {
				continue
			}
			if p := path.Join(base, e.Name()); unix.Rmdir(p) == nil {
				removed = append(removed, p)
			}
		}
	}
	return removed
}

// bases are the directories in which this session's groups may lie.
func (h Host) bases() []string {
	var out []string
	if h.V2.Usable {
		out = append(out, h.V2.Base)
	}
	for _, v := range h.V1 {
		if v.Usable && !has(out, v.Base) {
			out = append(out, v.Base)
		}
	}
	return out
}
