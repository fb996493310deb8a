package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A shape is what a type wants of a value: which keys, and what below them. The
// nil shape wants nothing in particular.
type shape struct {
	keys     map[string]*shape // of a struct
	elem     *shape            // of a slice, array or map
	closed   bool              // no keys but these
	nullable bool
}

func (s *shape) key(name string) (*shape, error) {
	if name == "\\" {
		return nil, errors.New("a key with an escape")
	}
	if s == nil {
		return nil, nil
	}
	if !s.closed {
		return s.elem, nil
	}
	inner, ok := s.keys[name]
	if !ok {
		return nil, fmt.Errorf("unknown key %q", name)
	}
	return inner, nil
}

func (s *shape) element() *shape {
	if s == nil {
		return nil
	}
	return s.elem
}

var shapes sync.Map // reflect.Type → *shape

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	s := makeShape(t)
	shapes.Store(t, s)
	return s
}

var (
	jsonType = reflect.TypeFor[json.Unmarshaler]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func makeShape(t reflect.Type) *shape {
	if p := reflect.PointerTo(t); p.Implements(jsonType) {
		return nil
	} else if p.Implements(textType) {
		return &shape{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := *orEmpty(shapeOf(t.Elem()))
		s.nullable = true
		return &s
	case reflect.Interface:
		return nil
	case reflect.Slice, reflect.Array, reflect.Map:
		return &shape{elem: shapeOf(t.Elem())}
	case reflect.Struct:
		s := &shape{keys: map[string]*shape{}, closed: true}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			s.keys[name] = shapeOf(f.Type)
		}
		return s
	}
	return &shape{}
}

func orEmpty(s *shape) *shape {
	if s == nil {
		return &shape{}
	}
	return s
}
