package manifest

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// basicString reads "…" on one line.
func (s *scanner) basicString() string {
	at := s.pos
	var b strings.Builder
	s.pos++
	for s.err == nil {
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			return b.String()
		case c == '\\':
			s.escape(&b)
		case c == '\n' || c == '\r' || s.pos >= len(s.src):
			s.fail(at, s.pos-at, "close it with \" on the same line", "string is not closed")
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	return ""
}

// literalString reads '…' on one line.
func (s *scanner) literalString() string {
	at := s.pos
	rest := s.src[at+1:]
	end := bytes.IndexAny(rest, "'\r\n")
	if end < 0 || rest[end] != '\'' {
		s.fail(at, 1, "close it with ' on the same line", "string is not closed")
		return ""
	}
	s.pos = at + 1 + end + 1
	return string(rest[:end])
}

// multilineBasic reads """…""".
func (s *scanner) multilineBasic() string {
	at := s.pos
	var b strings.Builder
	s.pos += 3
	s.firstNewline()
	for s.err == nil {
		switch {
		case s.pos >= len(s.src):
			s.fail(at, 3, `close it with """`, "string is not closed")
		case s.has(`"""`):
			return b.String() + s.closingQuotes('"')
		case s.peek() == '\\' && s.continuation():
		case s.peek() == '\\':
			s.escape(&b)
		default:
			b.WriteByte(s.peek())
			s.pos++
		}
	}
	return ""
}

// multilineLiteral reads three single quotes up to the next three.
func (s *scanner) multilineLiteral() string {
	at := s.pos
	s.pos += 3
	s.firstNewline()
	end := bytes.Index(s.src[s.pos:], []byte("'''"))
	if end < 0 {
		s.fail(at, 3, "close it with '''", "string is not closed")
		return ""
	}
	body := string(s.src[s.pos : s.pos+end])
	s.pos += end
	return body + s.closingQuotes('\'')
}

// closingQuotes reads the three quotes that end a string, and before them up
// to two that belong to it, which it returns.
func (s *scanner) closingQuotes(quote byte) string {
	n := 0
	for n < 5 && s.pos+n < len(s.src) && s.src[s.pos+n] == quote {
		n++
	}
	s.pos += n
	return strings.Repeat(string(quote), n-3)
}

func (s *scanner) firstNewline() {
	if !s.accept("\n") {
		s.accept("\r\n")
	}
}

// continuation skips a backslash at the end of a line with all white space
// that follows; false when the backslash is none of that sort.
func (s *scanner) continuation() bool {
	rest := s.src[s.pos+1:]
	text := bytes.TrimLeft(rest, " \t\r\n")
	if !bytes.ContainsRune(rest[:len(rest)-len(text)], '\n') {
		return false
	}
	s.pos = len(s.src) - len(text)
	return true
}

// escape reads a backslash and what follows it.
func (s *scanner) escape(b *strings.Builder) {
	const simple = "btnfre\"\\"
	const meaning = "\b\t\n\f\r\x1b\"\\"
	at := s.pos
	s.pos++
	c := s.peek()
	if i := strings.IndexByte(simple, c); i >= 0 && c != 0 {
		b.WriteByte(meaning[i])
		s.pos++
		return
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	s.pos++
	if digits == 0 || s.pos+digits > len(s.src) {
		s.fail(at, 2, `write \\ for a backslash, or use single quotes`, "unknown escape in a string")
		return
	}
	code, err := strconv.ParseUint(string(s.src[s.pos:s.pos+digits]), 16, 32)
	if err != nil || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
		s.fail(at, digits+2, "", "escape is not a Unicode character")
		return
	}
	b.WriteRune(rune(code))
	s.pos += digits
}
