package runtime

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Kernel ABI that golang.org/x/sys/unix does not spell out.
const (
	lastCapability = 63 // more than any kernel has; the surplus answers EINVAL
	pathFlags      = unix.O_PATH | unix.O_CLOEXEC
	noLinks        = unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

	// Descriptors with fixed numbers, out of the way of those a caller may pass.
	masterFD   = 990 // the app's terminal, for the supervisor to fetch
	terminalFD = 991 // and for init to steer
	lowerFD    = 900 // directories of an overlay

	// FirstReserved is the first descriptor number that a caller may not pass.
	FirstReserved = lowerFD
)

// wiring is what compile needs to know of the supervisor's side.
type wiring struct {
	status, gate int         // the child's ends of its two pipes
	std          [3]int      // descriptors that become 0, 1 and 2; -1 is the app's terminal
	terminal     bool        // the app gets a terminal of its own
	foreground   bool        // and starts in its foreground
	pass         []int       // further descriptors the app keeps under their numbers
	filter       []byte      // the seccomp program, raw sock_filter records
	shifted      map[int]int // step index → a detached mount with translated ids
	mapIDs       bool        // the child writes its own id maps (an ordinary user's)
	openat2      bool        // the kernel has openat2(2) and nothing forbids it
	failStep     string
}

// compile turns a Plan into the system calls that perform it.
func compile(p *Plan, w wiring) (*builder, error) {
	c, err := newCompiler(p, w, "sandbox-init")
	if err != nil {
		return nil, err
	}
	c.identity()
	c.sources()
	c.become()
	c.root()
	for i := range p.View {
		c.at = i
		c.view(&p.View[i])
	}
	c.enter()
	c.session()
	c.drop()
	c.app()
	return c.builder, nil
}

func newCompiler(p *Plan, w wiring, name string) (*compiler, error) {
	b, err := newBuilder()
	if err != nil {
		return nil, err
	}
	c := &compiler{builder: b, plan: p, wire: w}
	c.failStep = w.failStep
	c.status = uintptr(w.status)
	c.name("take a name")
	c.call(unix.SYS_PRCTL, unix.PR_SET_NAME, name, 0, 0, 0)
	return c, nil
}

type compiler struct {
	*builder
	plan   *Plan
	wire   wiring
	rootFD slot
	source map[int][]slot // step index → its opened sources
	null   slot           // the host's /dev/null, for masks
	limits []slot         // /proc/sys/user/max_*, open for writing
	joins  bool           // a running instance, instead of making one
	at     int            // index of the step being compiled
}

