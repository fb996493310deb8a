package permissions

import "strings"

// Changes is what is different between two sets, in effect: a set that says
// the same in other words has no changes.
type Changes struct {
	Added    []Permission // opens what was closed entirely
	Widened  []Change
	Narrowed []Change
	Removed  []Permission // closes what was open
}

// Change is a grant or limit that goes further, or less far, than before. The
// zero Permission stands for "no limit". When a grant itself is the same and a
// denial inside it came or went, Old equals New and Mask is that denial.
type Change struct {
	Old, New Permission
	Mask     Permission
}

// IsEmpty reports that both sets have the same effect.
func (c Changes) IsEmpty() bool {
	return len(c.Added)+len(c.Widened)+len(c.Narrowed)+len(c.Removed) == 0
}

// Adds reports whether anything is allowed that was not before. An update for
// which it is true needs consent.
func (c Changes) Adds() bool { return len(c.Added)+len(c.Widened) > 0 }

// AddsPermissions reports whether new allows anything that old does not. It
// looks at every kind, limits included.
func AddsPermissions(old, new Set) bool { return !old.CoversSet(new) }

// Diff compares what two sets allow.
func Diff(old, new Set) Changes {
	var c Changes
	c.Added, c.Widened = changes(beyond(new, old), old, new)
	c.Removed, c.Narrowed = changes(beyond(old, new), new, old)
	for i := range c.Narrowed { // it is the way back that was looked at
		n := &c.Narrowed[i]
		n.Old, n.New = n.New, n.Old
	}
	limitChanges(&c, old, new)
	return c
}

// beyond returns the grants by which a goes further than b somewhere.
func beyond(a, b Set) []*grant {
	var out []*grant
	for i := range a.grants {
		if g := &a.grants[i]; !b.coversGrant(&a, g) {
			out = append(out, g)
		}
	}
	return out
}

// changes sorts grants of "to" that go beyond "from" into new and wider ones.
func changes(gs []*grant, from, to Set) (added []Permission, wider []Change) {
	for _, g := range gs {
		was := from.nearest(&g.rule)
		switch {
		case was == (Permission{}):
			added = append(added, g.Permission)
		case was == g.Permission:
			wider = append(wider, Change{Old: was, New: was, Mask: missing(from, to, g)})
		default:
			wider = append(wider, Change{Old: was, New: g.Permission})
		}
	}
	return added, wider
}

// nearest is the grant that g replaces or enlarges: the same permission, else
// one about the same place, else one that g covers.
func (s Set) nearest(g *rule) Permission {
	var best Permission
	for i := range s.grants {
		switch o := &s.grants[i].rule; {
		case o.Permission == g.Permission:
			return o.Permission
		case o.Kind == g.Kind && o.place() == g.place():
			best = o.Permission
		case best == Permission{} && o.Kind == g.Kind && o.Kind != Env && NewSet([]Permission{g.Permission}, nil).Covers(o.Permission):
			best = o.Permission
		}
	}
	return best
}

// missing finds what "from" takes out of the grant g and "to" does not.
func missing(from, to Set, g *grant) Permission {
	masks := append([]rule(nil), from.denies...)
	for _, o := range from.grants {
		if o.Permission == g.Permission {
			masks = append(masks, o.except...)
		}
	}
	for _, m := range masks {
		for at := range pointsOf(Set{grants: []grant{*g}, denies: []rule{m}}, from.only(g.Kind), to.only(g.Kind)) {
			if l := to.through(g, at); l > m.cap(at) && l > from.level(at) {
				return m.Permission
			}
		}
	}
	return Permission{}
}

func limitChanges(c *Changes, old, new Set) {
	for _, info := range limits {
		was, had := old.Limit(info.name)
		is, has := new.Limit(info.name)
		change := Change{Old: limitPermission(was), New: limitPermission(is)}
		switch {
		case was == is:
		case had && (!has || is.n > was.n):
			c.Widened = append(c.Widened, change)
		default:
			c.Narrowed = append(c.Narrowed, change)
		}
	}
}

func limitPermission(v Value) Permission {
	if v.IsZero() {
		return Permission{}
	}
	return Permission{Kind: Limit, Subject: v.subject()}
}

// String shows one change a line: "+" added, ">" wider, "<" narrower, "-"
// removed.
func (c Changes) String() string {
	var b strings.Builder
	for _, p := range c.Added {
		b.WriteString("+ " + p.String() + "\n")
	}
	for _, w := range c.Widened {
		b.WriteString("> " + w.text("no longer denied") + "\n")
	}
	for _, n := range c.Narrowed {
		b.WriteString("< " + n.text("now denied") + "\n")
	}
	for _, p := range c.Removed {
		b.WriteString("- " + p.String() + "\n")
	}
	return b.String()
}

func (c Change) text(mask string) string {
	none := func(p Permission) string {
		if p == (Permission{}) {
			return "no limit"
		}
		return p.String()
	}
	switch {
	case c.Old != c.New:
		return none(c.Old) + " → " + none(c.New)
	case c.Mask == Permission{}:
		return c.New.String()
	}
	return c.New.String() + ", " + mask + ": " + c.Mask.String()
}
