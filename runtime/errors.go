package runtime

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// StartError says that the app's program could not be executed inside; Code is
// the shell's: 126 found but not executable, 127 not found.
type StartError struct {
	Code int
	Err  error
}

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

func startError(step string, errno unix.Errno) error {
	e := &StartError{Code: 126, Err: fmt.Errorf("cannot %s: %w", step, errno)}
	if errno == unix.ENOENT || errno == unix.ENOTDIR {
		e.Code = 127
	}
	return e
}

// cloneError explains why no namespaces were to be had.
func cloneError(errno unix.Errno, inCgroup bool) error {
	err := fmt.Errorf("cannot make the app's namespaces: %w", errno)
	switch {
	case errno == unix.EPERM:
		return hint.With(err, "unprivileged user namespaces are switched off here; `sandbox doctor` says by what and how to allow them")
	case errno == unix.ENOSPC:
		return hint.With(err, "the limit in /proc/sys/user/max_user_namespaces (or another of that kind) is reached")
	case errno == unix.ENOSYS:
		return hint.With(err, "this kernel, or a filter around this session, lacks clone3(2); Linux 5.12 or later is needed")
	case errno == unix.EBUSY && inCgroup:
		return hint.With(err, "the cgroup cannot hold processes: see `sandbox doctor`")
	}
	return err
}

// errGone: the child ended without a word, which a kill from outside explains.
var errGone = errors.New("the app's first process was killed before the app started")
