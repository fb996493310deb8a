package terminal

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sandbox/runtime/signals"
)

// listener is what the relay hears of the user's terminal and shell.
type listener struct {
	c         chan os.Signal
	ended     chan struct{}
	continued chan struct{}
}

// start listens. Signals that the process ignores stay ignored (nohup).
func (s *listener) start(r *Relay) {
	s.c = make(chan os.Signal, 8)
	s.ended = make(chan struct{})
	s.continued = make(chan struct{}, 1)
	signals.Notify(s.c, unix.SIGWINCH, unix.SIGCONT)
	if !r.opt.OwnSignals {
		for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP} {
			if !signals.Ignored(sig) {
				signals.Notify(s.c, sig)
			}
		}
	}
	go s.watch(r)
}

func (s *listener) stop() {
	if s.c == nil {
		return
	}
	signals.Stop(s.c)
	close(s.c)
	<-s.ended
}

func (s *listener) watch(r *Relay) {
	defer close(s.ended)
	for sig := range s.c {
		switch sig {
		case unix.SIGWINCH:
			r.post(r.resize)
		case unix.SIGCONT:
			select {
			case s.continued <- struct{}{}:
			default:
			}
			r.post(r.reconsider)
		default:
			r.Restore()
			dieOf(sig.(unix.Signal))
		}
	}
}

// post is do without waiting: the relay may be waiting for a slow terminal.
// Dropping one when many wait is harmless; those that wait do the same.
func (r *Relay) post(f func()) {
	select {
	case r.commands <- f:
		r.poke()
	default:
	}
}

// dieOf ends the process by the signal's default action, so that the shell sees
// the truth. The Go runtime's own default for SIGQUIT prints a trace instead.
func dieOf(sig unix.Signal) {
	var dfl [4]uint64 // struct sigaction with SIG_DFL
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
	unix.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	os.Exit(128 + int(sig))
}
