package manifest

// nodeKind is the type of a TOML value.
type nodeKind uint8

const (
	tableNode nodeKind = iota + 1
	arrayNode
	stringNode
	integerNode
	floatNode
	booleanNode
	datetimeNode
)

func (k nodeKind) String() string {
	return [...]string{"nothing", "table", "array", "string", "integer", "float", "boolean", "date or time"}[k]
}

// node is a value with the byte ranges of itself and of its key.
type node struct {
	kind           nodeKind
	keyAt, keyEnd  int // last element of the key; equal when there is none
	at, end        int
	text           string // a string's value; of other scalars the raw text
	names          []string
	items          map[string]*node // tables; names gives their order
	elems          []*node          // arrays
	closed         bool             // an inline table or array: no header may add to it
	defined        bool             // a table that had its own header or is written in full
	ofTables       bool             // an array made by [[headers]]
	viaDots        bool             // a table made by a dotted key
	multilineValue bool             // a string written with three quotes
}

func newTable(at, end int) *node {
	return &node{kind: tableNode, at: at, end: end, items: map[string]*node{}}
}

// add puts child under name. The caller has made sure that the name is free.
func (n *node) add(name string, child *node) {
	n.names = append(n.names, name)
	n.items[name] = child
}

// get is the value of a key of a table, or nil.
func (n *node) get(name string) *node {
	if n == nil || n.kind != tableNode {
		return nil
	}
	return n.items[name]
}
