package cli

import (
	"encoding/json"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// WriteJSON prints one JSON document, indented, with a line break at its end.
// Control characters inside strings are escaped by the encoding; the bidi
// controls that it leaves alone are harmless only for programs, so people are
// shown text instead.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Terminal reports whether f is one.
func Terminal(f *os.File) bool {
	// Not Fd: that would switch an fd shared with other programs to blocking.
	c, err := f.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	err = c.Control(func(fd uintptr) {
		_, e := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		is = e == nil
	})
	return is && err == nil
}

// Colour reports whether f may be coloured: a terminal that can, and a user who
// has not said no (https://no-color.org: any value but the empty one).
func Colour(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && Terminal(f)
}

// Columns is the width of the terminal f, 0 when it is unknown.
func Columns(f *os.File) int {
	c, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	columns := 0
	c.Control(func(fd uintptr) {
		if size, e := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); e == nil {
			columns = int(size.Col)
		}
	})
	return columns
}
