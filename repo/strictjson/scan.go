package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep values may nest: the deepest document of the format has
// seven levels.
const maxDepth = 32

var (
	errEnd    = errors.New("unexpected end of JSON")
	errSyntax = errors.New("not JSON")
)

// scanner walks over one value and checks it against a shape.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) value(want *shape, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d levels deep", maxDepth)
	}
	s.space()
	switch c := s.peek(); {
	case c == '{':
		return s.object(want, depth)
	case c == '[':
		return s.array(want, depth)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		if want != nil && !want.nullable {
			return errors.New("null where a value belongs")
		}
		return s.word("null")
	case s.at >= len(s.data):
		return errEnd
	}
	return errSyntax
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.data[s.at:], []byte(w)) {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// number leaves the finer points of the grammar to the decoder that follows.
func (s *scanner) number() error {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.at++
		default:
			return nil
		}
	}
	return nil
}

func (s *scanner) object(want *shape, depth int) error {
	s.at++
	s.space()
	if s.take('}') {
		return nil
	}
	var few [16]string
	seen := few[:0]
	var many map[string]bool
	for {
		s.space()
		if s.peek() != '"' {
			return errSyntax
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		switch {
		case many != nil:
			if many[key] {
				return fmt.Errorf("key %q stands there twice", key)
			}
			many[key] = true
		default:
			for _, k := range seen {
				if k == key {
					return fmt.Errorf("key %q stands there twice", key)
				}
			}
			if seen = append(seen, key); len(seen) == len(few) {
				many = map[string]bool{}
				for _, k := range seen {
					many[k] = true
				}
			}
		}
		inner, err := want.key(key)
		if err != nil {
			return err
		}
		s.space()
		if !s.take(':') {
			return errSyntax
		}
		if err := s.value(inner, depth+1); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		s.space()
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

func (s *scanner) array(want *shape, depth int) error {
	s.at++
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(want.element(), depth+1); err != nil {
			return err
		}
		s.space()
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

// text reads a string. What it returns is right for strings without escapes;
// a key with an escape is refused, since nobody needs one and it would be a
// second spelling of the same key.
func (s *scanner) text() (string, error) {
	s.at++
	start := s.at
	escaped := false
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			raw := s.data[start:s.at]
			s.at++
			if !utf8.Valid(raw) {
				return "", errors.New("text that is not UTF-8")
			}
			if escaped {
				return "\\", nil // no key of any shape; see shape.key
			}
			return string(raw), nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return "", err
			}
		case c < 0x20:
			return "", errors.New("a control character in a text")
		default:
			s.at++
		}
	}
	return "", errEnd
}

// escape checks one escape. Half of a surrogate pair would become U+FFFD, and
// NUL ends a text for programs in C (CVE-2021-43860).
func (s *scanner) escape() error {
	if s.at+1 >= len(s.data) {
		return errEnd
	}
	switch c := s.data[s.at+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
	default:
		return errSyntax
	}
	r, err := s.unit()
	switch {
	case err != nil:
		return err
	case r == 0:
		return errors.New("a NUL in a text")
	case r >= 0xdc00 && r <= 0xdfff:
		return errors.New("half a surrogate pair in a text")
	case r >= 0xd800 && r <= 0xdbff:
		low, err := s.unit()
		if err != nil || low < 0xdc00 || low > 0xdfff {
			return errors.New("half a surrogate pair in a text")
		}
	}
	return nil
}

// unit reads \uXXXX.
func (s *scanner) unit() (rune, error) {
	if s.at+6 > len(s.data) || s.data[s.at] != '\\' || s.data[s.at+1] != 'u' {
		return 0, errSyntax
	}
	var r rune
	for _, c := range s.data[s.at+2 : s.at+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, errSyntax
		}
	}
	s.at += 6
	return r, nil
}
