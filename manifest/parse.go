package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads and checks a manifest. The name is used in positions only. When
// the text is bad the error is Problems, and the manifest is nil.
func Parse(name string, data []byte) (*Manifest, error) {
	t := newText(name, data)
	if len(data) > MaxSize {
		t.src, t.data, t.lines = "", nil, []int{0}
		t.problem(0, 0, fmt.Sprintf("manifest is larger than %d bytes", MaxSize), "")
		return nil, t.result()
	}
	t.checkBytes()
	t.checkLines()
	if err := t.result(); err != nil {
		return nil, err
	}
	root, syntax := scan(t)
	if syntax != nil {
		t.problem(syntax.at, syntax.width, syntax.text, syntax.hint)
		return nil, t.result()
	}
	if len(t.problems) == 0 {
		agree(t, root)
	}
	m := read(t, root)
	if err := t.result(); err != nil {
		return nil, err
	}
	return m, nil
}

// reader turns the tree into a Manifest, key by key along the table of Keys.
type reader struct {
	*text
	keys   []key
	m      *Manifest
	source *Source // the one being read
}

func read(t *text, root *node) *Manifest {
	r := &reader{text: t, keys: keyTable, m: &Manifest{file: t.file, where: map[string]place{}}}
	r.checkStrings(root)
	r.table(root, "", "")
	r.m.setDefaults()
	r.audience(root, "", string(r.m.Kind))
	r.check()
	return r.m
}

// checkStrings holds every key and string of the tree, decoded, to the rule
// that the raw text was held to: an escape is no way around it.
func (r *reader) checkStrings(n *node) {
	if n.kind == stringNode {
		if _, why := badText(n.text, n.multilineValue); why != "" {
			r.bad(n, "", "string holds %s", article(why))
		}
	}
	for _, name := range n.names {
		child := n.items[name]
		if _, why := badText(name, false); why != "" {
			r.badKey(child, "", "key holds %s", article(why))
		}
		r.checkStrings(child)
	}
	for _, elem := range n.elems {
		r.checkStrings(elem)
	}
}

// table reads the keys of a table whose names are fixed. The schema is the
// prefix of their Path in Keys, path the one of their place in the text.
func (r *reader) table(n *node, schema, path string) {
	for _, name := range n.names {
		if len(r.problems) >= maxProblems {
			return
		}
		child := n.items[name]
		at := slices.IndexFunc(r.keys, func(k key) bool { return k.Path == schema+name })
		if at < 0 || name == "NAME" {
			r.badKey(child, r.unknownHint(schema, name), "unknown key %q", name)
			continue
		}
		k := r.keys[at]
		if !r.is(child, k.want, strconv.Quote(name)) {
			continue
		}
		r.m.where[path+name] = r.place(child.at, child.end)
		if k.read != nil {
			k.read(r, child, path+name)
		}
	}
}

// unknownHint is the way out of an unknown key in a table.
func (r *reader) unknownHint(schema, name string) string {
	if schema == "" {
		return cmp.Or(keyHint(name, r.names(schema)), r.elsewhere(name))
	}
	return cmp.Or(misplacedHint(name), keyHint(name, r.names(schema)))
}

// elsewhere says where a key belongs that stands in the wrong table.
func (r *reader) elsewhere(name string) string {
	for _, k := range r.keys {
		if strings.HasSuffix(k.Path, "."+name) && !strings.Contains(k.Path, "NAME") {
			return fmt.Sprintf("did you mean %q?", k.Path)
		}
	}
	return ""
}

// names lists the keys directly below a prefix.
func (r *reader) names(schema string) []string {
	var names []string
	for _, k := range r.keys {
		if name, ok := below(k.Path, schema); ok && name != "NAME" {
			names = append(names, name)
		}
	}
	return names
}

// is reports a value of another type than wanted.
func (r *reader) is(n *node, want []nodeKind, label string) bool {
	if slices.Contains(want, n.kind) {
		return true
	}
	names := want[0].String()
	for i, w := range want[1:] {
		join := ", "
		if i == len(want)-2 {
			join = " or "
		}
		names += join + w.String()
	}
	r.bad(n, "", "%s must be %s, not %s", label, article(names), article(n.kind.String()))
	return false
}

func article(noun string) string {
	switch noun[0] {
	case 'a', 'e', 'i', 'o':
		return "an " + noun
	}
	return "a " + noun
}

// bad is a problem with a value, badKey one with its key.
func (r *reader) bad(n *node, hint, format string, args ...any) {
	r.problem(n.at, n.end-n.at, fmt.Sprintf(format, args...), hint)
}

func (r *reader) badKey(n *node, hint, format string, args ...any) {
	r.problem(n.keyAt, n.keyEnd-n.keyAt, fmt.Sprintf(format, args...), hint)
}

// badAt is a problem with a key that was read.
func (r *reader) badAt(path, hint, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, newProblem(r.file, r.m.where[path], fmt.Sprintf(format, args...), hint))
	}
}
