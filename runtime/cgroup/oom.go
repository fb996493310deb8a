package cgroup

import (
	"context"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// OOM is closed when the kernel has killed a process of the group for want of
// memory and left the others alive, as v1 does: the caller then ends the whole
// instance. It is nil, and never ready, where the kernel ends the whole group
// by itself (memory.oom.group), and without a memory limit. Call it once.
func (g *Group) OOM() (<-chan struct{}, error) {
	d := g.with("memory")
	if d == nil || g.oom != nil {
		return nil, nil
	}
	f, err := watchOOM(d.fd)
	if err != nil {
		return nil, fmt.Errorf("cannot watch group %s for want of memory: %w", d.Path, err)
	}
	own, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		f.Close()
		return nil, err
	}
	g.oom = f
	out := make(chan struct{})
	go func() {
		defer unix.Close(own)
		var count [8]byte
		for {
			// Also when the group is removed; the descriptor is closed by Close.
			if _, err := f.Read(count[:]); err != nil {
				return
			}
			if killed(own) {
				close(out)
				return
			}
		}
	}()
	return out, nil
}

// killed waits for the kill that follows the event; the event also comes when
// memory was found after all, and at the group's end.
func killed(dir int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return nil == wait(ctx, func() (bool, error) {
		control, err := readAt(dir, "memory.oom_control")
		return field(control, "oom_kill") > 0, err
	}, "see the kill")
}

// watchOOM registers an eventfd for the group's memory.oom_control
// (cgroup-v1/memory.rst, "OOM Control").
func watchOOM(dir int) (*os.File, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(event), "memory.oom_control")
	control, err := unix.Openat(dir, "memory.oom_control", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		f.Close()
		return nil, err
	}
	defer unix.Close(control)
	if err := writeAt(dir, "cgroup.event_control", itoa(event)+" "+itoa(control)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OutOfMemory says whether the kernel has killed the group as a whole for want
// of memory. systemd removes a scope as soon as that is empty; then the group
// above tells, which counts for all below it.
func (g *Group) OutOfMemory() bool {
	if g.plan.Limits.Memory == Unset || len(g.dirs) == 0 || !g.dirs[0].Unified || !has(g.dirs[0].Controllers, "memory") {
		return false
	}
	d := g.dirs[0]
	if n := oomKills(d.fd, "memory.events"); n >= 0 {
		return n > 0
	}
	return g.above >= 0 && oomKills(unix.AT_FDCWD, path.Dir(d.Path)+"/memory.events") > g.above
}

func oomKills(dir int, file string) int64 {
	events, err := readAt(dir, file)
	if err != nil {
		return -1
	}
	return field(events, "oom_kill")
}
