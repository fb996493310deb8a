package manifest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads the tokens of TOML 1.1 and remembers where they stand. It is
// strict about structure; the exact spelling of numbers and dates is left to
// the decoder, whose verdict every text must also pass (agree.go).
//
// The first fault of syntax ends the scan: err is set, and pos is at the end
// so that every loop stops.
type scanner struct {
	t     *text
	src   []byte
	pos   int
	nodes int // made so far, against maxNodes
	depth int // of arrays and inline tables, against maxDepth
	err   *syntaxError
}

// syntaxError is where and why the scan ended.
type syntaxError struct {
	at, width  int
	text, hint string
}

const (
	// maxDepth is more than any key of Keys needs. It is held before the
	// decoder sees the text, because that one recurses without a limit.
	maxDepth = 8
	maxNodes = 20000
)

func (s *scanner) fail(at, width int, hint, format string, args ...any) {
	if s.err == nil {
		s.err = &syntaxError{at: at, width: width, text: fmt.Sprintf(format, args...), hint: hint}
	}
	s.pos = len(s.src)
}

// peek is the next byte, or 0 at the end; a NUL in the text was refused before.
func (s *scanner) peek() byte {
	if s.pos >= len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) has(prefix string) bool {
	return bytes.HasPrefix(s.src[s.pos:], []byte(prefix))
}

func (s *scanner) accept(prefix string) bool {
	if !s.has(prefix) {
		return false
	}
	s.pos += len(prefix)
	return true
}

func (s *scanner) spaces() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.pos++
	}
}

// blank skips spaces, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		case '#':
			s.comment()
		default:
			return
		}
	}
}

func (s *scanner) comment() {
	if i := bytes.IndexByte(s.src[s.pos:], '\n'); i >= 0 {
		s.pos += i
		return
	}
	s.pos = len(s.src)
}

// lineEnd wants nothing more on this line.
func (s *scanner) lineEnd(after string) {
	s.spaces()
	switch s.peek() {
	case '#':
		s.comment()
	case '\r', '\n':
	default:
		if s.pos < len(s.src) {
			s.fail(s.pos, 1, "each key stands on a line of its own", "unexpected %s after %s", s.here(), after)
		}
	}
}

// here names the next character for an error.
func (s *scanner) here() string {
	if s.pos >= len(s.src) {
		return "end of file"
	}
	r, _ := utf8.DecodeRune(s.src[s.pos:])
	if r == '\n' || r == '\r' {
		return "end of line"
	}
	return strconv.Quote(string(r))
}

// keyPart is one element of a dotted key.
type keyPart struct {
	name    string
	at, end int
}

// key reads a dotted key.
func (s *scanner) key() []keyPart {
	var parts []keyPart
	for s.err == nil {
		s.spaces()
		at := s.pos
		var name string
		switch s.peek() {
		case '"':
			name = s.basicString()
		case '\'':
			name = s.literalString()
		default:
			name = s.bareKey()
		}
		parts = append(parts, keyPart{name, at, s.pos})
		if len(parts) > maxDepth {
			s.fail(at, 1, "", "key has more than %d parts", maxDepth)
		}
		s.spaces()
		if !s.accept(".") {
			break
		}
	}
	return parts
}

func (s *scanner) bareKey() string {
	at := s.pos
	for isBare(s.peek()) {
		s.pos++
	}
	if s.pos == at {
		s.fail(at, 1, "a key with other characters than A-Z a-z 0-9 _ - must be in quotes", "expected a key but found %s", s.here())
	}
	return string(s.src[at:min(s.pos, len(s.src))])
}

func isBare(b byte) bool { return isAlnum(rune(b)) || b == '_' || b == '-' }

