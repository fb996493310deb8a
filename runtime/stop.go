package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/runtime/cgroup"
)

// Stop asks the app to end and, when it has not after the timeout, ends the
// instance. It returns when nothing of it is left, and says whether force was
// needed.
func (e *Entry) Stop(timeout time.Duration) (forced bool, err error) {
	fd, err := e.open()
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	defer e.await(e.supervisor())
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && err != unix.ESRCH {
		return false, fmt.Errorf("cannot signal %s: %w", e.Instance, err)
	}
	// A paused or stopped app hears nothing until it goes on.
	if e.Paused() {
		e.Resume()
	}
	unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
	e.wake()
	if waitGone(fd, timeout) {
		e.waitUnlisted()
		return false, nil
	}
	return true, e.end(fd)
}

// Kill ends the instance at once.
func (e *Entry) Kill() error {
	fd, err := e.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	defer e.await(e.supervisor())
	return e.end(fd)
}

// end kills pid 1, with which the kernel kills every other process of the
// namespace. A group is killed as well: on v1 a frozen process would not die.
func (e *Entry) end(fd int) error {
	err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	if err != nil && err != unix.ESRCH {
		return fmt.Errorf("cannot kill %s: %w", e.Instance, err)
	}
	if group, err := cgroup.Open(e.Group); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := group.Kill(ctx); err != nil && !errors.Is(err, cgroup.ErrNoGroup) {
			group.Thaw(ctx)
		}
		group.Close()
	}
	e.wake()
	if !waitGone(fd, 10*time.Second) {
		return fmt.Errorf("cannot kill %s: a process of it hangs in the kernel", e.Instance)
	}
	e.waitUnlisted()
	return nil
}

// wake continues a supervisor that stopped with its app, as a job does; it could
// not clear up. The entry is still there after the descriptor is open, so the
// number is the supervisor's.
func (e *Entry) wake() {
	if e.Supervisor <= 1 {
		return
	}
	fd, err := unix.PidfdOpen(e.Supervisor, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if again, err := e.registry.load(e.Instance); err == nil && again != nil && again.Supervisor == e.Supervisor {
		unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
	}
}

// waitUnlisted waits for the supervisor to clear up, so that the name is free
// and ps no longer shows it when the caller returns.
func (e *Entry) waitUnlisted() {
	for range 200 {
		if again, _ := e.registry.load(e.Instance); again == nil || again.PID != e.PID {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// supervisor is a pidfd of the supervisor, -1 when it has ended.
func (e *Entry) supervisor() int {
	if e.Supervisor <= 1 {
		return -1
	}
	fd, err := unix.PidfdOpen(e.Supervisor, 0)
	if err != nil {
		return -1
	}
	return fd
}

// await waits for a supervisor to end as well: until then it holds the locks on
// what the instance ran from, and on its home.
func (e *Entry) await(supervisor int) {
	if supervisor < 0 {
		return
	}
	defer unix.Close(supervisor)
	if again, _ := e.registry.load(e.Instance); again == nil || again.PID != e.PID {
		waitGone(supervisor, time.Second)
	}
}

// waitGone waits until the process behind a pidfd has ended.
func waitGone(fd int, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		return n > 0
	}
}
