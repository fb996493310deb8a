package permissions

import (
	"cmp"
	"slices"
)

// Set is what is allowed: grants, with what is denied carved out of them. The
// zero Set grants nothing. Sets are values and never change.
//
// Limits stand apart. A limit takes away and grants nothing, so a Set without
// one is the wider Set.
type Set struct {
	grants []grant
	denies []rule
	limits []Value // by name
}

// grant is a rule with what is only asked about taken out of it. A denial
// concerns every grant; an open question only those it was put over.
type grant struct {
	rule
	except []rule
}

// NewSet grants allow, with deny carved out. A permission that is not valid
// grants nothing; a denial that is not valid denies its whole kind. Of two
// limits of one name the smaller holds; a denied limit holds like an allowed
// one.
func NewSet(allow, deny []Permission) Set {
	b := builder{}
	for _, p := range allow {
		b.grant(p, nil)
	}
	for _, p := range deny {
		b.deny(p)
	}
	return b.set()
}

// builder puts a Set together.
type builder struct{ s Set }

func (b *builder) grant(p Permission, except []rule) {
	if p.Kind == Limit {
		b.limit(p.Subject)
		return
	}
	if r, err := newRule(p); err == nil && r.net.word != "none" {
		b.s.grants = append(b.s.grants, grant{rule: r, except: except})
	}
}

func (b *builder) deny(p Permission) {
	if p.Kind == Limit {
		b.limit(p.Subject)
		return
	}
	r := newMask(p)
	if r.net.word == "none" { // denying nothing
		return
	}
	b.s.denies = append(b.s.denies, r)
}

func (b *builder) limit(subject string) {
	v, err := ParseLimit(subject)
	if err != nil {
		return
	}
	for i, old := range b.s.limits {
		if old.name == v.name {
			b.s.limits[i].n = min(old.n, v.n)
			return
		}
	}
	b.s.limits = append(b.s.limits, v)
}

// set finishes: it weakens what cannot be filtered, then drops what changes
// nothing, so that equal sets mostly look equal.
func (b *builder) set() Set {
	s := b.s
	for i := range s.grants {
		g := &s.grants[i]
		g.weak = g.indivisible() && (len(g.except) > 0 || slices.ContainsFunc(s.denies, func(d rule) bool { return d.Kind == g.Kind }))
	}
	s.dropGrants()
	s.dropDenies()
	slices.SortFunc(s.denies, func(a, b rule) int { return compare(a.Permission, b.Permission) })
	slices.SortFunc(s.limits, func(a, b Value) int { return cmp.Compare(kindOf(Limit).index(a.name), kindOf(Limit).index(b.name)) })
	return s
}

func (r *rule) indivisible() bool {
	return r.net.word == "host" || r.Kind == Device && r.Subject == "all"
}

// dropDenies drops each denial that no grant of its kind is there for, and
// each that says no more than another. A denied path stays even where no grant
// seems to reach it: where the home is, only Resolve knows.
func (s *Set) dropDenies() {
	s.denies = slices.DeleteFunc(s.denies, func(d rule) bool {
		return !slices.ContainsFunc(s.grants, func(g grant) bool { return g.Kind == d.Kind })
	})
	s.denies = slices.Clip(s.denies)
	for i := 0; i < len(s.denies); {
		rest := slices.Delete(slices.Clone(s.denies), i, i+1)
		if saysNoMore(s.denies[i], rest) {
			s.denies = rest
		} else {
			i++
		}
	}
}

func saysNoMore(d rule, others []rule) bool {
	if d.whole {
		return slices.ContainsFunc(others, func(o rule) bool { return o.whole && o.Kind == d.Kind })
	}
	others = slices.DeleteFunc(slices.Clone(others), func(o rule) bool { return o.Kind != d.Kind })
	for at := range pointsOf(Set{denies: []rule{d}}, Set{denies: others}) {
		least := uint8(untouched)
		for i := range others {
			least = min(least, others[i].cap(at))
		}
		if d.cap(at) < least {
			return false
		}
	}
	return true
}

// dropGrants drops each grant without which the Set would be the same.
func (s *Set) dropGrants() {
	slices.SortFunc(s.grants, func(a, b grant) int {
		return cmp.Or(compare(a.Permission, b.Permission), len(a.except)-len(b.except))
	})
	for i := len(s.grants) - 1; i >= 0; i-- {
		if s.standsAlone(i) {
			continue
		}
		rest := *s
		rest.grants = slices.Delete(slices.Clone(s.grants), i, i+1)
		if rest.coversGrant(s, &s.grants[i]) {
			s.grants = rest.grants
		}
	}
}

