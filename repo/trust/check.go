package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const maxDepth = 12

// fields are the names that the metadata format gives a meaning. encoding/json
// finds them in any spelling of upper and lower case; here only this one counts.
var fields = func() map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(`signed signatures keyid sig _type spec_version consistent_snapshot version expires keys roles
		keyids threshold keytype scheme keyval public meta length hashes sha256 targets custom delegations name terminating
		paths path_hash_prefixes succinct_roles bit_length name_prefix root snapshot timestamp`) {
		m[f] = f
	}
	return m
}()

// checkShape refuses what could be read in two ways or upset the library: a
// name twice in an object or in another case, null, fractions, deep nesting,
// anything after the end. It says nothing about meaning.
func checkShape(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return shapeError(err)
	}
	if t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	if err := checkObject(d, "", 1); err != nil {
		return shapeError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

func shapeError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func checkObject(d *json.Decoder, parent string, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder gives nothing else here
		folded := key
		if parent != "targets" { // paths there, of names that may differ by case
			folded = strings.ToLower(key)
			if want, ok := fields[folded]; ok && want != key {
				return fmt.Errorf("it writes %q as %q", want, key)
			}
		}
		if seen[folded] {
			return fmt.Errorf("it says %q twice", key)
		}
		seen[folded] = true
		if err := checkValue(d, key, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func checkValue(d *json.Decoder, parent string, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case nil:
		return fmt.Errorf("%q is null", parent)
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return fmt.Errorf("%q is not a whole number", parent)
		}
	case json.Delim:
		if depth >= maxDepth {
			return errors.New("it is nested too deeply")
		}
		if v == '{' {
			return checkObject(d, parent, depth+1)
		}
		for d.More() {
			if err := checkValue(d, parent, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}
