package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Group is the control group of one instance, or the empty stand-in of mode
// None. Its methods are for one goroutine at a time.
type Group struct {
	plan  Plan
	dirs  []*dir // the unified one, if any, first
	notes []Degraded
	oom   *os.File // of OOM; nil when nobody asked
	bus   *manager // from Create to the first Add, in mode Scope
}

// dir is a group's directory in one hierarchy, held open: its files are
// reached by descriptor, so a path that later means something else is no harm.
type dir struct {
	Dir
	fd    int
	inode uint64
}

// Mode says what holds the limits.
func (g *Group) Mode() Mode { return g.plan.Mode }

// Degraded lists the limits that hold less than asked: what the plan foresaw
// and what this kernel then turned out to lack.
func (g *Group) Degraded() []Degraded {
	return append(append([]Degraded(nil), g.plan.Degraded...), g.notes...)
}

// Create makes the groups and sets their limits. On failure nothing is left
// behind, and the caller may plan again with Host.Without. In mode Scope it
// makes sure of systemd's ear; the scope itself is made by Add.
func Create(p Plan) (*Group, error) {
	if err := checkPlan(p); err != nil {
		return nil, err
	}
	g := &Group{plan: p}
	if err := g.create(); err != nil {
		g.removeDirs()
		g.Close()
		return nil, fmt.Errorf("cannot set up limits by %s: %w", p.Mode, err)
	}
	return g, nil
}

func checkPlan(p Plan) error {
	name, ok := strings.CutPrefix(p.Name, prefix)
	if !ok {
		return errors.New("internal error: limits were not planned by Decide")
	}
	if err := checkName(name); err != nil {
		return err
	}
	return p.Limits.Check()
}

func (g *Group) create() error {
	if g.plan.Unit != nil {
		return g.callUp()
	}
	if g.plan.Supervisor != "" {
		if err := moveAside(g.plan.Supervisor); err != nil {
			return err
		}
	}
	if e := g.plan.Enable; e != nil {
		if err := writeAt(unix.AT_FDCWD, e.File, e.Value); err != nil {
			return fmt.Errorf("write %q to %s: %w", e.Value, e.File, err)
		}
	}
	for _, d := range g.plan.Groups {
		made, err := makeDir(d)
		if err != nil {
			return err
		}
		g.dirs = append(g.dirs, made)
		if err := g.apply(made, d.Writes); err != nil {
			return err
		}
	}
	return nil
}

// moveAside puts this process, alone in a group that is to hand controllers
// on, into a group below it. The unit's manager removes that with the unit.
func moveAside(to string) error {
	if err := unix.Mkdir(to, 0o755); err != nil && err != unix.EEXIST {
		return fmt.Errorf("make group %s: %w", to, err)
	}
	if err := writeAt(unix.AT_FDCWD, to+"/cgroup.procs", "0"); err != nil {
		return fmt.Errorf("move to group %s: %w", to, err)
	}
	return nil
}

