package runtime

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

// The kinds of report a child makes on its status pipe, each one record of
// four words: kind, value, detail, 0.
const (
	reportSetupFailed = 1 // value: step, detail: errno
	reportExecFailed  = 2 // value: step, detail: errno
	reportStarted     = 3 // value: the app's pid inside
	reportStopped     = 4 // value: the signal
	reportExited      = 5 // value: the wait status
	reportTerminal    = 6 // the app's terminal is open as descriptor masterFD
)

// Signals by which the supervisor steers init. They are real-time signals that
// nothing else uses; the app may send them too, and would only steer itself.
const (
	steerForeground = 40 // give the terminal to the app and continue it
	steerBackground = 41 // take the terminal from the app and continue it
	steerPause      = 42 // stop every process
	steerResume     = 43 // and let them go on
)

const signalCount = 64

const siKernel = 0x80 // si_code of a timer's signal, sigaction(2)

// clone3 makes the child that becomes pid 1 of the new namespaces. It returns
// in the parent only.
//
// Everything the child runs from here to its end is nosplit and calls nothing
// but raw system calls: a stack check would find the guard that beforeFork
// spoiled and abort.
//
//go:noinline
//go:norace
//go:nocheckptr
func (b *builder) clone3(args *cloneArgs) (pid int, errno syscall.Errno) {
	p, spans := b.program, b.private()
	// Of the arena, init needs the first page once the app runs.
	arena := uintptr(unsafe.Pointer(&b.mem[0]))
	p.spare = span{arena + (unsafe.Sizeof(pidOne{})+pageSize-1)&^(pageSize-1), arena + uintptr(len(b.mem))}
	keepOut(spans)
	beforeFork()
	r, _, e := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0)
	if e == 0 && r == 0 {
		p.child()
	}
	afterFork()
	letIn(spans)
	return int(r), e
}

// child is pid 1: it makes the view, drops what it may drop, starts the app,
// and from then on reaps and forwards until the app is gone.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *program) child() {
	if step, errno := p.walk(p.setup); errno != 0 {
		p.report(reportSetupFailed, uint32(step), uint32(errno))
		p.exit(125)
	}
	// CLONE_VFORK: init goes on when the app's program runs or failed to.
	r, _, e := syscall.RawSyscall6(unix.SYS_CLONE, unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		p.report(reportSetupFailed, uint32(p.launch[0].step), uint32(e))
		p.exit(125)
	}
	if r == 0 {
		step, errno := p.walk(p.launch)
		p.report(reportExecFailed, uint32(step), uint32(errno))
		p.exit(126)
	}
	p.cpid = r
	p.report(reportStarted, uint32(r), 0)
	syscall.RawSyscall(unix.SYS_MADVISE, p.spare.from, p.spare.to-p.spare.from, unix.MADV_DONTNEED)
	p.reap()
}

// walk makes the calls of ops in order. It returns the step and errno of the
// first that failed, or zeros.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *program) walk(ops []op) (step uint16, errno syscall.Errno) {
	for i := 0; i < len(ops); i++ {
		o := &ops[i]
		a := o.arg
		if o.refs != 0 {
			for j := 0; j < 6; j++ {
				if o.refs&(1<<j) != 0 {
					a[j] = p.slots[a[j]%maxSlots]
				}
			}
		}
		if o.nr >= opStore {
			word := *(**uint32)(unsafe.Pointer(&a[0]))
			if o.nr == opStore {
				*word = uint32(a[1])
			} else if (*word&uint32(a[1]) == uint32(a[2])) != (o.nr == opExpect) {
				if o.skip == 0 {
					return o.step, syscall.EBADMSG
				}
				i += int(o.skip)
			}
			continue
		}
		r, _, e := syscall.RawSyscall6(o.nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			if e != syscall.Errno(o.allow[0]) && e != syscall.Errno(o.allow[1]) {
				return o.step, e
			}
			i += int(o.skip)
			continue
		}
		if o.match && r != o.want {
			return o.step, syscall.EBADMSG
		}
		if o.out != 0 {
			p.slots[o.out%maxSlots] = r
		}
		i += int(o.jump)
	}
	return 0, 0
}

