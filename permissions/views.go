package permissions

import (
	"net/netip"
	"slices"
	"strings"
)

// FileRule is a files grant, or a denial that masks part of the grants. A
// denial's Access is the lowest level it takes: Deny with Read leaves nothing,
// Deny with Write leaves reading. Masking the path entirely is always safe.
type FileRule struct {
	Path   string // as in the grammar: "home", "host", "~/x", "/abs", "xdg-download/sub"
	Access Access
	Deny   bool
}

// Files returns the files rules, directories before what lies in them. A grant
// inside a place where writing is denied comes with the access that is left.
// What a grant alone has taken out is listed as a denial of all; View knows
// better, and it alone sees a denial that meets a grant only once both are
// resolved.
func (s Set) Files() []FileRule {
	var out []FileRule
	for _, g := range s.grants {
		if g.Kind != Files {
			continue
		}
		if left := Access(s.through(&g, point{kind: Files, text: g.Subject})); left > None {
			out = append(out, FileRule{g.Subject, left, false})
		}
		for _, e := range g.except {
			out = append(out, FileRule{e.Subject, e.Access, true})
		}
	}
	for _, d := range s.denies {
		if d.Kind == Files && !d.whole {
			out = append(out, FileRule{d.Subject, d.Access, true})
		}
	}
	slices.SortStableFunc(out, func(a, b FileRule) int {
		return comparePlaces(Permission{Kind: Files, Subject: a.Path}, Permission{Kind: Files, Subject: b.Path})
	})
	return slices.Compact(out)
}

// Network returns the granted subjects: none at all, or "host" alone when the
// host's own network may be shared, or any of "lan", "internet" and single
// places. With something denied, "host" reads as "internet" and "lan", since a
// shared network cannot be filtered.
func (s Set) Network() []string {
	var out []string
	for _, r := range s.NetworkRules() {
		if r.Deny || r.Subject == "" {
			continue
		}
		if r.Subject == "host" {
			return []string{"host"}
		}
		out = append(out, r.Subject)
	}
	return out
}

// NetworkRule is a network grant or denial, parsed. Of Name, Prefix and the
// words in Subject one is set.
type NetworkRule struct {
	Subject string // canonical text
	Name    string // lower case; see Below
	Below   bool   // all names below Name, but not Name itself
	Prefix  netip.Prefix
	Port    uint16 // 0: every port
	Deny    bool
}

// NetworkRules returns what Network does, parsed and with the denials.
func (s Set) NetworkRules() []NetworkRule {
	var out []NetworkRule
	for i := range s.grants {
		switch g := &s.grants[i]; {
		case g.Kind != Network:
		case g.weak:
			out = append(out, NetworkRule{Subject: "internet"}, NetworkRule{Subject: "lan"})
		default:
			out = append(out, networkRule(&g.rule, false))
		}
		if s.grants[i].Kind == Network {
			for j := range s.grants[i].except {
				out = append(out, networkRule(&s.grants[i].except[j], true))
			}
		}
	}
	for i := range s.denies {
		if s.denies[i].Kind == Network {
			out = append(out, networkRule(&s.denies[i], true))
		}
	}
	slices.SortStableFunc(out, func(a, b NetworkRule) int { return strings.Compare(a.Subject, b.Subject) })
	return slices.Compact(out)
}

func networkRule(r *rule, deny bool) NetworkRule {
	if r.whole {
		return NetworkRule{Subject: "host", Deny: true}
	}
	return NetworkRule{Subject: r.Subject, Name: r.net.name, Below: r.net.below, Prefix: r.net.prefix, Port: r.net.port, Deny: deny}
}

// MayConnect decides one connection: name is what the app looked up ("" when
// it gave an address), addr where the name led, port where it wants to go.
//
// A name granted leads to the internet only. When it leads into the local
// network, that must be granted as well, unless the name is one that only the
// local network knows: else whoever runs a name server could open the local
// network to the app (DNS rebinding).
func (s Set) MayConnect(name string, addr netip.Addr, port uint16) bool {
	if !addr.IsValid() || port == 0 {
		return false
	}
	byAddr := point{kind: Network, addr: addr.Unmap().WithZone(""), port: port}
	if s.denied(byAddr) {
		return false
	}
	if name == "" {
		return s.level(byAddr) > 0
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	byName := point{kind: Network, text: name, port: port}
	if s.denied(byName) {
		return false
	}
	if s.level(byAddr) > 0 {
		return s.level(byName) > 0 || s.namesAddress(byAddr)
	}
	switch reachOf(addr) {
	case reachInternet:
		return s.level(byName) > 0
	case reachLAN:
		return lanName(name) && s.level(byName) > 0
	}
	return false
}

// MayLookUp reports whether the name is granted on any port.
func (s Set) MayLookUp(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" {
		return false
	}
	ports := netPoints{}
	for i := range s.grants {
		if s.grants[i].Kind == Network {
			ports.add(&s.grants[i].net)
		}
	}
	return slices.ContainsFunc(append(ports.ports, 0), func(port uint16) bool {
		return s.level(point{kind: Network, text: name, port: port}) > 0
	})
}

