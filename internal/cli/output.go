package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sandbox/internal/safe"
)

// WriteJSON prints one JSON document, indented, with a line break at its end.
// What a terminal would act upon is escaped: the encoding does so with the control
// characters below U+0020 alone, and leaves C1 (U+009B starts a sequence on some
// terminals) and the bidi controls as they are. To a program it reads the same.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(plainJSON(b.Bytes()))
	return err
}

// plainJSON escapes what is not shown as it is. Outside of strings JSON holds
// nothing of that kind but line feeds.
func plainJSON(doc []byte) []byte {
	out := make([]byte, 0, len(doc))
	for _, r := range string(doc) {
		switch {
		case r == '\n' || safe.Rune(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
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

// Size is how much the terminal f holds, 0 when it is unknown.
func Size(f *os.File) (columns, lines int) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, 0
	}
	c.Control(func(fd uintptr) {
		if size, e := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); e == nil {
			columns, lines = int(size.Col), int(size.Row)
		}
	})
	return columns, lines
}
