package runtime

import (
	"errors"
	"fmt"
	"path"
	"strings"

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

func startError(step string, search []string, errno unix.Errno) error {
	if len(search) > 1 && (errno == unix.ENOENT || errno == unix.ENOTDIR) {
		step = "start " + path.Base(search[0])
	}
	e := &StartError{Code: 126, Err: fmt.Errorf("cannot %s: %w", step, errno)}
	if errno == unix.ENOENT || errno == unix.ENOTDIR {
		e.Code = 127
	}
	if way := startHint(search, errno); way != "" {
		e.Err = hint.With(e.Err, "%s", way)
	}
	return e
}

func startHint(search []string, errno unix.Errno) string {
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		return "neither the app nor its runtime has " + strings.Join(search, " or ") + ", or it is a script for an interpreter that is not there"
	case unix.EACCES:
		return "it is no executable file, or lies where programs may not be run from"
	case unix.ENOEXEC:
		return "it is made for another kind of machine, or a script without a first line such as #!/bin/sh"
	case unix.ELOOP:
		return "its symbolic links lead in a circle"
	case unix.E2BIG:
		return "arguments and environment are too large: put some of it in a file and grant that"
	case unix.EAGAIN, unix.ENOMEM:
		return "a limit of processes or memory is reached: see 'sandbox help run', --limit"
	}
	return ""
}

// cloneError explains why no namespaces were to be had.
func cloneError(errno unix.Errno, inCgroup bool) error {
	err := fmt.Errorf("cannot make the app's namespaces: %w", errno)
	switch {
	case errno == unix.EPERM:
		return hint.With(err, "unprivileged user namespaces are switched off here; 'sandbox doctor' says by what and how to allow them")
	case errno == unix.ENOSPC:
		return hint.With(err, "the limit in /proc/sys/user/max_user_namespaces (or another of that kind) is reached")
	case errno == unix.ENOSYS:
		return hint.With(err, "this kernel, or a filter around this session, lacks clone3(2); Linux 5.12 or later is needed")
	case errno == unix.EBUSY && inCgroup:
		return hint.With(err, "the cgroup cannot hold processes: see 'sandbox doctor'")
	}
	return err
}

// errGone: the child ended without a word, which a kill from outside explains.
var errGone = errors.New("the app's first process was killed before the app started")

// launchError turns a failed step into words and, where it is known, a way out.
func launchError(step string, errno unix.Errno) error {
	err := fmt.Errorf("cannot %s: %w", step, errno)
	switch errno {
	case unix.ELOOP:
		return hint.With(err, "a symbolic link stands where a real directory must be; remove it, or grant the place it points to")
	case unix.EBADMSG:
		return hint.With(err, "what was found is not what was planned; something changed it during the launch")
	case unix.ENOSPC:
		return hint.With(err, "no space or no more namespaces: see 'sandbox doctor'")
	case unix.EPERM, unix.ENOSYS:
		return hint.With(err, "this kernel or session forbids it: see 'sandbox doctor'")
	}
	return err
}
