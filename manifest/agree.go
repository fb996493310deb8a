package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// agree lets the decoder read the text too and compares the two readings, so
// that a value can never be shown as one thing and used as another.
func agree(t *text, root *node) {
	tree, err := decode(t.data)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		t.problem(syntax.Position.Start, max(1, syntax.Position.Len), lowerFirst(syntax.Message), "")
	case err != nil:
		t.problem(0, 0, err.Error(), "")
	default:
		if n, ok := same(root, tree); !ok {
			t.problem(n.at, n.end-n.at, "value can be read in two ways", "write it in a simpler form")
		}
	}
}

// decode is toml.Decode into a generic tree, with its panics as errors.
func decode(data []byte) (tree map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: toml: %v", r)
		}
	}()
	_, err = toml.Decode(string(data), &tree)
	return tree, err
}

// same compares a node with the decoder's value for it, and gives the first
// node at which they differ.
func same(n *node, value any) (*node, bool) {
	switch v := value.(type) {
	case map[string]any:
		return sameTable(n, v)
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return sameArray(n, list)
	case []any:
		return sameArray(n, v)
	case string:
		return n, n.kind == stringNode && n.text == v
	case bool:
		return n, n.kind == booleanNode && n.text == fmt.Sprint(v)
	case int64:
		number, err := strconv.ParseInt(n.text, 0, 64)
		return n, n.kind == integerNode && err == nil && number == v
	case float64:
		return n, n.kind == floatNode
	case time.Time:
		return n, n.kind == datetimeNode
	}
	return n, false
}

func sameTable(n *node, table map[string]any) (*node, bool) {
	if n.kind != tableNode || len(n.items) != len(table) {
		return n, false
	}
	for _, name := range n.names {
		value, ok := table[name]
		if !ok {
			return n.items[name], false
		}
		if bad, ok := same(n.items[name], value); !ok {
			return bad, false
		}
	}
	return n, true
}

func sameArray(n *node, list []any) (*node, bool) {
	if n.kind != arrayNode || len(n.elems) != len(list) {
		return n, false
	}
	for i, elem := range n.elems {
		if bad, ok := same(elem, list[i]); !ok {
			return bad, false
		}
	}
	return n, true
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