// value reads any value; its key is the caller's.
func (s *scanner) value() *node {
	s.nodes++
	if s.nodes > maxNodes {
		s.fail(s.pos, 1, "", "more than %d values", maxNodes)
	}
	n := &node{at: s.pos}
	switch s.peek() {
	case '"':
		n.kind = stringNode
		if n.multilineValue = s.has(`"""`); n.multilineValue {
			n.text = s.multilineBasic()
		} else {
			n.text = s.basicString()
		}
	case '\'':
		n.kind = stringNode
		if n.multilineValue = s.has(`'''`); n.multilineValue {
			n.text = s.multilineLiteral()
		} else {
			n.text = s.literalString()
		}
	case '[':
		s.nested(func() { s.array(n) })
	case '{':
		s.nested(func() { s.inlineTable(n) })
	default:
		s.scalar(n)
	}
	n.end = s.pos
	return n
}

// nested runs read one level deeper.
func (s *scanner) nested(read func()) {
	s.depth++
	if s.depth > maxDepth {
		s.fail(s.pos, 1, "", "values are nested more than %d deep", maxDepth)
		return
	}
	read()
	s.depth--
}

func (s *scanner) array(n *node) {
	n.kind, n.closed = arrayNode, true
	s.pos++
	for s.err == nil {
		s.blank()
		if s.accept("]") {
			return
		}
		n.elems = append(n.elems, s.value())
		s.blank()
		if s.accept(",") || s.err != nil {
			continue
		}
		if !s.has("]") {
			s.fail(s.pos, 1, "", "expected \",\" or \"]\" in the array but found %s", s.here())
		}
	}
}

func (s *scanner) inlineTable(n *node) {
	*n = *newTable(n.at, n.end)
	s.pos++
	for s.err == nil {
		s.blank()
		if s.accept("}") {
			break
		}
		s.keyValue(n)
		s.blank()
		if s.accept(",") || s.err != nil {
			continue
		}
		if !s.has("}") {
			s.fail(s.pos, 1, "", "expected \",\" or \"}\" in the table but found %s", s.here())
		}
	}
	closeTable(n)
}

// closeTable forbids later headers to add to an inline table or to the tables
// that dotted keys made inside it.
func closeTable(n *node) {
	n.closed = true
	for _, child := range n.items {
		if child.kind == tableNode && !child.closed {
			closeTable(child)
		}
	}
}

// scalar reads a number, boolean, date or time.
func (s *scanner) scalar(n *node) {
	s.word()
	if s.pos == n.at+len("2006-01-02") && s.src[n.at+4] == '-' && s.peek() == ' ' &&
		s.pos+1 < len(s.src) && isDigit(s.src[s.pos+1]) {
		s.pos++
		s.word()
	}
	n.text = string(s.src[n.at:s.pos])
	n.kind = scalarKind(n.text)
	switch {
	case n.text == "":
		s.fail(n.at, 1, "", "expected a value but found %s", s.here())
	case n.kind == 0:
		s.fail(n.at, len(n.text), fmt.Sprintf("text must be in quotes: %q", n.text), "expected a value but found %q", n.text)
	}
}

func (s *scanner) word() {
	for isBare(s.peek()) || s.peek() == '+' || s.peek() == '.' || s.peek() == ':' {
		s.pos++
	}
}

// scalarKind tells the types apart; the decoder judges the spelling.
func scalarKind(word string) nodeKind {
	body := strings.TrimLeft(word, "+-")
	switch {
	case word == "true" || word == "false":
		return booleanNode
	case body == "inf" || body == "nan":
		return floatNode
	case body == "" || !isDigit(body[0]):
		return 0
	case strings.HasPrefix(body, "0x") || strings.HasPrefix(body, "0o") || strings.HasPrefix(body, "0b"):
		return integerNode
	case len(body) > 2 && body[2] == ':' || len(body) > 4 && body[4] == '-' && !strings.ContainsAny(body[:4], ".eE"):
		return datetimeNode
	case strings.ContainsAny(body, ".eE"):
		return floatNode
	}
	return integerNode
}
