package strictjson

import (
	"encoding"
	"encoding/base64"
	"reflect"
	"strconv"
)

// filling is how a value gets into its Go type while it is scanned. Most documents
// are of few simple types; everything else is whole: the standard decoder reads it
// once it was scanned, and so it does what is not of the wanted type, to say so.
type filling uint8

const (
	whole filling = iota
	text
	textual // by its UnmarshalText
	octets  // base64
	integer
	boolean
	elements // of a slice
	members  // of a struct
	entries  // of a map
	pointer
)

func fillingOf(t reflect.Type) filling {
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return boolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer
	case reflect.Struct:
		return members
	case reflect.Map:
		if k := t.Key(); k.Kind() == reflect.String && !reflect.PointerTo(k).Implements(textType) {
			return entries
		}
	case reflect.Slice:
		if e := t.Elem(); e.Kind() != reflect.Uint8 {
			return elements
		} else if p := reflect.PointerTo(e); !p.Implements(jsonType) && !p.Implements(textType) {
			return octets
		}
	}
	return whole
}

// filledBy is how into is filled, which has the shape.
func (s *shape) filledBy(into reflect.Value) filling {
	switch {
	case s == nil || !into.IsValid():
		return whole
	case into.Kind() == reflect.Pointer && s.how != whole:
		return pointer
	}
	return s.how
}

func fillText(how filling, into reflect.Value, raw []byte) (filled bool, err error) {
	switch how {
	case text:
		into.SetString(string(raw))
	case textual:
		return true, into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(raw)
	case octets:
		b := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
		n, err := base64.StdEncoding.Decode(b, raw)
		if err != nil {
			return false, nil
		}
		into.SetBytes(b[:n])
	default:
		return false, nil
	}
	return true, nil
}

// fillNumber fills whole numbers.
func fillNumber(how filling, into reflect.Value, raw []byte) (filled bool) {
	if how != integer || len(raw) > 1 && (raw[0] == '0' || raw[0] == '-' && raw[1] == '0') {
		return false // no number begins like this, or an odd one
	}
	if into.CanInt() {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || into.OverflowInt(n) {
			return false
		}
		into.SetInt(n)
		return true
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || into.OverflowUint(n) {
		return false
	}
	into.SetUint(n)
	return true
}

func fillBool(how filling, into reflect.Value, b bool) (filled bool) {
	if how == boolean {
		into.SetBool(b)
	}
	return how == boolean
}

// grown is a new last element of a slice.
func grown(slice reflect.Value) reflect.Value {
	if !slice.IsValid() {
		return slice
	}
	n := slice.Len()
	slice.Grow(1)
	slice.SetLen(n + 1)
	last := slice.Index(n)
	last.SetZero()
	return last
}

// entry is where the values of an object go: the fields of a struct or the values
// of a map, or nowhere.
type entry struct {
	into  reflect.Value
	value reflect.Value // of a map, until it is put there
}

func newEntry(into reflect.Value) entry {
	if into.IsValid() && into.Kind() == reflect.Map && into.IsNil() {
		into.Set(reflect.MakeMap(into.Type()))
	}
	return entry{into: into}
}

func (e *entry) of(want *shape, key []byte) reflect.Value {
	switch {
	case !e.into.IsValid():
		return reflect.Value{}
	case e.into.Kind() == reflect.Map:
		e.value = reflect.New(e.into.Type().Elem()).Elem()
		return e.value
	}
	return e.into.Field(want.fields[string(key)])
}

func (e *entry) done(key []byte) {
	if e.value.IsValid() {
		e.into.SetMapIndex(reflect.ValueOf(string(key)).Convert(e.into.Type().Key()), e.value)
	}
}
