package cgroup

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ErrNoGroup is returned by Freeze, Thaw and Kill where there is no group that
// can do it; the caller then signals the processes.
var ErrNoGroup = errors.New("the instance has no control group that can do this")

func (g *Group) unified() *dir {
	if len(g.dirs) > 0 && g.dirs[0].Unified {
		return g.dirs[0]
	}
	return nil
}

func (g *Group) with(controller string) *dir {
	for _, d := range g.dirs {
		if !d.Unified && has(d.Controllers, controller) {
			return d
		}
	}
	return nil
}

// Freeze stops all tasks of the group and returns when all stand still.
func (g *Group) Freeze(ctx context.Context) error { return g.setFrozen(ctx, true) }

// Thaw lets them go on.
func (g *Group) Thaw(ctx context.Context) error { return g.setFrozen(ctx, false) }

func (g *Group) setFrozen(ctx context.Context, on bool) error {
	what := "freeze the instance"
	if !on {
		what = "thaw the instance"
	}
	if d := g.unified(); d != nil {
		value, want := "0", int64(0)
		if on {
			value, want = "1", 1
		}
		if err := writeAt(d.fd, "cgroup.freeze", value); err != nil {
			return err
		}
		return wait(ctx, func() (bool, error) {
			events, err := readAt(d.fd, "cgroup.events")
			return field(events, "frozen") == want, err
		}, what)
	}
	if d := g.with("freezer"); d != nil {
		value := "THAWED"
		if on {
			value = "FROZEN"
		}
		return wait(ctx, func() (bool, error) {
			// Said again each time: a freeze that meets a fork may stay half done.
			if err := writeAt(d.fd, "freezer.state", value); err != nil {
				return false, err
			}
			state, err := readAt(d.fd, "freezer.state")
			return strings.TrimSpace(state) == value, err
		}, what)
	}
	return ErrNoGroup
}

// Kill ends every process of the group, even one that forks faster than it can
// be read, and returns when none is left. On a frozen group it works too.
func (g *Group) Kill(ctx context.Context) error {
	if len(g.dirs) == 0 {
		return ErrNoGroup
	}
	if d := g.unified(); d != nil {
		if err := writeAt(d.fd, "cgroup.kill", "1"); err == nil { // since Linux 5.14
			// The v1 freezer is not ours here, so nothing can hold them back.
			return wait(ctx, func() (bool, error) { return !g.populated(), nil }, "kill the instance")
		}
	}
	return wait(ctx, func() (bool, error) {
		g.killOnce(ctx)
		return !g.populated(), nil
	}, "kill the instance")
}

// killOnce holds the group still, so that nothing escapes by forking, kills
// what is in it, and lets the kills take effect.
func (g *Group) killOnce(ctx context.Context) {
	if d := g.with("pids"); d != nil {
		writeAt(d.fd, "pids.max", "0") // no fork from here on
	}
	short, cancel := context.WithTimeout(ctx, freezeTime)
	defer cancel()
	g.setFrozen(short, true)
	for _, d := range g.dirs {
		list, err := readAt(d.fd, "cgroup.procs")
		if err != nil {
			continue
		}
		for _, pid := range pids(list) {
			g.killOne(d, pid)
		}
	}
	// Thawed even when ctx has ended: a frozen task cannot die.
	short, cancel = context.WithTimeout(context.WithoutCancel(ctx), freezeTime)
	defer cancel()
	g.setFrozen(short, false)
}

// freezeTime is how long a kill waits for tasks that do not stand still.
const freezeTime = 200 * time.Millisecond

// killOne kills by pidfd, and only what is still in the group: the number may
// by now belong to a stranger.
func (g *Group) killOne(d *dir, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	data, err := readAt(unix.AT_FDCWD, "/proc/"+itoa(pid)+"/cgroup")
	if err == nil && d.holds(parseMembership(data)) {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// populated says whether a live process is in any directory of the group.
func (g *Group) populated() bool {
	for _, d := range g.dirs {
		if d.populated() {
			return true
		}
	}
	return false
}

func (d *dir) populated() bool {
	if d.Unified {
		events, err := readAt(d.fd, "cgroup.events")
		return err == nil && field(events, "populated") == 1
	}
	list, err := readAt(d.fd, "cgroup.procs")
	if err != nil {
		return false
	}
	for _, pid := range pids(list) {
		// v1 lists a zombie until its parent has waited for it.
		stat, err := readAt(unix.AT_FDCWD, "/proc/"+itoa(pid)+"/stat")
		if err == nil && !zombie(stat) {
			return true
		}
	}
	return false
}

// zombie reads the state after the name in /proc/PID/stat; the name may hold
// any character, so the last parenthesis counts.
func zombie(stat string) bool {
	i := strings.LastIndex(stat, ") ")
	return i >= 0 && i+2 < len(stat) && (stat[i+2] == 'Z' || stat[i+2] == 'X')
}
