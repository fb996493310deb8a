package manifest

import (
	"slices"
	"strings"
)

// below gives the name of a key directly below a prefix of Path.
func below(path, schema string) (string, bool) {
	name, ok := strings.CutPrefix(path, schema)
	return name, ok && !strings.Contains(name, ".")
}

// audience checks the keys of a table against who may and who must have them:
// a kind of bundle at the top, a type of source below build.source. An unknown
// who has been reported already, and is not checked.
func (r *reader) audience(n *node, schema, who string) {
	if !slices.Contains(anyKind, who) && !slices.Contains(sourceTypes, who) {
		return
	}
	at, end := n.keyAt, n.keyEnd
	if end == 0 { // an inline table has no key
		at, end = n.at, n.at+1
	}
	for i := range r.keys {
		k := &r.keys[i]
		name, ok := below(k.Path, schema)
		if !ok {
			continue
		}
		child := n.get(name)
		switch {
		case child == nil && slices.Contains(k.RequiredFor, who):
			r.problem(at, end-at, "key \""+name+"\" is missing", "for example: "+name+" = "+k.Example)
		case child != nil && len(k.For) > 0 && !slices.Contains(k.For, who):
			r.badKey(child, "it is for: "+strings.Join(k.For, ", "), "%q is not for %s", name, article(who))
		}
	}
}
