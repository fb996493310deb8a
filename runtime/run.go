package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/runtime/cgroup"
	"sandbox/runtime/signals"
	"sandbox/runtime/terminal"
)

// Options are what a launch has besides its Plan: the caller's side of it.
type Options struct {
	Plan   *Plan
	Host   *Host
	Limits cgroup.Limits

	Std      [3]int // the caller's descriptors for 0, 1 and 2
	NoPty    bool
	Pass     []int // further descriptors the app keeps
	Detached bool
	Strict   bool // fail where a wall or limit is not to be had

	Escapes  terminal.Escapes
	Warn     func(string) // things the person should know, before the app starts
	Started  func(*Entry) // called once the app runs
	Registry *Registry    // nil: the instance is not listed
	failStep string       // test seam
}

// supervisor is one running instance, seen from outside.
type supervisor struct {
	opt     Options
	plan    *Plan
	proc    *process
	group   *cgroup.Group
	entry   *Entry
	control *control
	pty     *terminal.Pty
	relay   *terminal.Relay
	std     terminal.Std
	start   time.Time

	events    chan event
	signals   chan os.Signal
	asked     chan request  // from the control socket
	end       chan struct{} // closed when orders are no longer taken
	spaces    []int         // the instance's namespaces, for enter
	join      []int         // namespaces to enter instead of making them
	held      []int         // descriptors of locks
	keepGroup bool          // the group is another instance's
	timer     <-chan time.Time
	idle      <-chan time.Time // when to give memory back
	timeUp    bool
}

// Run performs a plan and stays with the instance until it has ended. The
// result is what a shell would report: the app's exit status, or 128 and the
// number of the signal that ended it. No goroutine of the program may end while
// it is locked to a thread: the instance dies with the thread that started it.
func Run(opt Options) (status int, err error) {
	s := &supervisor{opt: opt, plan: opt.Plan, start: time.Now(),
		events: make(chan event, 8), signals: make(chan os.Signal, 16), asked: make(chan request), end: make(chan struct{})}
	defer s.close()
	if err := s.prepare(); err != nil {
		return 0, err
	}
	if err := s.launch(); err != nil {
		return 0, err
	}
	return s.supervise()
}

// prepare does what must be done on the host before anything is cloned.
func (s *supervisor) prepare() error {
	if s.plan.Landlock < landlockScopes && s.plan.ShareNet {
		if s.opt.Strict {
			return hint.With(errors.New("cannot keep abstract sockets apart: this kernel has no Landlock scopes"), "drop network:host, or run without --strict")
		}
		s.warn("DEGRADED: network:host also reaches abstract sockets of the host: this kernel has no Landlock scopes")
	}
	std, err := inspect(s.opt.Std)
	if err != nil {
		return err
	}
	s.std = std
	if s.opt.Registry != nil {
		if err := s.opt.Registry.free(s.plan.Instance); err != nil {
			return err
		}
	}
	if err := s.makeOnHost(); err != nil {
		return err
	}
	return s.makeGroup()
}

// refuseDirectories: a directory as a standard stream is a way to the host's
// tree (openat relative to it), and no program expects one.
func refuseDirectories(std terminal.Std) error {
	for i, fd := range std.FD {
		if std.Closed[i] {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return hint.With(fmt.Errorf("cannot start with a directory as %s", [...]string{"standard input", "standard output", "standard error"}[i]),
				"redirect it from or to a file")
		}
	}
	return nil
}

// groupName is unique: of two that start under one name at the same moment, or
// in two sessions, neither may take the other's group for its own.
func groupName(instance string, supervisor int) string {
	return instance + "." + strconv.Itoa(supervisor)
}

func (s *supervisor) makeGroup() error {
	host := cgroup.Probe()
	for {
		plan, err := cgroup.Decide(host, groupName(s.plan.Instance, os.Getpid()), s.opt.Limits)
		if err != nil {
			return err
		}
		if s.opt.Strict {
			if err := plan.Strict(); err != nil {
				return err
			}
		}
		group, err := cgroup.Create(plan)
		if err != nil {
			if plan.Mode == cgroup.None {
				return fmt.Errorf("cannot limit the instance: %w", err)
			}
			host = host.Without(plan.Mode)
			continue
		}
		s.group = group
		for _, r := range plan.Rlimits {
			s.plan.Rlimits = append(s.plan.Rlimits, Rlimit{r.Name, r.Resource, r.Value, r.Value})
		}
		for _, d := range group.Degraded() {
			s.warn("DEGRADED: limit " + d.String())
		}
		return nil
	}
}

func (s *supervisor) warn(text string) {
	if s.opt.Warn != nil {
		s.opt.Warn(text)
	}
}

// read turns the child's reports into events; the channel closes with it.
func (s *supervisor) read() {
	defer close(s.events)
	for {
		e, err := s.proc.next()
		if err != nil {
			return
		}
		s.events <- e
	}
}

// failure is why the child ended before the app began, if it said so.
func (s *supervisor) failure() error {
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return nil
			}
			if err := s.explain(e); err != nil {
				return err
			}
		case <-time.After(time.Second):
			return nil
		}
	}
}

