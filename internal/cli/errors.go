package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
)

// Exit codes. A verb that runs an app returns the app's own status besides.
const (
	OK         = 0
	Failed     = 1
	UsageError = 2
	NotStarted = 125 // run and enter: the app was never started
	NotExec    = 126 // its program cannot be executed
	NotFound   = 127 // there is no such program
	Signalled  = 128 // plus the signal's number
)

// ExitCodes is how help explains them.
const ExitCodes = `0      done
1      failed
2      wrong usage
125    run, enter: the app was not started
126    run, enter: its program cannot be executed
127    run, enter: there is no such program
128+N  signal N ended it; run, enter: every other status is the app's own`

// Status is an error that carries the exit code. With a nil Err nothing is
// printed: all has been said, or it is the app's own status.
type Status struct {
	Code int
	Err  error
}

func (s Status) Error() string {
	if s.Err == nil {
		return fmt.Sprintf("exit status %d", s.Code)
	}
	return s.Err.Error()
}

func (s Status) Unwrap() error { return s.Err }

// Exit gives err the exit code; a nil err stays nil.
func Exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return Status{code, err}
}

// Usagef is an error of the command line, with a hint where it is not "".
func Usagef(way, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if way != "" {
		err = hint.With(err, "%s", way)
	}
	return Status{UsageError, err}
}

// Report prints err, one line for each error joined in it, the hint below, and
// returns the exit code.
func Report(w io.Writer, err error) int {
	if err == nil {
		return OK
	}
	code := Failed
	if s, ok := errors.AsType[Status](err); ok {
		code = s.Code
		if s.Err == nil {
			return code
		}
	}
	for _, e := range split(err) {
		fmt.Fprintf(w, "sandbox: error: %s\n", safe.Text(strings.ReplaceAll(e.Error(), "\n", "; "))) // joined below a text of its own
		if way := hint.Of(e); way != "" {
			fmt.Fprintf(w, "sandbox: hint: %s\n", safe.Text(way))
		}
	}
	return code
}

// Warn prints a line that is not the reason of a failure.
func Warn(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "sandbox: warning: %s\n", safe.Text(fmt.Sprintf(format, args...)))
}

// Note prints a line about what is going on.
func Note(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "sandbox: %s\n", safe.Text(fmt.Sprintf(format, args...)))
}

// split takes joined errors apart. An error that wraps several under a text of
// its own stays whole.
func split(err error) []error {
	if s, ok := err.(Status); ok {
		return split(s.Err)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	for _, e := range joined.Unwrap() {
		parts = append(parts, split(e)...)
	}
	if errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	return parts
}
