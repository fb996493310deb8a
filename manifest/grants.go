package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sandbox/internal/hint"
	"sandbox/permissions"
)

const maxPermissions = 256

// permissions reads [permissions]: each key is a permission, each value its
// reason or a table of reason and optional.
func (r *reader) permissions(n *node, path string) {
	if len(n.names) > maxPermissions {
		r.badKey(n, "", "permissions has more than %d entries", maxPermissions)
		return
	}
	for _, name := range n.names {
		child := n.items[name]
		p, err := permissions.Parse(name)
		if err != nil {
			r.badKey(child, cmp.Or(misplacedHint(name), hint.Of(err)), "%v", err)
		} else if what, way := misplaced(p); what != "" {
			r.badKey(child, way, "%s", what)
		}
		entry := permissions.Entry{Permission: p, Decision: permissions.Allow, Origin: r.origin(child)}
		r.entry(child, name, &entry)
		if err == nil {
			r.once(child, p)
			r.m.where[path+"."+p.String()] = r.place(child.keyAt, child.keyEnd)
			r.m.Permissions = append(r.m.Permissions, entry)
		}
	}
}

// entry reads the value of one permission.
func (r *reader) entry(n *node, name string, e *permissions.Entry) {
	if n.kind == stringNode {
		e.Reason = r.sentence(n, "reason", maxReason)
		return
	}
	if !r.is(n, []nodeKind{stringNode, tableNode}, "value of "+strconv.Quote(name)) {
		return
	}
	for _, key := range n.names {
		child := n.items[key]
		switch {
		case key == "reason":
			if r.is(child, wantString, strconv.Quote(key)) {
				e.Reason = r.sentence(child, "reason", maxReason)
			}
		case key == "optional":
			if r.is(child, wantBool, strconv.Quote(key)) && child.text == "true" {
				e.Optional, e.Decision = true, permissions.Ask
			}
		default:
			r.badKey(child, keyHint(key, []string{"reason", "optional"}), "unknown key %q", key)
		}
	}
}

// misplaced refuses permissions for which the manifest has a place of its own,
// so that each thing is said in one place.
func misplaced(p permissions.Permission) (what, hint string) {
	switch {
	case p.Kind == permissions.Limit:
		return "a limit is not a permission", "write it in the table [limits]"
	case p.Kind == permissions.Env && strings.Contains(p.Subject, "="):
		return "a variable with a value is not a permission", "write it in the table env"
	}
	return "", ""
}

// once reports a permission whose kind and subject stand there already, also
// in another spelling or with another access: only one of them would be seen.
func (r *reader) once(n *node, p permissions.Permission) {
	for _, e := range r.m.Permissions {
		if e.Kind == p.Kind && e.Subject == p.Subject {
			r.badKey(n, fmt.Sprintf("it stands on line %d; keep one", e.Origin.Line), "permission %q stands here twice", e.Permission.String())
			return
		}
	}
}

func (r *reader) origin(n *node) permissions.Origin {
	return permissions.Origin{Layer: permissions.LayerManifest, File: r.file, Line: r.place(n.keyAt, n.keyEnd).line}
}

// limits reads [limits]; names and values are those of the permission kind.
func (r *reader) limits(n *node, path string) {
	known := limitNames()
	for _, name := range n.names {
		child := n.items[name]
		if !slices.Contains(known, name) {
			r.badKey(child, cmp.Or(misplacedHint(name), keyHint(name, known)), "unknown limit %q", name)
			continue
		}
		if !r.is(child, []nodeKind{stringNode, integerNode, floatNode}, strconv.Quote(name)) {
			continue
		}
		text := name + "=" + limitText(child)
		if _, err := permissions.ParseLimit(text); err != nil {
			r.report(child, err)
			continue
		}
		p, err := permissions.Parse("limit:" + text)
		if err != nil {
			r.report(child, err)
			continue
		}
		r.m.where[path+"."+name] = r.place(child.keyAt, child.keyEnd)
		r.m.Limits = append(r.m.Limits, permissions.Entry{Permission: p, Decision: permissions.Allow, Origin: r.origin(child)})
	}
}

// limitText is the value as the grammar of permissions writes it: numbers
// without the underscores and bases of TOML.
func limitText(n *node) string {
	if n.kind == integerNode {
		if v, err := strconv.ParseInt(n.text, 0, 64); err == nil {
			return strconv.FormatInt(v, 10)
		}
	}
	if n.kind == floatNode {
		if v, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64); err == nil {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return n.text
}

func limitNames() []string {
	var names []string
	for _, k := range permissions.Kinds() {
		if k.Name == permissions.Limit {
			for _, s := range k.Subjects {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
