// Package hint carries the way out beside an error: commands print
//
//	sandbox: error: cannot …
//	sandbox: hint: …
//
// and every room may attach the second line where it knows one.
package hint

import (
	"errors"
	"fmt"
)

// With returns err carrying a hint. A nil err stays nil.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err: err, hint: fmt.Sprintf(format, args...)}
}

// Of returns the outermost hint in err's chain, or "".
func Of(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
