package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A shape is what a type wants of a value: which keys, and what below them. The
// nil shape wants nothing in particular.
type shape struct {
	keys     map[string]*shape // of a struct
	fields   map[string]int    // and the field of each
	elem     *shape            // of a slice, array or map
	closed   bool              // no keys but these
	nullable bool
	how      filling
}

func (s *shape) key(name []byte) (*shape, error) {
	if s == nil {
		return nil, nil
	}
	if !s.closed {
		return s.elem, nil
	}
	inner, ok := s.keys[string(name)]
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
		return &shape{how: textual}
	}
	how := fillingOf(t)
	switch t.Kind() {
	case reflect.Pointer:
		s := *orEmpty(shapeOf(t.Elem()))
		s.nullable = true
		return &s
	case reflect.Interface:
		return nil
	case reflect.Slice, reflect.Array, reflect.Map:
		return &shape{elem: shapeOf(t.Elem()), how: how}
	case reflect.Struct:
		s := &shape{keys: map[string]*shape{}, fields: map[string]int{}, closed: true, how: how}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			s.keys[name], s.fields[name] = shapeOf(f.Type), i
		}
		return s
	}
	return &shape{how: how}
}

func orEmpty(s *shape) *shape {
	if s == nil {
		return &shape{}
	}
	return s
}
