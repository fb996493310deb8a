package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sandbox/internal/safe"
)

// A keyFile is one group of a desktop entry, a service file or a cache: lines
// "key=value" in order, as the Desktop Entry Specification writes them. It is
// the only way by which such files are written here, so that no value can start
// a line or a group of its own.
type keyFile struct{ b strings.Builder }

func (k *keyFile) group(name string) { fmt.Fprintf(&k.b, "[%s]\n", name) }

// set writes a value of type string: what is special in one is escaped.
func (k *keyFile) set(key, value string) {
	k.b.WriteString(key + "=" + escapeValue(value) + "\n")
}

// list writes a value of type string(s), each ended by a semicolon.
func (k *keyFile) list(key string, values []string) {
	k.b.WriteString(key + "=")
	for _, v := range values {
		k.b.WriteString(strings.ReplaceAll(escapeValue(v), ";", `\;`) + ";")
	}
	k.b.WriteByte('\n')
}

func (k *keyFile) bytes() []byte { return []byte(k.b.String()) }

var valueEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func escapeValue(v string) string {
	v = valueEscaper.Replace(v)
	if strings.HasPrefix(v, " ") {
		v = `\s` + v[1:]
	}
	return v
}

func unescapeValue(v string) string {
	if !strings.Contains(v, `\`) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		switch v[i] {
		case 's':
			b.WriteByte(' ')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		default: // "\\" and "\;", and what the specification does not know
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

// splitList takes a value of type string(s) apart.
func splitList(v string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, unescapeValue(b.String()))
		}
		b.Reset()
	}
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '\\' && i+1 < len(v):
			b.WriteString(v[i : i+2])
			i++
		case v[i] == ';':
			flush()
		default:
			b.WriteByte(v[i])
		}
	}
	flush()
	return out
}

// quoteExec writes words as the value of Exec, by the two rules of the
// specification: quoting of an argument first, then escapes of a string, and a
// percent sign twice, since it starts a field code.
func quoteExec(words ...string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
			return "", fmt.Errorf("%q holds a control character", w)
		}
		if i == 0 && strings.Contains(w, "=") {
			return "", fmt.Errorf("the path of a program in a desktop entry cannot hold '=': %q", w)
		}
		quoted[i] = strings.ReplaceAll(w, "%", "%%")
		if w == "" || strings.ContainsAny(w, " \"'\\><~|&;$*?#()`") {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`).Replace(quoted[i]) + `"`
		}
	}
	return strings.Join(quoted, " "), nil
}

// readEntry gives the pairs of one group of a foreign key file. Values stay as
// they are written. A group or key that stands there twice is an error: readers
// differ in which of the two they believe.
func readEntry(data []byte, group string) (map[string]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	var pairs map[string]string
	in, groups := false, []string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			name := strings.TrimSuffix(line[1:], "]")
			if slices.Contains(groups, name) {
				return nil, fmt.Errorf("has the group %q twice", name)
			}
			groups = append(groups, name)
			if in = name == group; in {
				pairs = map[string]string{}
			}
		case in:
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				return nil, fmt.Errorf("has the line %q", line)
			}
			key, value = strings.TrimRight(key, " "), strings.TrimLeft(value, " ")
			if _, twice := pairs[key]; twice {
				return nil, fmt.Errorf("has the key %q twice", key)
			}
			pairs[key] = value
		}
	}
	if pairs == nil {
		return nil, fmt.Errorf("has no group [%s]", group)
	}
	return pairs, nil
}

// shown reports whether text may be shown by a desktop as it is: one line, not
// too long, of characters that draw something.
func shown(text string, limit int) bool {
	if text == "" || len(text) > limit || !utf8.ValidString(text) || text != safe.Text(text) {
		return false
	}
	for _, r := range text {
		if !safe.Rune(r) {
			return false
		}
	}
	return strings.TrimSpace(text) == text
}