func (s *supervisor) explain(e event) error {
	switch e.kind {
	case reportSetupFailed:
		return launchError(s.proc.stepName(e), unix.Errno(e.detail))
	case reportExecFailed:
		return startError(s.proc.stepName(e), s.plan.Search, unix.Errno(e.detail))
	}
	return nil
}

// supervise is the instance's life after the launch.
func (s *supervisor) supervise() (int, error) {
	var gone <-chan struct{}
	if s.relay != nil {
		gone = s.relay.Gone()
	}
	var oom <-chan struct{}
	if s.join == nil {
		var err error
		if oom, err = s.group.OOM(); err != nil {
			s.warn(fmt.Sprintf("cannot watch for a lack of memory: %v", err))
		}
	}
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return s.ended()
			}
			if e.kind == reportExited {
				return s.exited(unix.WaitStatus(e.value)), nil
			}
			if err := s.handle(e); err != nil {
				return 0, err
			}
		case sig := <-s.signals:
			s.proc.signal(sig.(unix.Signal))
		case r := <-s.asked:
			r.answer(s)
		case <-s.timer:
			s.outOfTime()
		case <-s.idle:
			settle()
		case <-oom:
			// The kernel may have picked one process; half an app is worse than none.
			oom = nil
			s.warn(outOfMemory)
			s.proc.signal(unix.SIGKILL)
		case <-gone:
			gone = nil
			s.proc.signal(unix.SIGHUP)
			s.proc.signal(unix.SIGCONT)
		}
	}
}

const outOfMemory = "out of memory: the instance reached its limit"

func (s *supervisor) handle(e event) error {
	switch e.kind {
	case reportStarted:
		if t := s.opt.Limits.Time; t > 0 {
			s.timer = time.After(t)
		}
		if s.opt.Started != nil {
			s.opt.Started(s.entry)
		}
		s.idle = time.After(settleAfter)
	case reportStopped:
		s.stopped(unix.Signal(e.value))
	default:
		return s.explain(e)
	}
	return nil
}

// stopped: the app's job was stopped, and we stop with it, so that the shell
// sees one job. A detached instance has no shell; whoever stopped it will
// continue it.
func (s *supervisor) stopped(sig unix.Signal) {
	if s.relay == nil {
		// With a time limit somebody must stay awake to hold it.
		if !s.opt.Detached && s.opt.Limits.Time == 0 {
			unix.Kill(os.Getpid(), unix.SIGSTOP)
		}
		return
	}
	r := s.relay.Stopped(sig)
	steer := unix.Signal(steerBackground)
	if r.Foreground {
		steer = steerForeground
	}
	if r.Hangup {
		s.proc.signal(unix.SIGHUP)
	}
	s.proc.signal(steer)
}

// grace is how long an app that ran out of time may take to end.
const grace = 5 * time.Second

func (s *supervisor) outOfTime() {
	if s.timeUp {
		s.proc.signal(unix.SIGKILL)
		return
	}
	s.timeUp = true
	s.warn(fmt.Sprintf("the time limit of %s is reached", s.opt.Limits.Time))
	s.proc.signal(unix.SIGTERM)
	s.proc.signal(unix.SIGCONT)
	s.timer = time.After(grace)
}

// exited: the app has ended by itself; what it left behind goes with init.
func (s *supervisor) exited(ws unix.WaitStatus) int {
	s.finish()
	switch {
	case s.timeUp:
		return 124 // as timeout(1)
	case ws.Signaled():
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// ended: init is gone without a report, so it was killed, and all with it.
func (s *supervisor) ended() (int, error) {
	ws := s.finish()
	if limit := s.opt.Limits.Time; s.timeUp || limit > 0 && time.Since(s.start) > limit {
		return 124, nil
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return 0, errGone
}

// finish hands the terminal back, takes the instance out of the registry while
// its pid cannot yet belong to anyone else, and collects it.
func (s *supervisor) finish() unix.WaitStatus {
	if s.relay != nil {
		s.relay.Finish()
		s.relay = nil
	}
	if s.control != nil {
		close(s.end)
		s.control.close()
		s.control = nil
	}
	if s.entry != nil {
		s.entry.remove()
		s.entry = nil
	}
	ws := s.proc.reap()
	s.proc.reaped = true
	if s.join == nil && s.group != nil && s.group.OutOfMemory() {
		s.warn(outOfMemory)
	}
	s.removeGroup()
	return ws
}

func (s *supervisor) removeGroup() {
	if s.group == nil {
		return
	}
	if s.keepGroup {
		s.group.Close()
		s.group = nil
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.group.Remove(ctx); err != nil {
		s.warn(fmt.Sprintf("cannot remove the control group: %v", err))
	}
	s.group.Close()
	s.group = nil
}

// close leaves nothing behind, whichever way Run ends.
func (s *supervisor) close() {
	signals.Stop(s.signals)
	if s.relay != nil {
		s.relay.Restore()
	}
	if s.proc != nil && !s.proc.reaped {
		s.proc.signal(unix.SIGKILL)
		s.finish()
	}
	s.removeGroup()
	if s.proc != nil {
		s.proc.close()
	}
	for _, fd := range append(s.spaces, s.held...) {
		unix.Close(fd)
	}
}
