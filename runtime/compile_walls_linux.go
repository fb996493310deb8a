package runtime

import (
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

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
