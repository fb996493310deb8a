package terminal

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// turn is how much output is moved before the keyboard is looked at again, so
	// that Ctrl-C reaches an app that floods its terminal.
	turn = 64 << 10

	// lastBytes bounds what is still relayed after the app's exit. The kernel keeps
	// less than 32 KiB in a pty, so the app's own bytes always arrive; a child that
	// goes on writing does not keep us.
	lastBytes = 256 << 10
)

// loop relays until Finish.
func (r *Relay) loop() {
	defer close(r.done)
	defer func() {
		if r.quit {
			return
		}
		r.user.restore(true) // a panic: the shell gets its terminal back before the trace
	}()
	for !r.quit {
		r.pumpOut()
		r.pumpIn()
		r.wait(-1)
	}
}

// pumpOut moves output until there is none, or the user's terminal takes none,
// or the turn is over. Nothing is read while something is unwritten: a stalled
// terminal stalls the app, and memory stays as it is.
func (r *Relay) pumpOut() {
	r.more = false
	for budget := turn; budget > 0 && r.master >= 0; {
		if len(r.out) > 0 {
			if !r.flush() {
				return
			}
			continue
		}
		n := r.readMaster()
		if n == 0 {
			return
		}
		budget -= n
	}
	r.more = r.master >= 0
}

// readMaster reads and filters what the app has written; 0 means none now.
func (r *Relay) readMaster() int {
	if r.ended {
		return 0
	}
	for {
		n, err := readNow(r.master, r.buf[Room:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0
		case err != nil || n == 0:
			r.ended = true // EIO: no slave is open any more
			return 0
		}
		r.busy = true
		before := r.filter.queries
		r.out = r.filter.Apply(r.buf[:Room+n])
		if r.filter.queries != before {
			r.queried = time.Now()
		}
		return n
	}
}

// flush writes pending output and says whether all of it went.
func (r *Relay) flush() bool {
	for len(r.out) > 0 {
		if r.user.out < 0 {
			r.out = nil
			break
		}
		n, err := r.user.write(r.out)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil:
			r.hangup()
			return false
		default:
			r.out = r.out[n:]
		}
	}
	return true
}

// pumpIn moves one buffer of input. The app may be slow to read it; then the
// rest waits here and the user's terminal is not read.
func (r *Relay) pumpIn() {
	if len(r.in) == 0 && r.reading && r.keys {
		r.keys = false
		n, err := unix.Read(r.user.in, r.inbuf)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err == unix.EIO && !r.user.foreground():
			r.reconsider() // our group lost the terminal and nobody is there to stop it
		case err != nil || n == 0:
			r.hangup()
		default:
			r.in = r.inbuf[:n]
		}
	}
	for len(r.in) > 0 {
		n, err := writeNow(r.master, r.in)
		switch {
		case err == unix.EINTR:
		case err != nil:
			if err != unix.EAGAIN {
				r.in = nil
			}
			return
		default:
			r.in = r.in[n:]
		}
	}
}

// wait sleeps until something can be done, at most timeout ms (-1: for ever),
// and runs the commands that came meanwhile.
func (r *Relay) wait(timeout int) {
	const problem = unix.POLLHUP | unix.POLLERR | unix.POLLNVAL
	fds := [4]unix.PollFd{
		{Fd: int32(r.wake), Events: unix.POLLIN},
		{Fd: int32(r.user.in)},
		{Fd: int32(r.user.out)},
		{Fd: int32(r.master)},
	}
	if r.reading && len(r.in) == 0 {
		fds[1].Events = unix.POLLIN
	}
	if len(r.out) > 0 {
		fds[2].Events = unix.POLLOUT
	} else {
		fds[3].Events = unix.POLLIN
	}
	if len(r.in) > 0 {
		fds[3].Events |= unix.POLLOUT
	}
	if r.ended {
		fds[3].Fd = -1 // POLLHUP would be reported without end
	}
	if r.master < 0 {
		fds[1].Fd, fds[2].Fd = -1, -1
	}
	switch {
	case r.more:
		timeout = 0
	case timeout < 0 && r.wanted && !r.reading && r.master >= 0:
		timeout = 1000 // nothing tells us when "fg" hands the terminal to a running job
	}
	n, err := 0, error(nil)
	if r.busy && timeout != 0 {
		n, err = pollShort(fds[:])
	}
	if n == 0 && err == nil {
		r.busy = false
		n, err = unix.Poll(fds[:], timeout)
	}
	if err != nil {
		return
	}
	if fds[0].Revents != 0 {
		r.run()
		return
	}
	if n == 0 && timeout == 1000 {
		r.reconsider()
	}
	r.keys = fds[1].Revents&unix.POLLIN != 0
	if !r.keys && (fds[1].Revents|fds[2].Revents)&problem != 0 {
		r.hangup()
	}
}

// run executes the commands that have arrived.
func (r *Relay) run() {
	var count [8]byte
	unix.Read(r.wake, count[:])
	if r.isAborted() {
		r.reading, r.wanted = false, false
	}
	for {
		select {
		case f := <-r.commands:
			f()
		default:
			return
		}
	}
}

// drain writes out what the app has written so far, at most limit bytes. A read
// that finds nothing means there is nothing: the kernel moves what is between
// the ends before it says so. It waits for a slow terminal as any program does,
// but not for one that has hung up, nor after Restore.
func (r *Relay) drain(limit int) {
	for limit > 0 && r.master >= 0 {
		if !r.flush() {
			if r.master < 0 || !r.waitOut() {
				return
			}
			continue
		}
		n := r.readMaster()
		if n == 0 {
			return
		}
		limit -= n
	}
	for !r.flush() && r.master >= 0 && r.waitOut() {
	}
}

// write sends bytes of our own after everything else.
func (r *Relay) write(p []byte) {
	r.out = p
	for r.master >= 0 && !r.flush() && r.waitOut() {
	}
}

// waitOut waits until the user's terminal takes output again; false after
// Restore.
func (r *Relay) waitOut() bool {
	for !r.isAborted() {
		fds := [1]unix.PollFd{{Fd: int32(r.user.out), Events: unix.POLLOUT}}
		if n, _ := unix.Poll(fds[:], 100); n > 0 {
			return true
		}
	}
	return false
}
