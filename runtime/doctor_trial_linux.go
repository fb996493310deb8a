package runtime

import (
	"errors"
	"io"
	"os"
	goruntime "runtime"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/runtime/seccomp"
)

// trials does, in children that are thrown away, what a launch would do, one
// thing a child, so that one failure does not hide the next.
func trials(h *Host) map[string]Trial {
	all := map[string]Trial{
		tryUser:    attempt(unix.CLONE_NEWUSER, func(c *compiler) {}),
		tryOpenAt2: called("open a path with openat2", openAt2()),
		tryClose: called("close descriptors with close_range",
			unix.CloseRange(closedRange, closedRange, 0)),
	}
	if !all[tryUser].OK() {
		return all
	}
	const mounting = unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	all[trySpaces] = attempt(mounting|unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWNET, func(c *compiler) {
		c.loopback()
		c.name("make a cgroup namespace")
		c.call(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
	})
	all[tryMounts] = attempt(mounting, (*compiler).root)
	all[tryBinds] = attempt(mounting, func(c *compiler) {
		c.root()
		c.name("show a directory at another place")
		src := c.open(unix.SYS_OPENAT, unix.AT_FDCWD, "/usr", pathFlags, 0)
		c.mkdir(&Step{Do: Dir, Target: "/usr"})
		dst := c.open(unix.SYS_OPENAT, ref(c.rootFD), "usr", pathFlags, 0)
		c.attachAt(c.cloneTree(src, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV), dst)
	})
	all[tryProc] = attempt(mounting|unix.CLONE_NEWPID, func(c *compiler) {
		c.name("mount a new /proc")
		c.newFS("proc", nil, attributes(&Step{Do: Proc}))
	})
	all[tryDevpts] = attempt(mounting, func(c *compiler) {
		c.name("mount terminals of its own")
		c.newFS("devpts", [][2]string{{"ptmxmode", "0666"}, {"mode", "0620"}}, attributes(&Step{Do: Devpts}))
	})
	all[tryOverlay] = attempt(mounting, func(c *compiler) {
		c.name("lay directories over each other")
		c.newFS("overlay", [][2]string{{"lowerdir", "/usr:/etc"}}, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	})
	all[tryFilter] = attempt(unix.CLONE_NEWUSER, filtered)
	all[tryTerminal] = fetched()
	if h.UID == 0 {
		all[tryOwners], all[tryIDMap] = owners(h.Home)
	}
	return all
}

// closedRange is a descriptor that nobody has open.
const closedRange = 1 << 29

func openAt2() error {
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: pathFlags, Resolve: noLinks})
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// called is the trial of a single call.
func called(step string, err error) Trial {
	t := Trial{Ran: true, Step: step}
	if err != nil && !errors.As(err, &t.Errno) {
		t.Errno = unix.EIO
	}
	return t
}

// attempt runs what fill appends as pid 1 or only process of new namespaces,
// with the caller's id mapped to itself.
func attempt(flags uint64, fill func(*compiler)) Trial {
	id := Owner{os.Geteuid(), os.Getegid()}
	c, err := newCompiler(&Plan{UID: id.UID, GID: id.GID, Outside: id, ShareNet: true}, wiring{mapIDs: true}, "sandbox-doctor")
	if err != nil {
		return called("get memory", err)
	}
	defer c.free()
	c.identity()
	fill(c)
	return c.run(flags)
}

// run starts the child, whose last deed is to end, and hears how far it came.
func (c *compiler) run(flags uint64) Trial {
	c.call(unix.SYS_EXIT_GROUP, 0)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return called("make a pipe", err)
	}
	reports := os.NewFile(uintptr(pipe[0]), "status")
	defer reports.Close()
	c.status = uintptr(pipe[1])
	pid, errno := c.clone3(&cloneArgs{flags: flags, exitSignal: uint64(unix.SIGCHLD)})
	unix.Close(pipe[1])
	if errno != 0 {
		return Trial{Ran: true, Step: "make namespaces", Errno: unix.Errno(errno)}
	}
	p := &process{pid: pid, pidfd: -1, status: reports, names: c.names}
	e, err := p.next()
	end := p.reap()
	switch {
	case errors.Is(err, io.EOF) && end.Exited() && end.ExitStatus() == 0:
		return Trial{Ran: true}
	case errors.Is(err, io.EOF): // killed: silence is no success
		return Trial{Ran: true, Step: "see the trial to its end", Errno: unix.ECANCELED}
	case err != nil:
		return called("hear of the child", err)
	}
	return Trial{Ran: true, Step: p.stepName(e), Errno: unix.Errno(e.detail)}
}

// filtered loads the filter that every app has.
func filtered(c *compiler) {
	filter, err := seccomp.Program(goruntime.GOARCH, 0)
	c.name("load the system call filter")
	if err != nil {
		c.call(unix.SYS_CLOSE, -1)
		return
	}
	c.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	c.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, c.filterProgram(filter))
}

// fetched takes a descriptor from a child in another user namespace, as the
// supervisor does with the app's terminal.
func fetched() Trial {
	const step = "fetch a descriptor from an app"
	var gate [2]int
	if err := unix.Pipe2(gate[:], unix.O_CLOEXEC); err != nil {
		return called("make a pipe", err)
	}
	b, err := newBuilder()
	if err != nil {
		return called(step, err)
	}
	defer b.free()
	b.name("wait")
	b.status = ^uintptr(0)
	b.call(unix.SYS_CLOSE, gate[1])
	b.call(unix.SYS_READ, gate[0], pointer(&b.word), 1).must(1) // end of file: exit
	var pidfd int32
	pid, errno := b.clone3(&cloneArgs{flags: unix.CLONE_NEWUSER | unix.CLONE_PIDFD, pidfd: addressOf(&pidfd), exitSignal: uint64(unix.SIGCHLD)})
	if errno != 0 {
		unix.Close(gate[0])
		unix.Close(gate[1])
		return Trial{Ran: true, Step: "make namespaces", Errno: unix.Errno(errno)}
	}
	goruntime.KeepAlive(&pidfd)
	fd, err := unix.PidfdGetfd(int(pidfd), gate[0], 0)
	if err == nil {
		unix.Close(fd)
	}
	unix.Close(gate[0])
	unix.Close(gate[1])
	unix.Close(int(pidfd))
	(&process{pid: pid}).reap()
	return called(step, err)
}

// owners tries what only root's apps need: ids of their own, and mounts on
// which root's files belong to those.
func owners(home string) (mapped, shown Trial) {
	ns, err := translation(RootOwner("org.sandbox.Doctor"))
	mapped = called("map the owner of an app", err)
	if err != nil {
		return mapped, Trial{}
	}
	defer unix.Close(ns)
	fd, err := unix.OpenTree(unix.AT_FDCWD, home, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return mapped, called("copy the mount of "+home, err)
	}
	defer unix.Close(fd)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns)}
	return mapped, called("translate the owners of "+home, unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr))
}

// field is the value of "name:" in a file such as /proc/self/status.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