// standsAlone reports that nothing else of the grant's kind is there to cover
// it or to take from it.
func (s *Set) standsAlone(i int) bool {
	n := 0
	for r := range s.rules() {
		if r.Kind == s.grants[i].Kind {
			n++
		}
	}
	return n == 1
}

// coversGrant reports whether s allows all that g gives within the Set of. The
// points of g alone come first: they settle nearly every case for little.
func (s Set) coversGrant(of *Set, g *grant) bool {
	alone := Set{grants: []grant{*g}}
	same := of.only(g.Kind)
	s = s.only(g.Kind)
	for _, sets := range [...][]Set{{alone}, {alone, same, s}} {
		for at := range pointsOf(sets...) {
			if want := same.through(g, at); want > 0 && s.level(at) < want {
				return false
			}
		}
	}
	return true
}

// only is the part of s that is of one kind.
func (s Set) only(kind Kind) Set {
	var out Set
	for _, g := range s.grants {
		if g.Kind == kind {
			out.grants = append(out.grants, g)
		}
	}
	for _, d := range s.denies {
		if d.Kind == kind {
			out.denies = append(out.denies, d)
		}
	}
	return out
}

// level is the highest level allowed at the point.
func (s Set) level(at point) uint8 {
	best := uint8(0)
	for i := range s.grants {
		best = max(best, s.grants[i].level(at))
	}
	for i := 0; i < len(s.denies) && best > 0; i++ {
		best = min(best, s.denies[i].cap(at))
	}
	return best
}

// through is what the one grant contributes at the point, denials applied.
func (s Set) through(g *grant, at point) uint8 {
	l := g.level(at)
	for i := 0; i < len(s.denies) && l > 0; i++ {
		l = min(l, s.denies[i].cap(at))
	}
	return l
}

func (g *grant) level(at point) uint8 {
	l := g.rule.level(at)
	for i := range g.except {
		if l > 0 {
			l = min(l, g.except[i].cap(at))
		}
	}
	return l
}

// Covers reports whether everything that p opens is allowed.
func (s Set) Covers(p Permission) bool {
	if p.Kind != Limit {
		if r, err := newRule(p); err != nil || r.net.word == "none" {
			return err == nil
		}
	} else if v, err := ParseLimit(p.Subject); err != nil {
		return false
	} else {
		limit, limited := s.Limit(v.name)
		return !limited || limit.n >= v.n
	}
	b := builder{}
	b.grant(p, nil)
	return s.coversGrant(&b.s, &b.s.grants[0])
}

// CoversSet reports whether s allows everything that o allows, and limits no
// more than o does. It orders sets: reflexive, transitive, and equal in effect
// when both ways hold.
func (s Set) CoversSet(o Set) bool {
	for _, v := range s.limits {
		if limit, limited := o.Limit(v.name); !limited || limit.n > v.n {
			return false
		}
	}
	for at := range pointsOf(s, o) {
		if s.level(at) < o.level(at) {
			return false
		}
	}
	return true
}

// Equal reports whether both sets allow the same, however they say it.
func (s Set) Equal(o Set) bool { return s.CoversSet(o) && o.CoversSet(s) }

// IsZero reports whether nothing is granted and nothing limited.
func (s Set) IsZero() bool { return len(s.grants) == 0 && len(s.limits) == 0 }

// Has reports whether the subject is granted at its lowest level: for files
// read, for buses the level that the subject names.
func (s Set) Has(kind Kind, subject string) bool {
	p := Permission{Kind: kind, Subject: subject}
	if kind == Files {
		p.Access = Read
	}
	return s.Covers(p)
}

// All returns the grants and limits, sorted. A grant of which everything is
// denied is not among them; one of which a part is denied is, see Denied.
func (s Set) All() []Permission {
	var out []Permission
	for _, g := range s.grants {
		out = append(out, g.Permission)
	}
	for _, v := range s.limits {
		out = append(out, Permission{Kind: Limit, Subject: v.subject()})
	}
	return slices.Compact(out)
}

// Denied returns what is carved out of the grants, sorted.
func (s Set) Denied() []Permission {
	var out []Permission
	for _, d := range s.denies {
		out = append(out, d.Permission)
	}
	return out
}
