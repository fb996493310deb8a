package terminal

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resume says how the app goes on after a stop.
type Resume struct {
	// Foreground: make the app's group the pty's foreground group before SIGCONT.
	// Otherwise make init's own group that, and send SIGCONT all the same.
	Foreground bool

	// Hangup: the terminal is gone, or nobody could ever bring us to its foreground.
	// The app gets SIGHUP and then SIGCONT.
	Hangup bool
}

// flushTime is how long a stop waits for a terminal that takes no output.
const flushTime = time.Second

// Stopped is called when the app was stopped by sig. If it only wants the
// terminal and that is ours, Stopped takes it and returns. Otherwise our job
// stops as the app has: output is written out, the user's terminal restored, and
// our process group stopped, until the shell continues it.
//
// A group with nobody to continue it is not stopped, as the kernel would not
// stop the app if it were a member: the app goes on at once.
func (r *Relay) Stopped(sig unix.Signal) Resume {
	wants := sig == unix.SIGTTIN || sig == unix.SIGTTOU
	var resume Resume
	if r.user == nil {
		return resume // never started
	}
	held, ready := false, false
	r.do(func() {
		held = r.reading
		switch {
		case r.master < 0:
			resume.Hangup, ready = true, true
		case wants && r.user.foreground() && r.takeClean() == nil:
			r.wanted = true
			resume.Foreground, ready = true, true
		}
	})
	if ready {
		return resume
	}
	if orphaned() {
		if wants {
			r.do(r.hangup)
		}
		return Resume{Foreground: held, Hangup: wants}
	}
	r.do(func() {
		r.suspended = true
		r.flushFor(flushTime)
		r.release()
	})
	r.signals.suspend(sig, held)
	r.do(func() {
		r.suspended = false
		if r.master < 0 {
			resume.Hangup = true
			return
		}
		if (held || wants || r.std.eager()) && r.user.foreground() && r.take() == nil {
			resume.Foreground = true
		}
		r.wanted = resume.Foreground
	})
	return resume
}

// takeClean takes the terminal after what the app wrote for the modes it had:
// in raw mode its line ends would lack their carriage returns.
func (r *Relay) takeClean() error {
	r.flushFor(flushTime)
	return r.take()
}

// flushFor writes out what the app has written, within a time: a stop must not
// wait for a terminal that is itself stopped.
func (r *Relay) flushFor(limit time.Duration) {
	end := time.Now().Add(limit)
	for budget := lastBytes; budget > 0 && r.master >= 0; {
		if !r.flush() {
			left := time.Until(end)
			if r.master < 0 || left <= 0 {
				return
			}
			unix.Poll([]unix.PollFd{{Fd: int32(r.user.out), Events: unix.POLLOUT}}, int(left.Milliseconds())+1)
			continue
		}
		n := r.readMaster()
		if n == 0 {
			return
		}
		budget -= n
	}
}

// suspend stops us and returns when we were continued.
func (s *listener) suspend(sig unix.Signal, raw bool) {
	select {
	case <-s.continued: // one from before
	default:
	}
	switch {
	case sig != unix.SIGSTOP && defaulted(sig) && (raw || sig != unix.SIGTSTP):
		unix.Kill(0, sig) // the whole job, as the kernel does; the shell says which kind it was
	case raw:
		// The rest of the job has not heard of the key either. SIGSTOP, because a caller
		// that catches SIGTSTP would pass it to the app again.
		unix.Kill(0, unix.SIGSTOP)
	default:
		// The key came from the user's terminal and has stopped the others already, or
		// is about to: a program in the pipeline may still be restoring its modes.
		unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
	<-s.continued
}

// defaulted says that nobody in this process catches or ignores sig.
func defaulted(sig unix.Signal) bool {
	var action [4]uint64 // struct sigaction: the handler comes first
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
	return errno == 0 && action[0] == 0
}

// orphaned says whether no shell could continue our process group: no ancestor
// next to the group is in the same session. The kernel discards stop signals
// then, except SIGSTOP.
func orphaned() bool {
	group, session := unix.Getpgrp(), getsid(0)
	pid := os.Getppid()
	for depth := 0; pid > 0 && depth < 64 && getsid(pid) == session; depth++ {
		if g, err := unix.Getpgid(pid); err != nil || g != group {
			return err != nil
		}
		pid = parent(pid)
	}
	return true
}

func getsid(pid int) int {
	session, err := unix.Getsid(pid)
	if err != nil {
		return -1
	}
	return session
}

// parent reads the fourth field of /proc/PID/stat; the second may hold anything.
func parent(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(data[bytes.LastIndexByte(data, ')')+1:], []byte(" "))
	fields := bytes.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}
