package snapshot

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sandbox/repo/installed"
)

// maxDepth bounds the descriptors that are open at a time, four for each level, to
// less than the 1024 that a program may have at least. What lies deeper is
// left out and counted: were it refused, an app could keep the snapshot before an
// update from being made, and so the update from mending it.
const maxDepth = 240

// copier copies one tree into another, by descriptors.
type copier struct {
	h      *Home
	ctx    context.Context
	clone  *int
	before map[string]entry // what an earlier copy was made of, by path; may be nil
	index  []entry          // what this one is made of
	young  int64            // a file that changed after this may change again within the same tick
	links  map[inode]string // files of several names, by where the first copy is
	top    int              // of the copy

	files   int
	bytes   int64
	copied  int64
	skipped int
}

type inode struct{ dev, ino uint64 }

// dirs are the three directories that are walked side by side.
type dirs struct {
	from, to int
	old      int // of the earlier copy; -1: none
}

// tree copies what is in d.from to d.to.
func (c *copier) tree(d dirs, path string, depth int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	names, err := installed.Names(d.from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.entry(d, name, join(path, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

func (c *copier) entry(d dirs, name, path string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(d.from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if err == unix.ENOENT { // it went while we came
			return nil
		}
		return at(path, "stat", err)
	}
	if err := c.h.step("copy %s", path); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if depth >= maxDepth {
			c.skipped++
			return nil
		}
		return c.dir(d, name, path, depth, &st)
	case unix.S_IFREG:
		return c.file(d, name, path, &st)
	case unix.S_IFLNK:
		return c.symlink(d, name, path, &st)
	case unix.S_IFIFO:
		if err := unix.Mkfifoat(d.to, name, 0o600); err != nil {
			return at(path, "mkfifo", err)
		}
		return c.settleAt(d.to, name, path, &st)
	}
	c.skipped++ // a socket that nobody listens on any more, or a device
	return nil
}

func at(path, call string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q: %w", path, os.NewSyscallError(call, err))
}

func (c *copier) dir(d dirs, name, path string, depth int, st *unix.Stat_t) error {
	if err := unix.Mkdirat(d.to, name, 0o700); err != nil {
		return at(path, "mkdir", err)
	}
	from, undo, err := openAnyway(d.from, name, unix.O_RDONLY|unix.O_DIRECTORY, 0o500, st)
	if err != nil {
		return at(path, "open", err)
	}
	defer undo() // not before all in it was looked at
	defer unix.Close(from)
	to, err := unix.Openat(d.to, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return at(path, "open", err)
	}
	defer unix.Close(to)
	old := -1
	if d.old >= 0 {
		if old, err = unix.Openat(d.old, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
			defer unix.Close(old)
		} else {
			old = -1
		}
	}
	if err := c.tree(dirs{from, to, old}, path, depth+1); err != nil {
		return err
	}
	return c.settle(to, path, st)
}

// openAnyway opens what belongs to us although its mode says no. undo gives it its
// mode back.
func openAnyway(dir int, name string, flags int, need uint32, st *unix.Stat_t) (fd int, undo func(), err error) {
	flags |= unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err = unix.Openat(dir, name, flags, 0)
	if err == nil && (flags&unix.O_DIRECTORY == 0 || st.Mode&need == need) || err != nil && err != unix.EACCES {
		return fd, func() {}, err
	}
	if err == nil {
		unix.Close(fd) // it can be listed, and nothing in it be reached
	}
	// By a descriptor: the name could be another file's by now.
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	undo = func() { unix.Close(path) }
	var now unix.Stat_t
	if err := unix.Fstat(path, &now); err != nil || now.Ino != st.Ino || now.Dev != st.Dev || now.Mode != st.Mode {
		undo()
		return -1, nil, unix.EACCES
	}
	self := fmt.Sprintf("/proc/self/fd/%d", path)
	if err := unix.Chmod(self, st.Mode&0o7777|need); err != nil {
		undo()
		return -1, nil, unix.EACCES
	}
	undo = func() {
		unix.Chmod(self, st.Mode&0o7777)
		unix.Close(path)
	}
	if fd, err = unix.Openat(dir, name, flags, 0); err != nil {
		undo()
	}
	return fd, undo, err
}

func (c *copier) symlink(d dirs, name, path string, st *unix.Stat_t) error {
	buf := make([]byte, max(st.Size, 0)+1)
	n, err := unix.Readlinkat(d.from, name, buf)
	if err != nil {
		return at(path, "readlink", err)
	}
	if err := unix.Symlinkat(string(buf[:n]), d.to, name); err != nil {
		return at(path, "symlink", err)
	}
	return c.settleAt(d.to, name, path, st)
}

// settle gives an open copy owner, mode and times of the original. Set-id bits
// are dropped: no file of an app needs them, and a copy lies where it lies longer.
func (c *copier) settle(fd int, path string, st *unix.Stat_t) error {
	if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil && os.Geteuid() == 0 {
		return at(path, "chown", err)
	}
	if err := unix.Fchmod(fd, st.Mode&0o1777); err != nil {
		return at(path, "chmod", err)
	}
	return at(path, "utimensat", unix.UtimesNanoAt(fd, "", times(st), unix.AT_EMPTY_PATH))
}

// settleAt is settle for what is not opened: a link, or a FIFO.
func (c *copier) settleAt(dir int, name, path string, st *unix.Stat_t) error {
	if err := unix.Fchownat(dir, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil && os.Geteuid() == 0 {
		return at(path, "chown", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(dir, name, st.Mode&0o1777, 0); err != nil {
			return at(path, "chmod", err)
		}
	}
	return at(path, "utimensat", unix.UtimesNanoAt(dir, name, times(st), unix.AT_SYMLINK_NOFOLLOW))
}

func times(st *unix.Stat_t) []unix.Timespec { return []unix.Timespec{st.Atim, st.Mtim} }
