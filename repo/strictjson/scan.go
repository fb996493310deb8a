package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// maxDepth is how deep values may nest: the deepest document of the format has
// seven levels.
const maxDepth = 32

var (
	errEnd    = errors.New("unexpected end of JSON")
	errSyntax = errors.New("not JSON")
)

// scanner walks over one value, checks it against a shape and fills what has it.
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

// value reads a value into what has the shape; into nothing when into is not valid.
// What the shape cannot fill is left to the standard decoder.
func (s *scanner) value(want *shape, into reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d levels deep", maxDepth)
	}
	s.space()
	start := s.at
	filled, err := s.fill(want, into, depth)
	if err != nil || filled || !into.IsValid() {
		return err
	}
	return json.Unmarshal(s.data[start:s.at], into.Addr().Interface())
}

// fill walks over a value and tells whether into has it now.
func (s *scanner) fill(want *shape, into reflect.Value, depth int) (filled bool, err error) {
	how := want.filledBy(into)
	if how == pointer && s.peek() != 'n' {
		p := reflect.New(into.Type().Elem())
		into.Set(p)
		into, how = p.Elem(), want.how
	}
	switch c := s.peek(); {
	case c == '{':
		if how != members && how != entries {
			into = reflect.Value{}
		}
		return into.IsValid(), s.object(want, into, depth)
	case c == '[':
		if how != elements {
			into = reflect.Value{}
		}
		return into.IsValid(), s.array(want, into, depth)
	case c == '"':
		raw, plain, err := s.text()
		if err != nil || !plain {
			return false, err
		}
		return fillText(how, into, raw)
	case c == '-' || c >= '0' && c <= '9':
		return fillNumber(how, into, s.number()), nil
	case c == 't':
		return fillBool(how, into, true), s.word("true")
	case c == 'f':
		return fillBool(how, into, false), s.word("false")
	case c == 'n':
		if want != nil && !want.nullable {
			return false, errors.New("null where a value belongs")
		}
		return false, s.word("null")
	case s.at >= len(s.data):
		return false, errEnd
	}
	return false, errSyntax
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.data[s.at:], []byte(w)) {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// number leaves the finer points of the grammar to who reads it.
func (s *scanner) number() []byte {
	start := s.at
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.at++
		default:
			return s.data[start:s.at]
		}
	}
	return s.data[start:]
}

func (s *scanner) object(want *shape, into reflect.Value, depth int) error {
	s.at++
	entry := newEntry(into)
	s.space()
	if s.take('}') {
		return nil
	}
	var keys keySet
	for {
		s.space()
		if s.peek() != '"' {
			return errSyntax
		}
		key, err := s.key(&keys)
		if err != nil {
			return err
		}
		inner, err := want.key(key)
		if err != nil {
			return err
		}
		s.space()
		if !s.take(':') {
			return errSyntax
		}
		if err := s.value(inner, entry.of(want, key), depth+1); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		entry.done(key)
		s.space()
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

// key reads a key, which has no escape: nobody needs one, and it would be a second
// spelling of the same key.
func (s *scanner) key(seen *keySet) ([]byte, error) {
	key, plain, err := s.text()
	switch {
	case err != nil:
		return nil, err
	case !plain:
		return nil, errors.New("a key with an escape")
	case !seen.add(key):
		return nil, fmt.Errorf("key %q stands there twice", key)
	}
	return key, nil
}

// keySet is the keys of an object, few in most.
type keySet struct {
	few  [16][]byte
	n    int
	many map[string]bool
}

// add tells whether a key is new.
func (k *keySet) add(key []byte) bool {
	if k.many != nil {
		if k.many[string(key)] {
			return false
		}
		k.many[string(key)] = true
		return true
	}
	for _, known := range k.few[:k.n] {
		if bytes.Equal(known, key) {
			return false
		}
	}
	k.few[k.n] = key
	if k.n++; k.n == len(k.few) {
		k.many = map[string]bool{}
		for _, known := range k.few {
			k.many[string(known)] = true
		}
	}
	return true
}

func (s *scanner) array(want *shape, into reflect.Value, depth int) error {
	s.at++
	if into.IsValid() {
		into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	}
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(want.element(), grown(into), depth+1); err != nil {
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

// text reads a string. It is what stands there, plain, when there is no escape in it.
func (s *scanner) text() (raw []byte, plain bool, err error) {
	s.at++
	start := s.at
	plain = true
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			raw := s.data[start:s.at]
			s.at++
			if !utf8.Valid(raw) {
				return nil, false, errors.New("text that is not UTF-8")
			}
			return raw, plain, nil
		case c == '\\':
			plain = false
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < 0x20:
			return nil, false, errors.New("a control character in a text")
		default:
			s.at++
		}
	}
	return nil, false, errEnd
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
