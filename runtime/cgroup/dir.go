package cgroup

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// dir is a group's directory in one hierarchy, held open: its files are
// reached by descriptor, so a path that later means something else is no harm.
type dir struct {
	Dir
	fd    int
	inode uint64
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
