package terminal

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// recent is how old a query may be whose answer might still come. An answer
	// that takes longer has lost its asker in any program.
	recent = 2 * time.Second

	// patience is how long the terminal is waited for at the end.
	patience = 500 * time.Millisecond
)

// Terminals answer in order: when "operating status" has been answered, every
// question before it has been too.
const (
	statusQuery  = "\x1b[5n"
	statusAnswer = "\x1b[0n"
)

// settle waits for the answers to queries that the app made shortly before its
// end, and throws them away with the rest of the input. Flushing alone is not
// enough: the answer of a terminal at the far end of a network arrives later.
func (r *Relay) settle() {
	if !r.reading || r.queried.IsZero() || time.Since(r.queried) > recent || r.user.in < 0 {
		return
	}
	r.write([]byte(statusQuery))
	end := time.Now().Add(patience)
	var tail []byte
	for r.master >= 0 && !r.isAborted() {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		fds := []unix.PollFd{{Fd: int32(r.user.in), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err == unix.EINTR {
			continue
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		n, err := unix.Read(r.user.in, r.inbuf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		tail = append(tail, r.inbuf[:n]...)
		if bytes.Contains(tail, []byte(statusAnswer)) {
			return
		}
		tail = tail[max(0, len(tail)-len(statusAnswer)):]
	}
}
