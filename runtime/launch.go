package runtime

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/runtime/seccomp"
	"sandbox/runtime/signals"
	"sandbox/runtime/terminal"

	goruntime "runtime"
)

// launch clones the child and brings it to where the app begins.
func (s *supervisor) launch() error {
	filter, err := seccomp.Program(goruntime.GOARCH, seccomp.Of(s.plan.Features...))
	if err != nil {
		return err
	}
	w := wiring{filter: filter, pass: s.opt.Pass, openat2: s.opt.Host.OpenAt2, failStep: s.opt.failStep,
		mapIDs: s.plan.Outside.UID == s.opt.Host.UID}
	null, err := s.wireStd(&w)
	if err != nil {
		return err
	}
	defer null.Close()
	s.clampRlimits()
	if w.shifted, err = shiftedMounts(s.plan); err != nil {
		return err
	}
	defer closeAll(w.shifted)

	// Before the clone: a signal that arrives meanwhile waits in the channel.
	// What the caller had us ignore stays ignored: nohup(1), or a script's
	// background, for which a shell ignores what ^C and ^\ send.
	if err := signals.Notify(s.signals, caught(w.terminal)...); err != nil {
		return err
	}
	if s.proc, err = start(s.plan, w, s.group.FD(), s.join); err != nil {
		return err
	}
	go s.read()
	word := byte(goForeground)
	if w.terminal {
		if word, err = s.takeTerminal(); err != nil {
			return err
		}
	}
	if err := s.group.Add(s.proc.pid); err != nil {
		if failed := s.failure(); failed != nil {
			return failed
		}
		return fmt.Errorf("cannot limit the instance: %w", err)
	}
	if err := s.register(); err != nil {
		return err
	}
	s.proc.release(word)
	return nil
}

// caught are the signals that are passed on to the app.
func caught(terminal bool) []unix.Signal {
	list := []unix.Signal{unix.SIGTERM, unix.SIGTSTP, unix.SIGUSR1, unix.SIGUSR2}
	if !signals.Ignored(unix.SIGHUP) {
		list = append(list, unix.SIGHUP)
	}
	if !signals.Ignored(unix.SIGINT) {
		list = append(list, unix.SIGINT, unix.SIGQUIT)
	} else {
		signals.Ignore(unix.SIGQUIT) // the Go runtime keeps INT and HUP ignored only
	}
	if !terminal {
		list = append(list, unix.SIGCONT) // on a terminal it is the relay's
	}
	return list
}

// wireStd decides what the app finds at 0, 1 and 2.
func (s *supervisor) wireStd(w *wiring) (null *os.File, err error) {
	null, err = os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/null: %w", err)
	}
	w.terminal = s.std.Any && !s.opt.NoPty
	for i, fd := range s.std.FD {
		switch {
		case s.std.Closed[i]:
			w.std[i] = int(null.Fd())
		case s.std.TTY[i] && w.terminal:
			w.std[i] = -1
		case s.std.TTY[i]:
			null.Close()
			return nil, hint.With(errors.New("cannot start on a terminal without a pty: the app would hold your own terminal"),
				"redirect standard input, output and error, or drop --no-pty")
		default:
			w.std[i] = fd
		}
	}
	return null, nil
}

// clampRlimits: a hard limit can only go down.
func (s *supervisor) clampRlimits() {
	for i := range s.plan.Rlimits {
		r := &s.plan.Rlimits[i]
		var have unix.Rlimit
		if unix.Getrlimit(r.Resource, &have) == nil {
			r.Hard = min(r.Hard, have.Max)
			r.Soft = min(r.Soft, r.Hard)
		}
	}
}

// takeTerminal fetches the app's terminal from the child and begins to relay.
func (s *supervisor) takeTerminal() (byte, error) {
	e, ok := <-s.events
	if !ok {
		return 0, errGone
	}
	if e.kind != reportTerminal {
		return 0, s.explain(e)
	}
	fd, err := unix.PidfdGetfd(s.proc.pidfd, masterFD, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot take the app's terminal: %w", err)
	}
	unix.CloseOnExec(fd)
	if s.pty, err = terminal.Adopt(os.NewFile(uintptr(fd), "pty"), s.std); err != nil {
		return 0, fmt.Errorf("cannot set up the app's terminal: %w", err)
	}
	s.relay = terminal.New(s.std, s.pty, terminal.Options{Escapes: s.opt.Escapes, OwnSignals: true})
	if err := s.relay.Start(); err != nil {
		return 0, fmt.Errorf("cannot relay the terminal: %w", err)
	}
	s.proc.release(goForeground)
	if !s.relay.Foreground() {
		return goBackground, nil
	}
	return goForeground, nil
}
