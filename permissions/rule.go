package permissions

import "net/netip"

// rule is a permission made ready for questions.
type rule struct {
	Permission
	bus busSubject
	net netSubject
	// weak marks network:host and device:all when something of the kind is
	// taken out: the host's namespace cannot be filtered, and "every node"
	// cannot be all but some. What can be kept apart remains granted.
	weak bool
	// whole marks a denial that could not be read; it takes the whole kind.
	whole bool
}

// point is one thing that a rule covers or does not: a path, a bus name with
// the method called on it, an address with a port. Which fields are used
// depends on the kind.
type point struct {
	kind   Kind
	text   string
	inHome bool // a path outside "~/…" that lies in the home all the same
	addr   netip.Addr
	port   uint16
	iface  string
	member string
	path   string
}

// untouched is the cap of a denial that does not concern a point.
const untouched = 255

func newRule(p Permission) (rule, error) {
	p, err := canonical(p)
	if err != nil {
		return rule{Permission: p}, err
	}
	r := rule{Permission: p}
	switch {
	case p.Kind == Network:
		r.net, err = parseNetwork(p.Subject)
	case p.Kind.isBus():
		r.bus, err = parseBusSubject(p.Subject)
	}
	return r, err
}

// newMask makes a rule that takes away. One that cannot be read takes away its
// whole kind: dropping it would grant what somebody wanted denied.
func newMask(p Permission) rule {
	if p.Kind == Env {
		p.Subject = envName(p.Subject)
	}
	r, err := newRule(p)
	if err != nil {
		return rule{Permission: p, whole: true}
	}
	return r
}

// level is how far the rule, as a grant, lets an app go at the point; 0 is
// not at all.
func (r *rule) level(at point) uint8 {
	if r.Kind != at.kind || !r.touches(at) {
		return 0
	}
	switch {
	case r.Kind == Files:
		return uint8(r.Access)
	case r.Kind.isBus():
		if r.bus.level == BusCall && !r.bus.call.matches(at.iface, at.member, at.path) {
			return uint8(BusSee)
		}
		return uint8(r.bus.level)
	}
	return 1
}

// cap is the most that the rule, as a denial, leaves at the point.
func (r *rule) cap(at point) uint8 {
	switch {
	case r.Kind != at.kind:
		return untouched
	case r.whole:
		return 0
	case !r.touches(at):
		return untouched
	case r.Kind == Files:
		return uint8(r.Access - 1)
	case !r.Kind.isBus():
		return 0
	}
	switch r.bus.level {
	case BusCall:
		if !r.bus.call.matches(at.iface, at.member, at.path) {
			return untouched
		}
		return uint8(BusSee)
	case BusTalk: // calling one method is talking, too
		return uint8(BusSee)
	}
	return uint8(r.bus.level - 1)
}

func (r *rule) touches(at point) bool {
	switch r.Kind {
	case Files:
		return subjectWithin(r.Subject, at.text) || at.inHome && r.Subject == "home"
	case SessionBus, SystemBus:
		return r.bus.matches(at.text)
	case Network:
		return r.touchesNetwork(at)
	case Env:
		return at.text == r.Subject || envName(at.text) == r.Subject
	case Device:
		if r.Subject == "all" {
			return at.text != "all" || !r.weak
		}
	}
	return r.Subject == at.text
}

// A point without name and address is the host's network namespace itself.
func (r *rule) touchesNetwork(at point) bool {
	if r.net.port != 0 && r.net.port != at.port {
		return false
	}
	switch {
	case at.text != "":
		return r.net.matchesName(at.text)
	case !at.addr.IsValid():
		return r.net.word == "host" && !r.weak
	case r.weak:
		return reachOf(at.addr) != reachSpecial
	}
	return r.net.matchesAddr(at.addr)
}