// reap is the life of pid 1. All signals are blocked and taken one at a time:
// SIGCHLD means children to collect, any other was sent by the supervisor and
// is the app's. It ends with the app; the kernel then ends every process of
// the pid namespace, so nothing the app left behind survives it.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *pidOne) reap() {
	for {
		sig, _, e := syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&p.mask)),
			uintptr(unsafe.Pointer(&p.info)), 0, signalCount/8, 0, 0)
		if e != 0 {
			continue
		}
		switch sig {
		case uintptr(unix.SIGCHLD):
			p.collect()
		case uintptr(unix.SIGALRM):
			if *(*int32)(unsafe.Pointer(&p.info[8])) == siKernel {
				p.exit(0) // the deadline; nobody but the kernel can say so
			}
			syscall.RawSyscall(unix.SYS_KILL, p.cpid, sig, 0)
		case uintptr(unix.SIGCONT):
			// A stopped job is continued as a whole, as a shell would.
			syscall.RawSyscall(unix.SYS_KILL, -p.cpid, sig, 0)
		case steerForeground:
			p.group = uint32(p.cpid)
			p.proceed()
		case steerBackground:
			p.group = p.own
			p.proceed()
		case steerPause, steerResume:
			p.paused = sig == steerPause
			sig = uintptr(unix.SIGCONT)
			if p.paused {
				sig = uintptr(unix.SIGSTOP)
			}
			syscall.RawSyscall(unix.SYS_KILL, ^uintptr(0), sig, 0)
		case uintptr(unix.SIGINT), uintptr(unix.SIGQUIT), uintptr(unix.SIGHUP), uintptr(unix.SIGTSTP):
			// What a terminal sends goes to a whole job: a shell that waits for its
			// child leaves it to the child to obey.
			if _, _, e := syscall.RawSyscall(unix.SYS_KILL, -p.cpid, sig, 0); e != 0 {
				syscall.RawSyscall(unix.SYS_KILL, p.cpid, sig, 0)
			}
		default:
			syscall.RawSyscall(unix.SYS_KILL, p.cpid, sig, 0)
		}
	}
}

// proceed makes p.group the terminal's foreground group and continues the app.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *pidOne) proceed() {
	syscall.RawSyscall(unix.SYS_IOCTL, terminalFD, unix.TIOCSPGRP, uintptr(unsafe.Pointer(&p.group)))
	syscall.RawSyscall(unix.SYS_KILL, -p.cpid, uintptr(unix.SIGCONT), 0)
}

//go:nosplit
//go:norace
//go:nocheckptr
func (p *pidOne) collect() {
	for {
		pid, _, e := syscall.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&p.wait)),
			unix.WNOHANG|unix.WUNTRACED, 0, 0, 0)
		if e != 0 || pid == 0 {
			return
		}
		if pid != p.cpid {
			continue
		}
		if p.wait&0xff == 0x7f {
			if p.paused {
				continue
			}
			p.report(reportStopped, p.wait>>8&0xff, 0)
			continue
		}
		p.report(reportExited, p.wait, 0)
		p.exit(0)
	}
}

//go:nosplit
//go:norace
//go:nocheckptr
func (p *pidOne) report(kind, value, detail uint32) {
	p.record[0], p.record[1], p.record[2] = kind, value, detail
	syscall.RawSyscall(unix.SYS_WRITE, p.status, uintptr(unsafe.Pointer(&p.record)), unsafe.Sizeof(p.record))
}

//go:nosplit
//go:norace
//go:nocheckptr
func (p *pidOne) exit(code uintptr) {
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, code, 0, 0)
	}
}