func (s Set) denied(at point) bool {
	return slices.ContainsFunc(s.denies, func(d rule) bool { return d.cap(at) == 0 })
}

// namesAddress reports whether a rule gives the address itself, not a word.
func (s Set) namesAddress(at point) bool {
	return slices.ContainsFunc(s.grants, func(g grant) bool { return g.Kind == Network && g.net.word == "" && g.level(at) > 0 })
}

// Devices, Sockets, Features and Portals return the granted words of a kind.
// Devices is "all" alone only when nothing is taken out of it; else its parts.
func (s Set) Devices() []string  { return s.wordsOf(Device) }
func (s Set) Sockets() []string  { return s.wordsOf(Socket) }
func (s Set) Features() []string { return s.wordsOf(Feature) }
func (s Set) Portals() []string  { return s.wordsOf(Portal) }

func (s Set) wordsOf(kind Kind) []string {
	var out []string
	for _, w := range kindOf(kind).Subjects {
		if s.level(point{kind: kind, text: w.Name}) > 0 {
			out = append(out, w.Name)
		}
	}
	if slices.Contains(out, "all") {
		return []string{"all"}
	}
	return out
}

// EnvRule is one variable: passed through from outside, or with Set the given
// Value, which may be empty.
type EnvRule struct {
	Name, Value string
	Set         bool
}

// Env returns the variables by name. One that is both passed through and set
// is passed through.
func (s Set) Env() []EnvRule {
	var out []EnvRule
	for _, g := range s.grants {
		if g.Kind != Env || s.through(&g, point{kind: Env, text: g.Subject}) == 0 {
			continue
		}
		name, value, fixed := strings.Cut(g.Subject, "=")
		if n := len(out); n > 0 && out[n-1].Name == name {
			if !out[n-1].Set {
				continue
			}
			out = out[:n-1] // the later of two values
		}
		out = append(out, EnvRule{name, value, fixed})
	}
	return out
}

// Limit returns the named limit, and whether there is one.
func (s Set) Limit(name string) (Value, bool) {
	for _, v := range s.limits {
		if v.name == name {
			return v, true
		}
	}
	return Value{}, false
}

// Limits returns all limits in the order of the vocabulary.
func (s Set) Limits() []Value { return slices.Clone(s.limits) }

// Bus returns what is allowed on one of the two buses.
func (s Set) Bus(kind Kind) BusPolicy {
	if !kind.isBus() {
		return BusPolicy{}
	}
	return BusPolicy{kind: kind, set: s.only(kind)}
}

// BusPolicy answers for one bus. The zero BusPolicy allows nothing.
type BusPolicy struct {
	kind Kind
	set  Set
}

// BusRule is a bus grant or denial, parsed.
type BusRule struct {
	Level  BusAccess
	Name   string
	Prefix bool   // every name below Name, but not Name itself
	Iface  string // of a call rule; "" is every interface
	Member string // of a call rule; "" is every member
	Path   string // of a call rule; "" is every path
	Below  bool   // of a call rule: Path and all below it
	Deny   bool
}

// Access is how far the app may go with a name, single methods aside.
func (b BusPolicy) Access(name string) BusAccess {
	return BusAccess(b.set.level(point{kind: b.kind, text: name, iface: fresh, member: fresh, path: "/" + fresh}))
}

// MayCall reports whether the method may be called on the name.
func (b BusPolicy) MayCall(name, iface, member, path string) bool {
	return BusAccess(b.set.level(point{kind: b.kind, text: name, iface: iface, member: member, path: path})) >= BusCall
}

// IsZero reports that the app needs no connection to this bus.
func (b BusPolicy) IsZero() bool { return len(b.set.grants) == 0 }

// Rules lists the grants, then the denials.
func (b BusPolicy) Rules() []BusRule {
	var out []BusRule
	for i := range b.set.grants {
		out = append(out, busRule(&b.set.grants[i].rule, false))
	}
	for i := range b.set.grants {
		for j := range b.set.grants[i].except {
			out = append(out, busRule(&b.set.grants[i].except[j], true))
		}
	}
	for i := range b.set.denies {
		if !b.set.denies[i].whole {
			out = append(out, busRule(&b.set.denies[i], true))
		}
	}
	return out
}

func busRule(r *rule, deny bool) BusRule {
	c := r.bus.call
	return BusRule{r.bus.level, r.bus.name, r.bus.prefix, c.iface, c.member, c.path, c.below, deny}
}
