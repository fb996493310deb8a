package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Unmarshal reads exactly one value into what v points to. The types below v
// say with json tags which keys there are; recursive and embedded types are not
// supported. A json.RawMessage, an interface or a type with an UnmarshalJSON of
// its own takes any value that has no key twice.
func Unmarshal(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("internal error: strictjson.Unmarshal into no pointer")
	}
	return scan(data, shapeOf(p.Type().Elem()), p.Elem())
}

// Check tells whether data is one JSON value with no key twice in any object,
// no broken text and nothing after it. It is for documents that another
// library decodes.
func Check(data []byte) error {
	if err := scan(data, nil, reflect.Value{}); err != nil {
		return err
	}
	if !json.Valid(data) {
		return errSyntax
	}
	return nil
}

func scan(data []byte, want *shape, into reflect.Value) error {
	s := &scanner{data: data}
	if err := s.value(want, into, 1); err != nil {
		return fmt.Errorf("byte %d: %w", s.at, err)
	}
	s.space()
	if s.at != len(data) {
		return fmt.Errorf("byte %d: something follows the value", s.at)
	}
	return nil
}
