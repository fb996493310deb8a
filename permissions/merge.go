package permissions

import (
	"slices"
	"strings"
)

// Effective is the outcome of all layers. The zero value grants nothing.
type Effective struct {
	set      Set
	live     []ranked // what decides
	replaced []ranked // what a later layer said otherwise about
}

// ranked is an entry with the height of its layer.
type ranked struct {
	Entry
	layer int
	mask  rule // of a Deny or Ask
}

// Merge lays layers over each other, lowest first. The rules are in the
// package comment; in short: a denial in any layer always wins, and else the
// last layer that speaks about a place decides about it.
func Merge(layers ...Layer) Effective {
	var e Effective
	var all []ranked
	for i, l := range layers {
		for _, entry := range l.Entries {
			if entry.Origin.Layer == "" {
				entry.Origin.Layer = l.Name
			}
			if r, ok := rank(entry, i); ok {
				all = append(all, r)
			}
		}
	}
	// Order inside a layer carries no meaning; make it always the same.
	slices.SortStableFunc(all, func(a, b ranked) int {
		if a.layer != b.layer {
			return a.layer - b.layer
		}
		return compareEntries(a.Entry, b.Entry)
	})
	for _, r := range all {
		if isReplaced(r, all) {
			e.replaced = append(e.replaced, r)
		} else {
			e.live = append(e.live, r)
		}
	}
	e.build()
	return e
}

// rank leaves out what decides nothing: Unset, and what is not a permission,
// unless it is a denial (see newMask).
func rank(entry Entry, layer int) (ranked, bool) {
	r := ranked{Entry: entry, layer: layer}
	p, err := canonical(entry.Permission)
	if err == nil {
		r.Permission = p
	}
	switch entry.Decision {
	case Allow:
		return r, err == nil
	case Ask:
		r.mask = newMask(entry.Permission)
		return r, err == nil && entry.Kind != Limit
	case Deny:
		r.mask = newMask(entry.Permission)
		return r, true
	}
	return ranked{}, false
}

// isReplaced reports whether a later layer took the word from r. A denial
// keeps it always; a question keeps it until it is answered.
func isReplaced(r ranked, all []ranked) bool {
	return r.Decision != Deny && slices.ContainsFunc(all, func(o ranked) bool { return o.replaces(r) })
}

func (o ranked) replaces(r ranked) bool {
	switch {
	case o.Decision == Deny:
		return false
	case o.isNone() && r.Kind == Network && !r.isNone():
		return o.layer >= r.layer // none in the same layer wins: fail closed
	case o.layer <= r.layer:
		return false
	case r.Decision == Ask && o.Decision == Allow:
		return NewSet([]Permission{o.Permission}, nil).Covers(r.Permission)
	}
	return o.Kind == r.Kind && o.place() == r.place()
}

func (r ranked) isNone() bool {
	return r.Kind == Network && r.Subject == "none" && r.Decision == Allow
}

func (e *Effective) build() {
	var b builder
	limits := map[string]int{} // the layer that says it
	for _, r := range slices.Backward(e.live) {
		if r.Kind != Limit || r.Decision != Allow {
			continue
		}
		if layer, said := limits[r.place()]; !said || layer == r.layer {
			limits[r.place()] = r.layer
			b.limit(r.Subject)
		}
	}
	for _, r := range e.live {
		switch {
		case r.Decision == Deny:
			b.deny(r.Permission)
		case r.Decision == Allow && r.Kind != Limit:
			b.grant(r.Permission, e.questions(r))
		}
	}
	e.set = b.set()
}

// possible is the Set if every open question were answered yes.
func (e Effective) possible() Set {
	b := builder{}
	for _, r := range e.live {
		switch {
		case r.Kind == Limit:
		case r.Decision == Deny:
			b.deny(r.Permission)
		default:
			b.grant(r.Permission, nil)
		}
	}
	return b.set()
}

// At is e for one machine and user: with every path in its absolute form, so
// that Decide and Why can be asked about absolute paths. What leads nowhere
// there is left out. Which entry decides about a place does not change.
func (e Effective) At(l Locations) Effective {
	out := Effective{replaced: e.replaced}
	for _, r := range e.live {
		if r.Kind == Files && r.Subject != "host" && !r.mask.whole {
			path, err := l.Resolve(r.Subject)
			if err != nil {
				continue
			}
			r.Subject = path
			if r.Decision != Allow {
				r.mask = newMask(r.Permission)
			}
		}
		out.live = append(out.live, r)
	}
	out.build()
	return out
}

// questions are the open asks that stand over a grant: those of its own or a
// later layer. One of the same layer leaves the grants that lie inside it: who
// asks about a directory and allows a file in it means both.
func (e *Effective) questions(g ranked) []rule {
	var out []rule
	for _, ask := range e.live {
		if ask.Decision != Ask || ask.Kind != g.Kind || ask.layer < g.layer {
			continue
		}
		if ask.layer == g.layer && strictlyInside(g.Permission, ask.Permission) {
			continue
		}
		if g.Kind == Files || overlaps(g.Permission, ask.mask) { // whether paths meet, At knows
			out = append(out, ask.mask)
		}
	}
	return out
}

