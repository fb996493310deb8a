package bundle

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// A stanza is one paragraph of Debian's control format (deb822): package
// indexes, control files, the dpkg status. Order is kept; names compare
// without case, as dpkg does.
type stanza []field

type field struct{ name, value string } // value with its continuation lines, as written

func (s stanza) get(name string) string {
	for _, f := range s {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

func (s stanza) without(names ...string) stanza {
	var out stanza
next:
	for _, f := range s {
		for _, n := range names {
			if strings.EqualFold(f.name, n) {
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

func (s stanza) String() string {
	var b strings.Builder
	for _, f := range s {
		b.WriteString(f.name)
		b.WriteByte(':')
		if f.value != "" && f.value[0] != '\n' {
			b.WriteByte(' ')
		}
		b.WriteString(f.value)
		b.WriteByte('\n')
	}
	return b.String()
}

// parseControl reads all stanzas of r, at most max bytes.
func parseControl(r io.Reader, max int64) ([]stanza, error) {
	in := bufio.NewScanner(io.LimitReader(r, max+1))
	in.Buffer(make([]byte, 0, 64<<10), 4<<20)
	var all []stanza
	var cur stanza
	var read int64
	for in.Scan() {
		line := strings.TrimRight(in.Text(), " \t\r")
		if read += int64(len(in.Text())) + 1; read > max+1 {
			return nil, errors.New("control text is too long")
		}
		switch {
		case line == "":
			if cur != nil {
				all, cur = append(all, cur), nil
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if cur == nil {
				return nil, errors.New("control text starts with a continuation line")
			}
			cur[len(cur)-1].value += "\n" + line
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, errors.New("control text has a line that is no field")
			}
			cur = append(cur, field{name, strings.TrimSpace(value)})
		}
	}
	if cur != nil {
		all = append(all, cur)
	}
	return all, in.Err()
}