// identity maps the one id the app has. setgroups is denied first, or the
// kernel would refuse the group map (CVE-2014-8989).
func (c *compiler) identity() {
	if !c.wire.mapIDs {
		c.name("wait for the id maps")
		c.gate()
		return
	}
	c.name("write the id maps")
	write := func(file, text string) {
		fd := c.open(unix.SYS_OPENAT, unix.AT_FDCWD, "/proc/self/"+file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		c.write(fd, text)
		c.close(fd)
	}
	write("setgroups", "deny")
	write("uid_map", fmt.Sprintf("%d %d 1", c.plan.UID, c.plan.Outside.UID))
	write("gid_map", fmt.Sprintf("%d %d 1", c.plan.GID, c.plan.Outside.GID))
}

func (c *compiler) write(fd slot, text string) {
	c.call(unix.SYS_WRITE, ref(fd), text, len(text)).must(uintptr(len(text)))
}

// What the byte that opens the last gate says.
const (
	goForeground = 1 // the app owns its terminal from the start
	goBackground = 2 // it must ask for it, as a background job does
)

// gate waits for one byte from the supervisor; end of file means that it died.
func (c *compiler) gate() {
	c.call(unix.SYS_READ, c.wire.gate, pointer(&c.word), 1).must(1)
}

// sources opens everything of the host that the view shows, while the process
// still has the caller's ids: no directory above a source need be open to the
// uid the app will run as.
func (c *compiler) sources() {
	c.source = map[int][]slot{}
	c.name("open /dev/null")
	c.null = c.hostPath("/dev/null")
	c.expectNull(c.null)
	for i := range c.plan.View {
		s := &c.plan.View[i]
		switch s.Do {
		case Bind:
			if _, ready := c.wire.shifted[i]; ready {
				continue
			}
			c.name("open " + s.Source + because(s.Why))
			fd := c.hostPath(s.Source)
			if s.Ino != 0 {
				c.expectInode(fd, s)
			}
			c.source[i] = []slot{fd}
		case Overlay:
			for _, l := range s.Lower {
				c.name("open " + l)
				c.source[i] = append(c.source[i], c.hostPath(l))
			}
		}
	}
}

// expectNull checks that masks will be made of the real null device: a fake
// one would show a file where nothing must be (CVE-2025-31133).
func (c *compiler) expectNull(fd slot) {
	st := placed[unix.Statx_t](c.builder)
	c.call(unix.SYS_STATX, ref(fd), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, pointer(st))
	c.expect(&st.Rdev_major, ^uint32(0), 1)
	c.expect(&st.Rdev_minor, ^uint32(0), 3)
}

// expectInode checks that what was opened is what the plan looked at.
func (c *compiler) expectInode(fd slot, s *Step) {
	st := placed[unix.Statx_t](c.builder)
	c.call(unix.SYS_STATX, ref(fd), "", unix.AT_EMPTY_PATH, unix.STATX_INO, pointer(st))
	c.expect(low32(&st.Ino), ^uint32(0), uint32(s.Ino))
	c.expect(&st.Dev_major, ^uint32(0), unix.Major(s.Dev))
	c.expect(&st.Dev_minor, ^uint32(0), unix.Minor(s.Dev))
}

// pathFlags go without O_NOFOLLOW to openat2: with it, RESOLVE_NO_SYMLINKS would
// hand out the final link itself instead of refusing it.

// hostPath opens an absolute, clean path of the host without following any
// link: the plan resolved it, so a link that is met now was put there since.
func (c *compiler) hostPath(p string) slot {
	if c.wire.openat2 {
		return c.openHow(unix.AT_FDCWD, p, pathFlags, noLinks)
	}
	at := c.open(unix.SYS_OPENAT, unix.AT_FDCWD, "/", pathFlags|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	return c.walkDown(at, strings.TrimPrefix(p, "/"))
}

// target opens a path inside the new root, again following nothing.
func (c *compiler) target(p string) slot {
	rel := strings.TrimPrefix(p, "/")
	if rel == "" {
		rel = "."
	}
	if c.wire.openat2 {
		return c.openHow(ref(c.rootFD), rel, pathFlags, noLinks|unix.RESOLVE_BENEATH)
	}
	at := c.open(unix.SYS_OPENAT, ref(c.rootFD), ".", pathFlags|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	return c.walkDown(at, rel)
}

func (c *compiler) openHow(dir any, p string, flags uint64, resolve uint64) slot {
	how := placed[unix.OpenHow](c.builder)
	how.Flags, how.Resolve = flags, resolve
	return c.open(unix.SYS_OPENAT2, dir, p, pointer(how), unix.SizeofOpenHow)
}

// walkDown is openat2 for kernels and filters without it: a component at a
// time, never through a link.
func (c *compiler) walkDown(at slot, rel string) slot {
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" || name == "." {
			continue
		}
		next := c.open(unix.SYS_OPENAT, ref(at), name, pathFlags|unix.O_NOFOLLOW, 0)
		// O_PATH|O_NOFOLLOW opens a final link itself: say ELOOP as openat2 does.
		st := placed[unix.Statx_t](c.builder)
		c.call(unix.SYS_STATX, ref(next), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, pointer(st))
		c.refuse(statMode(st), unix.S_IFMT, unix.S_IFLNK)
		c.close(at)
		at = next
	}
	return at
}

// become takes on the ids that the app will have. For an ordinary user they
// are the ids already held; a root caller leaves uid 0 here for ever, and
// keeps the capabilities over the new namespaces until drop.
func (c *compiler) become() {
	if c.wire.mapIDs {
		return
	}
	c.name("leave uid 0")
	c.call(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 1<<2|1<<4) // NO_SETUID_FIXUP, KEEP_CAPS
	c.call(unix.SYS_SETGROUPS, 0, 0).tolerate(0, unix.EPERM)  // setgroups is denied: the caller dropped them
	c.call(unix.SYS_SETRESGID, c.plan.GID, c.plan.GID, c.plan.GID)
	c.call(unix.SYS_SETRESUID, c.plan.UID, c.plan.UID, c.plan.UID)
}

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

// namespaceCeilings bound what can be made inside, by the user namespace's own
// limits: the second wall behind the filter (CVE-2021-41133). Live changes need
// a mount namespace at a time, and each command that enters a cgroup namespace;
// the app has no capability to make either.
var namespaceCeilings = []struct {
	name string
	max  string
}{
	{"user_namespaces", "0"}, {"pid_namespaces", "0"}, {"net_namespaces", "0"}, {"ipc_namespaces", "0"},
	{"uts_namespaces", "0"}, {"time_namespaces", "0"}, {"cgroup_namespaces", "64"}, {"mnt_namespaces", "16"},
	// Counted against the user's own limit too, which an app must not use up.
	{"inotify_instances", "64"}, {"inotify_watches", "131072"},
}

func (c *compiler) namespaceLimits(proc string) {
	c.name("limit further namespaces")
	if slices.Contains(c.plan.Features, "userns") {
		return
	}
	for _, n := range namespaceCeilings {
		fd := c.open(unix.SYS_OPENAT, ref(c.rootFD), path.Join(proc[1:], "sys/user/max_"+n.name), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		c.limits = append(c.limits, fd)
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

// session gives the app its place: its own session and terminal, its limits,
// its standard descriptors.
func (c *compiler) session() {
	c.name("start a session")
	c.call(unix.SYS_SETSID)
	c.store(c.open(unix.SYS_GETPID), &c.own)
	if c.wire.terminal {
		c.openTerminal()
	}
	c.name("connect the standard streams")
	for i, fd := range c.wire.std {
		if fd < 0 {
			fd = terminalFD
		}
		if fd != i {
			c.call(unix.SYS_DUP3, fd, i, 0)
		}
	}
	c.name("die with the supervisor")
	c.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL))
	c.name("wait for the supervisor")
	c.gate()
	c.name("leave the host's cgroups")
	c.call(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
	c.name("limit further namespaces")
	for i, fd := range c.limits {
		c.write(fd, namespaceCeilings[i].max)
		c.close(fd)
	}
	for _, r := range c.plan.Rlimits {
		c.name("set the limit " + r.Name)
		lim := placed[unix.Rlimit](c.builder)
		lim.Cur, lim.Max = r.Soft, r.Hard
		c.call(unix.SYS_PRLIMIT64, 0, r.Resource, pointer(lim), 0)
	}
	c.deadline()
	c.call(unix.SYS_UMASK, 0o022)
	c.name("close the supervisor's descriptors")
	keep := append([]int{c.wire.status}, c.wire.pass...)
	if c.wire.terminal {
		keep = append(keep, terminalFD)
	}
	c.closeAllBut(keep...)
}

// openTerminal makes the app's terminal in its own devpts, so that tty(1) and
// whoever asks for the name of the terminal finds it, and tells the supervisor
// to fetch the other end.
func (c *compiler) openTerminal() {
	c.name("open a terminal")
	master := c.open(unix.SYS_OPENAT, unix.AT_FDCWD, "/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	c.call(unix.SYS_IOCTL, ref(master), unix.TIOCSPTLCK, make([]byte, 4))
	slave := c.open(unix.SYS_IOCTL, ref(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	c.call(unix.SYS_DUP3, ref(master), masterFD, unix.O_CLOEXEC)
	c.call(unix.SYS_DUP3, ref(slave), terminalFD, unix.O_CLOEXEC)
	c.close(master, slave)
	c.call(unix.SYS_IOCTL, terminalFD, unix.TIOCSCTTY, 0)
	record := make([]byte, 16)
	record[0] = reportTerminal
	c.call(unix.SYS_WRITE, c.wire.status, record, len(record)).must(16)
	c.name("wait for the supervisor")
	c.gate()
}

// deadline makes init end by itself some time after the supervisor should have
// ended the app: that one may be stopped, together with an app that stopped.
func (c *compiler) deadline() {
	if c.plan.Deadline <= 0 {
		return
	}
	c.name("set the time limit")
	t := placed[unix.Itimerval](c.builder)
	t.Value = unix.NsecToTimeval(int64(c.plan.Deadline))
	c.call(unix.SYS_SETITIMER, unix.ITIMER_REAL, pointer(t), 0)
}

// drop gives away everything that is left to give away, then proves it.
func (c *compiler) drop() {
	c.name("drop capabilities")
	c.call(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	for n := 0; n <= lastCapability; n++ {
		c.call(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0, 0).tolerate(lastCapability-n, unix.EINVAL)
	}
	// NOROOT and NO_SETUID_FIXUP, each locked, and ambient raising locked off:
	// uid 0 would mean nothing even if it were mapped.
	c.call(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 1|1<<1|1<<2|1<<3|1<<5|1<<6|1<<7, 0, 0, 0)
	head := placed[unix.CapUserHeader](c.builder)
	head.Version = unix.LINUX_CAPABILITY_VERSION_3
	none := placed[[2]unix.CapUserData](c.builder)
	c.call(unix.SYS_CAPSET, pointer(head), pointer(none))

	c.name("forbid new privileges")
	c.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	c.call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	c.landlock()

	c.name("load the system call filter")
	c.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, c.filterProgram(c.wire.filter))

	c.name("check that the walls stand")
	c.call(unix.SYS_PRCTL, unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0).must(1)
	c.call(unix.SYS_PRCTL, unix.PR_GET_SECCOMP, 0, 0, 0, 0).must(2)
	held := placed[[2]unix.CapUserData](c.builder)
	*held = [2]unix.CapUserData{{Effective: 1, Permitted: 1, Inheritable: 1}, {Effective: 1, Permitted: 1, Inheritable: 1}}
	c.call(unix.SYS_CAPGET, pointer(head), pointer(held))
	for i := range held {
		for _, word := range []*uint32{&held[i].Effective, &held[i].Permitted, &held[i].Inheritable} {
			c.expect(word, ^uint32(0), 0)
		}
	}
	if !slices.Contains(c.plan.Features, "userns") {
		c.call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER).tolerate(1, unix.EPERM, unix.ENOSYS)
		c.call(unix.SYS_CLOSE, -1) // reached only if a namespace could be made: EBADF ends the launch
	}
}

// app is the other list: what init's child does before it is the app.
func (c *compiler) app() {
	c.ops = &c.launch
	c.name("start the app")
	c.call(unix.SYS_SETPGID, 0, 0)
	if c.wire.terminal {
		// SIGTTOU is blocked here, so a background group may do this.
		c.expect(&c.word, 0xff, goForeground)
		group := placed[uint32](c.builder)
		first := len(*c.ops)
		c.store(c.open(unix.SYS_GETPID), group)
		c.call(unix.SYS_IOCTL, terminalFD, unix.TIOCSPGRP, pointer(group))
		(*c.ops)[first-1].skip = uint16(len(*c.ops) - first)
	}
	// Ignored signals stay ignored over execve(2) and blocked ones blocked: the
	// app starts with neither, whatever our caller had.
	act := pointer(placed[[4]uintptr](c.builder)) // SIG_DFL is zero
	for sig := 1; sig <= signalCount; sig++ {
		if sig != int(unix.SIGKILL) && sig != int(unix.SIGSTOP) {
			c.call(unix.SYS_RT_SIGACTION, sig, act, 0, signalCount/8)
		}
	}
	c.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, make([]byte, 8), 0, signalCount/8)
	c.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0)
	for _, fd := range c.wire.pass {
		c.call(unix.SYS_FCNTL, fd, unix.F_SETFD, 0)
	}
	c.call(unix.SYS_FCNTL, c.wire.status, unix.F_SETFD, unix.FD_CLOEXEC)
	argv, envp := c.vector(c.plan.Argv), c.vector(c.plan.Env)
	for i, exe := range c.plan.Search {
		c.name("start " + exe)
		o := c.call(unix.SYS_EXECVE, exe, argv, envp)
		if i < len(c.plan.Search)-1 {
			o.tolerate(0, unix.ENOENT, unix.ENOTDIR)
		}
	}
}

// launchError turns a failed step into words and, where it is known, a way out.
func launchError(step string, errno unix.Errno) error {
	err := fmt.Errorf("cannot %s: %w", step, errno)
	switch errno {
	case unix.ELOOP:
		return hint.With(err, "a symbolic link stands where a real directory must be; remove it, or grant the place it points to")
	case unix.EBADMSG:
		return hint.With(err, "what was found is not what was planned; something changed it during the launch")
	case unix.ENOSPC:
		return hint.With(err, "no space or no more namespaces: see `sandbox doctor`")
	case unix.EPERM, unix.ENOSYS:
		return hint.With(err, "this kernel or session forbids it: see `sandbox doctor`")
	}
	return err
}
