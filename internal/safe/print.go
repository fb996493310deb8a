package safe

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// Sprintf is fmt.Sprintf with every argument that prints as text (a string, a
// byte slice, an error, a Stringer) passed through Text first. The format is
// the caller's own and is not touched.
func Sprintf(format string, args ...any) string {
	clean := make([]any, len(args))
	for i, a := range args {
		clean[i] = argument(a)
	}
	return fmt.Sprintf(format, clean...)
}

// Line writes one line: Sprintf and a line feed, in a single Write.
func Line(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, Text(Sprintf(format, args...))+"\n")
	return err
}

// Numbers and bools print as themselves; anything that could carry text is
// made text here, so that no nested field slips through %v.
func argument(a any) any {
	switch v := a.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr, float32, float64:
		return v
	case string:
		return Text(v)
	case []byte:
		return Text(string(v))
	}
	return Text(fmt.Sprint(a))
}

// NewWriter returns a writer that passes text on with Lines applied, for the
// output of programs that are not ours (build steps, logs). A character split
// between two writes is held back until it is whole; call Flush at the end.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, esc: escaper{keepLF: true}} }

// Writer is not safe for use by several goroutines at once.
type Writer struct {
	w    io.Writer
	rest []byte
	esc  escaper
}

// Write reports len(p) when all of it was taken, as io.Writer demands, however
// long the escaped form is.
func (w *Writer) Write(p []byte) (int, error) {
	data := append(w.rest, p...)
	for len(data) > 0 && utf8.FullRune(data) {
		r, n := utf8.DecodeRune(data)
		w.esc.add(r, string(data[:n]))
		data = data[n:]
	}
	w.rest = append([]byte(nil), data...)
	if err := w.send(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what an unfinished character left behind.
func (w *Writer) Flush() error {
	for _, c := range w.rest {
		w.esc.put(hexByte(c))
	}
	w.rest = nil
	return w.send()
}

func (w *Writer) send() error {
	s := w.esc.b.String()
	w.esc.b.Reset()
	_, err := io.WriteString(w.w, s)
	return err
}
