package runtime

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// root makes the file system that everything else is hung into. It is put on
// /tmp of our copy of the host's tree, a directory that every host has.
func (c *compiler) root() {
	c.name("make the root")
	c.call(unix.SYS_UMASK, 0)
	s := &Step{Do: Tmpfs, Target: "/", Mode: 0o755, Size: 1 << 20, Inodes: 4096, Exec: true}
	c.rootFD = c.newFS("tmpfs", tmpfsOptions(s), attributes(s))
	c.call(unix.SYS_MOVE_MOUNT, ref(c.rootFD), "", unix.AT_FDCWD, "/tmp", unix.MOVE_MOUNT_F_EMPTY_PATH)
	if !c.plan.ShareNet {
		c.loopback()
	}
}

// loopback brings up lo: programs expect to talk to themselves.
func (c *compiler) loopback() {
	c.name("bring up the loopback interface")
	fd := c.open(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	req := make([]byte, 40) // struct ifreq: the name, then the flags
	copy(req, "lo")
	req[16] = unix.IFF_UP
	c.call(unix.SYS_IOCTL, ref(fd), unix.SIOCSIFFLAGS, req)
	c.close(fd)
}

func tmpfsOptions(s *Step) [][2]string {
	return [][2]string{
		{"size", strconv.FormatInt(s.Size, 10)},
		{"nr_inodes", strconv.FormatInt(s.Inodes, 10)},
		{"mode", strconv.FormatUint(uint64(s.Mode), 8)},
	}
}

func attributes(s *Step) int {
	a := unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	if s.ReadOnly {
		a |= unix.MOUNT_ATTR_RDONLY
	}
	if s.Do == Bind && s.Devices {
		a &^= unix.MOUNT_ATTR_NODEV
	}
	if s.Do == Tmpfs && !s.Exec || s.Do == Proc || s.Do == Devpts {
		a |= unix.MOUNT_ATTR_NOEXEC
	}
	if s.Do == Devpts {
		a &^= unix.MOUNT_ATTR_NODEV
	}
	return a
}

// newFS mounts a new file system, attached to nothing yet.
func (c *compiler) newFS(kind string, options [][2]string, attr int) slot {
	fs := c.open(unix.SYS_FSOPEN, kind, unix.FSOPEN_CLOEXEC)
	for _, o := range options {
		c.call(unix.SYS_FSCONFIG, ref(fs), unix.FSCONFIG_SET_STRING, o[0], o[1], 0)
	}
	c.call(unix.SYS_FSCONFIG, ref(fs), unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
	mnt := c.open(unix.SYS_FSMOUNT, ref(fs), unix.FSMOUNT_CLOEXEC, attr)
	c.close(fs)
	return mnt
}

func (c *compiler) view(s *Step) {
	c.name(stepVerb(s) + " " + s.Target + because(s.Why))
	switch s.Do {
	case Tmpfs:
		c.mkdir(s)
		c.attach(c.newFS("tmpfs", tmpfsOptions(s), attributes(s)), s.Target)
	case Dir:
		c.mkdir(s)
	case File:
		c.file(s)
	case Symlink:
		c.parents(s)
		c.symlink(s)
	case Bind:
		c.mountpoint(s)
		if fd, ready := c.wire.shifted[c.at]; ready {
			c.call(unix.SYS_MOVE_MOUNT, fd, "", ref(c.target(s.Target)), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
			break
		}
		c.attach(c.cloneTree(c.source[c.at][0], attributes(s)), s.Target)
		c.close(c.source[c.at][0])
	case Overlay:
		c.mkdir(s)
		c.overlay(s)
	case Proc:
		c.mkdir(s)
		c.attach(c.newFS("proc", nil, attributes(s)), s.Target)
		c.namespaceLimits(s.Target)
	case Devpts:
		c.mkdir(s)
		c.attach(c.newFS("devpts", [][2]string{{"ptmxmode", "0666"}, {"mode", "0620"}}, attributes(s)), s.Target)
	case Mask:
		c.mask(s)
	case Freeze:
		fd := c.target(s.Target)
		c.setAttr(fd, unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY)
		c.close(fd)
	case Self:
		c.self(s)
	default:
		panic("unknown step " + string(s.Do))
	}
}

func stepVerb(s *Step) string {
	switch s.Do {
	case Bind:
		return "mount " + s.Source + " at"
	case Mask:
		return "hide"
	case Freeze:
		return "make read-only"
	case Self:
		return "pin"
	case Dir, File, Symlink:
		return "make"
	}
	return "mount " + string(s.Do) + " at"
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func (c *compiler) attach(mnt slot, target string) {
	c.attachAt(mnt, c.target(target))
}

func (c *compiler) attachAt(mnt, t slot) {
	c.call(unix.SYS_MOVE_MOUNT, ref(mnt), "", ref(t), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	c.close(t, mnt)
}

// cloneTree copies the mounts at and below fd. Recursive, because the kernel
// locks what lies below a mount of a more privileged namespace to it.
func (c *compiler) cloneTree(fd slot, attr int) slot {
	tree := c.open(unix.SYS_OPEN_TREE, ref(fd), "",
		unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	c.setAttr(tree, unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr)
	return tree
}

// setAttr sets mount attributes over the whole tree at once: a submount that
// was mounted meanwhile cannot slip through.
func (c *compiler) setAttr(fd slot, flags, attr int) {
	m := placed[unix.MountAttr](c.builder)
	m.Attr_set = uint64(attr)
	c.call(unix.SYS_MOUNT_SETATTR, ref(fd), "", flags, pointer(m), unix.MOUNT_ATTR_SIZE_VER0)
}

// mkdir makes the directory of a step and its parents.
func (c *compiler) mkdir(s *Step) {
	c.parents(s)
	if s.Target == "/" {
		return
	}
	mode := s.Mode
	if mode == 0 {
		mode = 0o755
	}
	c.makeDir(s.Target, mode, s.Hostile)
}

func (c *compiler) parents(s *Step) {
	c.ancestors(path.Dir(s.Target), s.Hostile)
}

func (c *compiler) ancestors(dir string, hostile bool) {
	if c.made[dir] {
		return
	}
	c.ancestors(path.Dir(dir), hostile)
	c.makeDir(dir, 0o755, hostile)
}

// makeDir makes one directory. In our own fresh file systems no link can be in
// the way; where the app could have put one, the parent is opened following
// nothing first, so that no directory appears elsewhere (CVE-2024-45310).
func (c *compiler) makeDir(dir string, mode uint32, hostile bool) {
	if c.made[dir] {
		return
	}
	c.made[dir] = true
	if !hostile {
		c.call(unix.SYS_MKDIRAT, ref(c.rootFD), dir[1:], int(mode)).tolerate(0, unix.EEXIST)
		return
	}
	parent := c.target(path.Dir(dir))
	c.call(unix.SYS_MKDIRAT, ref(parent), path.Base(dir), int(mode)).tolerate(0, unix.EEXIST, unix.EROFS)
	c.close(parent)
}

// mountpoint makes what a bind is put on.
func (c *compiler) mountpoint(s *Step) {
	if !s.IsFile {
		c.mkdir(s)
		return
	}
	c.parents(s)
	parent := c.target(path.Dir(s.Target))
	fd := c.newSlot()
	o := c.call(unix.SYS_OPENAT, ref(parent), path.Base(s.Target), unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	o.out = uint16(fd)
	o.tolerate(1, unix.EEXIST, unix.EROFS)
	c.close(fd)
	c.close(parent)
}

func (c *compiler) file(s *Step) {
	c.parents(s)
	fd := c.open(unix.SYS_OPENAT, ref(c.rootFD), s.Target[1:], unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, int(s.Mode))
	if len(s.Data) > 0 {
		c.call(unix.SYS_WRITE, ref(fd), s.Data, len(s.Data)).must(uintptr(len(s.Data)))
	}
	c.close(fd)
}

func (c *compiler) symlink(s *Step) {
	if !s.Hostile {
		c.call(unix.SYS_SYMLINKAT, s.Source, ref(c.rootFD), s.Target[1:])
		return
	}
	parent := c.target(path.Dir(s.Target))
	c.call(unix.SYS_SYMLINKAT, s.Source, ref(parent), path.Base(s.Target)).tolerate(0, unix.EEXIST)
	c.close(parent)
}

// mask covers a file with the null device, a directory with an empty one.
func (c *compiler) mask(s *Step) {
	c.cover(s, func(slot) slot {
		attr := unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
		if s.IsFile {
			return c.cloneTree(c.null, attr)
		}
		empty := c.target(emptyDir)
		defer c.close(empty)
		return c.cloneTree(empty, attr|unix.MOUNT_ATTR_NODEV)
	})
}

// self lays a mount over itself: a mount point cannot be renamed or removed,
// and its flags can be its own.
func (c *compiler) self(s *Step) {
	c.cover(s, func(t slot) slot {
		attr := unix.MOUNT_ATTR_NOSUID
		if s.ReadOnly {
			attr |= unix.MOUNT_ATTR_RDONLY
		}
		return c.cloneTree(t, attr)
	})
}

// cover mounts what tree makes on a target that exists, or does nothing when
// it need not and does not.
func (c *compiler) cover(s *Step, tree func(target slot) slot) {
	first := len(*c.ops)
	t := c.coverTarget(s)
	last := len(*c.ops)
	c.attachAt(tree(t), t)
	if !s.Optional {
		return
	}
	// Without openat2 the walk is several calls; the first that finds nothing
	// ends it. What the walk had opened then stays open until the sweep before
	// the app starts.
	for i := first; i < last; i++ {
		if o := &(*c.ops)[i]; o.out != 0 {
			o.tolerate(len(*c.ops)-i-1, unix.ENOENT)
		}
	}
}

// coverTarget opens what is to be covered: a link itself where the step says
// that there is one, which RESOLVE_NO_SYMLINKS allows with O_NOFOLLOW.
func (c *compiler) coverTarget(s *Step) slot {
	if !s.Link {
		return c.target(s.Target)
	}
	parent := c.target(path.Dir(s.Target))
	t := c.open(unix.SYS_OPENAT, ref(parent), path.Base(s.Target), pathFlags|unix.O_NOFOLLOW, 0)
	st := placed[unix.Statx_t](c.builder)
	c.call(unix.SYS_STATX, ref(t), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, pointer(st))
	c.expect(statMode(st), unix.S_IFMT, unix.S_IFLNK)
	c.close(parent)
	return t
}

// overlay lays directories over each other. They are named by descriptor
// numbers of our choice, so no character in a path can mean anything to the
// kernel's option parser and no link is followed.
func (c *compiler) overlay(s *Step) {
	var lower []string
	for i, fd := range c.source[c.at] {
		c.call(unix.SYS_DUP3, ref(fd), lowerFD+i, unix.O_CLOEXEC)
		c.close(fd)
		lower = append(lower, fmt.Sprintf("/proc/self/fd/%d", lowerFD+i))
	}
	mnt := c.newFS("overlay", [][2]string{{"lowerdir", strings.Join(lower, ":")}},
		unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	c.attach(mnt, s.Target)
	for i := range lower {
		c.call(unix.SYS_CLOSE, lowerFD+i)
	}
}

// enter makes the new root the root, for good: the host's tree is detached.
func (c *compiler) enter() {
	c.name("enter the new root")
	c.call(unix.SYS_FCHDIR, ref(c.rootFD))
	c.call(unix.SYS_PIVOT_ROOT, ".", ".")
	c.call(unix.SYS_UMOUNT2, ".", unix.MNT_DETACH)
	c.call(unix.SYS_FCHDIR, ref(c.rootFD))
	c.name("make the root read-only")
	c.setAttr(c.rootFD, unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY)
	c.close(c.rootFD, c.null)
	c.name("enter the working directory")
	c.chdir()
	c.name("set the host name")
	c.call(unix.SYS_SETHOSTNAME, c.plan.Hostname, len(c.plan.Hostname))
}

// chdir goes to the first of the working directories that can be entered.
func (c *compiler) chdir() {
	last := len(c.plan.Dirs) - 1
	for i, dir := range c.plan.Dirs {
		o := c.call(unix.SYS_CHDIR, dir)
		o.jump = uint16(last - i)
		if i < last {
			o.tolerate(0, unix.ENOENT, unix.EACCES)
		}
	}
	// A working directory outside the root would be a way to the host (CVE-2024-21626).
	buf := placed[[1024]uint32](c.builder)
	c.call(unix.SYS_GETCWD, pointer(buf), 4096)
	c.expect(&buf[0], 0xff, '/')
}
