package runtime

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
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
	theirs       [2]int      // and the supervisor's, of which the child has copies; 0 is none
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
	for _, fd := range w.theirs { // or a gate would never tell that the supervisor is gone
		if fd > 0 {
			c.call(unix.SYS_CLOSE, fd)
		}
	}
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
// It may also have died since it wrote the byte, and before this process asked to
// die with it: then nobody holds the other end.
func (c *compiler) gate() {
	c.call(unix.SYS_READ, c.wire.gate, pointer(&c.word), 1).must(1)
	end := placed[unix.PollFd](c.builder)
	end.Fd = int32(c.wire.gate)
	c.call(unix.SYS_PPOLL, pointer(end), 1, pointer(placed[unix.Timespec](c.builder)), 0, 0).must(0)
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
