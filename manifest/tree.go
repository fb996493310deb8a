package manifest

import "fmt"

// scan reads a whole text into a tree. Keys that are defined twice are recorded
// as problems and the first one kept; a fault of syntax ends the scan.
func scan(t *text) (*node, *syntaxError) {
	s := &scanner{t: t, src: t.data}
	root := newTable(0, 0)
	table := root
	for s.blank(); s.pos < len(s.src); s.blank() {
		if s.has("[") {
			table = s.header(root)
		} else {
			s.keyValue(table)
			s.lineEnd("the value")
		}
	}
	return root, s.err
}

// header reads [a.b] or [[a.b]] and gives the table that it opens.
func (s *scanner) header(root *node) *node {
	at := s.pos
	array := s.accept("[[")
	closing := "]]"
	if !array {
		s.pos++
		closing = "]"
	}
	parts := s.key()
	if s.err == nil && !s.accept(closing) {
		s.fail(s.pos, 1, "", "expected %q after the table name but found %s", closing, s.here())
	}
	s.lineEnd("the table name")
	s.nodes++
	if s.nodes > maxNodes {
		s.fail(at, 1, "", "more than %d values", maxNodes)
	}
	if s.err != nil {
		return newTable(0, 0)
	}
	last := len(parts) - 1
	parent := s.descend(root, parts[:last])
	if parent == nil {
		return newTable(0, 0)
	}
	if array {
		return s.openArray(parent, parts[last])
	}
	return s.openTable(parent, parts[last])
}

// descend walks to the parent of a header, making tables on the way; through
// an array of tables it goes by its last element.
func (s *scanner) descend(n *node, parts []keyPart) *node {
	for _, part := range parts {
		child := n.items[part.name]
		if child == nil {
			child = s.child(n, part)
		}
		if child.ofTables {
			child = child.elems[len(child.elems)-1]
		}
		if child.kind != tableNode || child.closed {
			s.twice(part, n.items[part.name])
			return nil
		}
		n = child
	}
	return n
}

// child adds an empty table under a key.
func (s *scanner) child(n *node, part keyPart) *node {
	child := newTable(part.at, part.end)
	child.keyAt, child.keyEnd = part.at, part.end
	n.add(part.name, child)
	return child
}

func (s *scanner) openTable(parent *node, part keyPart) *node {
	table := parent.items[part.name]
	switch {
	case table == nil:
		table = s.child(parent, part)
	case table.kind != tableNode || table.defined || table.closed || table.viaDots:
		s.twice(part, table)
		return newTable(0, 0)
	}
	table.defined = true
	return table
}

func (s *scanner) openArray(parent *node, part keyPart) *node {
	array := parent.items[part.name]
	switch {
	case array == nil:
		array = &node{kind: arrayNode, ofTables: true, keyAt: part.at, keyEnd: part.end, at: part.at, end: part.end}
		parent.add(part.name, array)
	case !array.ofTables:
		s.twice(part, array)
		return newTable(0, 0)
	}
	table := newTable(part.at, part.end)
	table.keyAt, table.keyEnd, table.defined = part.at, part.end, true
	array.elems = append(array.elems, table)
	return table
}

// keyValue reads key = value into table.
func (s *scanner) keyValue(table *node) {
	parts := s.key()
	if s.err == nil && !s.accept("=") {
		s.fail(s.pos, 1, quoteHint(s.peek()), "expected \"=\" after the key but found %s", s.here())
	}
	s.spaces()
	if s.err != nil {
		return
	}
	value := s.value()
	if s.err != nil {
		return
	}
	last := parts[len(parts)-1]
	value.keyAt, value.keyEnd = last.at, last.end
	for _, part := range parts[:len(parts)-1] {
		child := table.items[part.name]
		if child == nil {
			child = s.child(table, part)
			child.viaDots = true
		}
		if child.kind != tableNode || child.closed || child.defined {
			s.twice(part, child)
			return
		}
		table = child
	}
	if old := table.items[last.name]; old != nil {
		s.twice(last, old)
		return
	}
	table.add(last.name, value)
}

func quoteHint(next byte) string {
	if next == ':' || next == '/' || next == '~' || next == '*' {
		return "a permission must be in quotes, like \"network:host\""
	}
	return ""
}

// twice reports a key that already has a value.
func (s *scanner) twice(part keyPart, first *node) {
	line := s.t.place(first.keyAt, first.keyEnd).line
	s.t.problem(part.at, part.end-part.at, fmt.Sprintf("key %q is defined twice", part.name),
		fmt.Sprintf("it was first defined on line %d", line))
}