func strictlyInside(inner, outer Permission) bool {
	return placeWithin(inner, outer) && !placeWithin(outer, inner)
}

// placeWithin reports whether the place that inner is about is part of the
// place that outer is about, however far the two go there.
func placeWithin(inner, outer Permission) bool {
	in, out := newMask(inner), newMask(outer)
	for at := range pointsOf(Set{denies: []rule{in}}, Set{denies: []rule{out}}) {
		if in.cap(at) != untouched && out.cap(at) == untouched {
			return false
		}
	}
	return true
}

// overlaps reports whether the mask takes anything from a grant of p.
func overlaps(p Permission, mask rule) bool {
	b := builder{}
	b.grant(p, nil)
	probe := b.s
	probe.denies = []rule{mask}
	for at := range pointsOf(probe) {
		for i := range probe.grants {
			if l := probe.grants[i].level(at); l > 0 && mask.cap(at) < l {
				return true
			}
		}
	}
	return false
}

// Set is what is allowed.
func (e Effective) Set() Set { return e.set }

// Entries returns the entries that decide, lowest layer first.
func (e Effective) Entries() []Entry { return entries(e.live) }

// Overridden returns the entries that a later layer decided otherwise.
func (e Effective) Overridden() []Entry { return entries(e.replaced) }

// Denied returns the denials of all layers.
func (e Effective) Denied() []Entry {
	return entries(slices.DeleteFunc(slices.Clone(e.live), func(r ranked) bool { return r.Decision != Deny }))
}

// Asks returns the open questions: neither answered nor denied.
func (e Effective) Asks() []Entry {
	var denied []Permission
	for _, r := range e.live {
		if r.Decision == Deny {
			denied = append(denied, r.Permission)
		}
	}
	return entries(slices.DeleteFunc(slices.Clone(e.live), func(r ranked) bool {
		return r.Decision != Ask || e.set.Covers(r.Permission) || NewSet([]Permission{r.Permission}, denied).IsZero()
	}))
}

func entries(rs []ranked) []Entry {
	out := make([]Entry, len(rs))
	for i, r := range rs {
		out[i] = r.Entry
	}
	return out
}

// Decide says what happens when the app wants p: Allow, Deny, Ask, or Unset
// when nobody said anything, which is refused like Deny. The entry is the one
// that settles it, if there is one.
func (e Effective) Decide(p Permission) (Decision, Entry) {
	entry, found := e.Why(p)
	switch {
	case p.Kind != Limit && e.set.Covers(p):
		return Allow, entry
	case !found:
		return Unset, Entry{}
	case entry.Decision == Allow: // allowed in part only
		return Deny, entry
	}
	return entry.Decision, entry
}

// Why returns the entry that decides about p: the denial that stands in the
// way, else the open question, else the latest and narrowest grant. It is
// false when no entry concerns p.
func (e Effective) Why(p Permission) (Entry, bool) {
	p, err := canonical(p)
	if err != nil {
		return Entry{}, false
	}
	if p.Kind == Limit {
		return e.last(func(r ranked) bool { return r.Kind == Limit && r.place() == p.place() })
	}
	if !e.set.Covers(p) {
		against := Deny
		if e.possible().Covers(p) {
			against = Ask
		}
		if entry, ok := e.last(func(r ranked) bool { return r.Decision == against && overlaps(p, r.mask) }); ok {
			return entry, true
		}
	}
	if entry, ok := e.narrowest(p); ok {
		return entry, true
	}
	return e.last(func(r ranked) bool { return r.isNone() && p.Kind == Network })
}

func (e Effective) last(match func(ranked) bool) (Entry, bool) {
	for _, r := range slices.Backward(e.live) {
		if match(r) {
			return r.Entry, true
		}
	}
	return Entry{}, false
}

// narrowest finds, among the grants that cover p, one of the latest layer, and
// of these the one about the narrowest place; failing that, a grant that covers
// a part of p.
func (e Effective) narrowest(p Permission) (Entry, bool) {
	best := -1
	for i, r := range e.live {
		if r.Decision != Allow || r.Kind != p.Kind || !NewSet([]Permission{r.Permission}, nil).Covers(p) || r.isNone() {
			continue
		}
		if best < 0 || r.layer > e.live[best].layer || placeWithin(r.Permission, e.live[best].Permission) {
			best = i
		}
	}
	if best >= 0 {
		return e.live[best].Entry, true
	}
	return e.last(func(r ranked) bool {
		switch {
		case r.Decision != Allow || r.Kind != p.Kind:
			return false
		case p.Kind == Files:
			return subjectWithin(r.Subject, p.Subject) || subjectWithin(p.Subject, r.Subject)
		}
		return overlaps(p, newMask(r.Permission.Whole()))
	})
}

// String lists the entries that decide, with who decided.
func (e Effective) String() string {
	var b strings.Builder
	for _, r := range e.live {
		b.WriteString(r.Decision.String() + " " + r.Permission.String() + " (" + r.Origin.String() + ")\n")
	}
	return b.String()
}