// makeDir makes a group and opens it. A leftover of the same name is reused
// only by way of removal, which the kernel refuses while anything is in it.
func makeDir(d Dir) (*dir, error) {
	err := unix.Mkdir(d.Path, 0o755)
	if err == unix.EEXIST && unix.Rmdir(d.Path) == nil {
		err = unix.Mkdir(d.Path, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("make group %s: %w", d.Path, err)
	}
	made, err := openDir(d)
	if err != nil {
		unix.Rmdir(d.Path)
	}
	return made, err
}

// openDir opens a group and makes sure that it is one: a value written to a
// file of that name elsewhere would limit nothing.
func openDir(d Dir) (*dir, error) {
	fd, err := unix.Open(d.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open group %s: %w", d.Path, err)
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	want := int64(unix.CGROUP_SUPER_MAGIC)
	if d.Unified {
		want = unix.CGROUP2_SUPER_MAGIC
	}
	if err = unix.Fstatfs(fd, &fs); err == nil && int64(fs.Type) != want {
		err = errors.New("it is on another kind of file system")
	}
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open group %s: %w", d.Path, err)
	}
	return &dir{Dir: d, fd: fd, inode: st.Ino}, nil
}

// apply sets control files. The order of the two v1 memory limits depends on
// whether they rise or fall, for one may never pass the other.
func (g *Group) apply(d *dir, writes []Write) error {
	for i, w := range writes {
		err := writeAt(d.fd, w.File, w.Value)
		if w.File == "memory.limit_in_bytes" && err == unix.EINVAL && i+1 < len(writes) {
			next := writes[i+1]
			if err = writeAt(d.fd, next.File, next.Value); err == nil {
				err = writeAt(d.fd, w.File, w.Value)
			}
		}
		if err == nil {
			continue
		}
		if w.Optional && (err == unix.ENOENT || err == unix.EOPNOTSUPP) {
			if w.File == "memory.swap.max" || w.File == "memory.memsw.limit_in_bytes" {
				g.notes = append(g.notes, Degraded{"swap", "this kernel does not account for swap; not limited"})
			}
			continue
		}
		return limitError(fmt.Errorf("write %q to %s/%s: %w", w.Value, d.Path, w.File, err), w.File, err)
	}
	return nil
}

func limitError(err error, file string, cause error) error {
	if cause == unix.EBUSY && strings.HasPrefix(file, "memory.") {
		return hint.With(err, "the instance uses more than that now: stop it first, or give a larger value")
	}
	return err
}

// FD is the directory to clone into (CLONE_INTO_CGROUP), or -1. It stays the
// group's own; Close ends it.
func (g *Group) FD() int {
	if len(g.dirs) > 0 && g.dirs[0].Unified && g.plan.Unit == nil {
		return g.dirs[0].fd
	}
	return -1
}

// Waits says whether the child must wait at its gate until Add has returned:
// before that it is outside some limit.
func (g *Group) Waits() bool {
	return g.plan.Unit != nil || g.plan.Mode == V1
}

// Add puts a waiting child into those groups into which it was not cloned, and
// makes sure that it is in all of them. Call it in every mode: in mode V2 it
// only checks, in mode None it does nothing. A second process, or one for a
// group that was opened, joins the first. pid must be a child that has not been
// waited for.
func (g *Group) Add(pid int) error {
	if g.plan.Unit != nil {
		if err := g.addToScope(pid); err != nil {
			return fmt.Errorf("cannot set up limits by scope: %w", err)
		}
	}
	for _, d := range g.dirs {
		if d.Unified {
			continue
		}
		if err := writeAt(d.fd, "cgroup.procs", itoa(pid)); err != nil {
			return fmt.Errorf("cannot move the app into %s: %w", d.Path, err)
		}
	}
	return g.Verify(pid)
}

// Verify makes sure that a process is in every directory of the group, by what
// the kernel says of it. Processes get moved: by a manager that thinks the
// group its own (CVE-2020-27352), or by a mistake of ours.
func (g *Group) Verify(pid int) error {
	if len(g.dirs) == 0 {
		return nil
	}
	data, err := readAt(unix.AT_FDCWD, "/proc/"+itoa(pid)+"/cgroup")
	if err != nil {
		return fmt.Errorf("cannot tell the control group of process %d: %w", pid, err)
	}
	all := parseMembership(data)
	for _, d := range g.dirs {
		if !d.holds(all) {
			return fmt.Errorf("cannot keep process %d in %s: it is elsewhere", pid, d.Path)
		}
	}
	return nil
}

// holds compares by the last name, which is the instance's own: the path before
// it depends on the reader's cgroup namespace.
func (d *dir) holds(all []membership) bool {
	controller := ""
	if !d.Unified {
		if len(d.Controllers) == 0 {
			return false
		}
		controller = d.Controllers[0]
	}
	p, ok := find(all, controller)
	return ok && path.Base(p) == path.Base(d.Path)
}

// Close lets go of the descriptors; the group itself stays.
func (g *Group) Close() {
	if g.oom != nil {
		g.oom.Close() // ends the goroutine of OOM
		g.oom = nil
	}
	g.hangUp()
	for _, d := range g.dirs {
		unix.Close(d.fd)
	}
	g.dirs = nil
}

// Remove kills what is left in the group and removes it, so that nothing
// remains. A group that is gone already is no error.
func (g *Group) Remove(ctx context.Context) error {
	if g.populated() {
		if err := g.Kill(ctx); err != nil {
			return err
		}
	}
	if err := g.removeAll(ctx); err != nil {
		return err
	}
	g.Close()
	return nil
}

func (g *Group) removeAll(ctx context.Context) error {
	if g.plan.Unit != nil {
		return g.endScope(ctx)
	}
	return wait(ctx, func() (bool, error) {
		err := g.removeDirs()
		return err == nil, ignoreBusy(err)
	}, "remove the control group")
}

// removeDirs removes every directory, last one first.
func (g *Group) removeDirs() error {
	var first error
	for i := len(g.dirs) - 1; i >= 0; i-- {
		if err := unix.Rmdir(g.dirs[i].Path); err != nil && err != unix.ENOENT && first == nil {
			first = err
		}
	}
	return first
}

// ignoreBusy: a task that is on its way out holds its group for a moment.
func ignoreBusy(err error) error {
	if err == unix.EBUSY {
		return nil
	}
	return err
}

// wait asks done again and again, more and more seldom, until ctx ends.
func wait(ctx context.Context, done func() (bool, error), what string) error {
	pause := 100 * time.Microsecond
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("cannot %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot %s: %w", what, ctx.Err())
		case <-time.After(pause):
			pause = min(2*pause, 10*time.Millisecond)
		}
	}
}
