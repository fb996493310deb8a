package permissions

import (
	"iter"
	"net/netip"
	"sync"
)

// fresh stands for a word that no rule mentions; no parsed text can hold it.
const fresh = "\x00"

// pointsOf yields a finite set of points such that any two sets of permissions
// made from the rules of these sets agree everywhere when they agree on these:
// what a set grants is constant between the places that its rules mention. The
// points of the first set come first; some may come twice.
func pointsOf(sets ...Set) iter.Seq[point] {
	return func(yield func(point) bool) {
		var p points
		for _, s := range sets {
			for r := range s.rules() {
				p.add(r)
			}
		}
		p.each(yield)
	}
}

// rules yields the grants with their exceptions, then the denials.
func (s Set) rules() iter.Seq[*rule] {
	return func(yield func(*rule) bool) {
		for i := range s.grants {
			g := &s.grants[i]
			if !yield(&g.rule) {
				return
			}
			for j := range g.except {
				if !yield(&g.except[j]) {
					return
				}
			}
		}
		for i := range s.denies {
			if !yield(&s.denies[i]) {
				return
			}
		}
	}
}

type points struct {
	plain []point
	buses [2]busPoints
	net   netPoints
}

func (p *points) each(yield func(point) bool) bool {
	for _, at := range p.plain {
		if !yield(at) {
			return false
		}
	}
	return p.buses[0].each(SessionBus, yield) && p.buses[1].each(SystemBus, yield) && p.net.each(yield)
}

func (p *points) put(at point) { p.plain = append(p.plain, at) }

func (p *points) add(r *rule) {
	switch {
	case r.whole:
	case r.Kind == Files:
		p.put(point{kind: Files, text: r.Subject})
		if r.Subject != "home" && r.Subject != "host" && r.Subject[0] != '~' {
			p.put(point{kind: Files, text: r.Subject, inHome: true})
		}
	case r.Kind == SessionBus:
		p.buses[0].add(&r.bus)
	case r.Kind == SystemBus:
		p.buses[1].add(&r.bus)
	case r.Kind == Network:
		p.net.add(&r.net)
	case r.Kind == Device && r.Subject == "all":
		for _, s := range kindOf(Device).Subjects {
			p.put(point{kind: Device, text: s.Name})
		}
	default:
		p.put(point{kind: r.Kind, text: r.Subject})
	}
}

// busPoints are names times methods times object paths.
type busPoints struct {
	names   []string
	methods [][2]string
	paths   []string
}

func (b *busPoints) add(s *busSubject) {
	if s.prefix {
		b.names = append(b.names, s.name+"."+fresh)
	} else {
		b.names = append(b.names, s.name)
	}
	if s.level != BusCall {
		return
	}
	if s.call.iface != "" {
		b.methods = append(b.methods, [2]string{s.call.iface, fresh})
	}
	if s.call.member != "" {
		b.methods = append(b.methods, [2]string{s.call.iface, s.call.member})
	}
	if s.call.path != "" {
		b.paths = append(b.paths, s.call.path)
	}
	if s.call.below {
		b.paths = append(b.paths, s.call.path+"/"+fresh)
	}
}

func (b *busPoints) each(kind Kind, yield func(point) bool) bool {
	methods := append(b.methods, [2]string{fresh, fresh})
	paths := append(b.paths, "/"+fresh)
	for _, name := range b.names {
		for _, m := range methods {
			for _, path := range paths {
				if !yield(point{kind: kind, text: name, iface: m[0], member: m[1], path: path}) {
					return false
				}
			}
		}
	}
	return true
}

// netPoints are names and addresses times ports.
type netPoints struct {
	names  []string
	ranges []netip.Prefix
	ports  []uint16
	words  bool
}

func (n *netPoints) add(s *netSubject) {
	switch {
	case s.word != "":
		n.words = true
	case s.below:
		n.names = append(n.names, fresh+"."+s.name)
	case s.name != "":
		n.names = append(n.names, s.name)
	default:
		n.ranges = append(n.ranges, s.prefix)
	}
	if s.port != 0 {
		n.ports = append(n.ports, s.port)
	}
}

func (n *netPoints) each(yield func(point) bool) bool {
	if n.words {
		if !yield(point{kind: Network}) {
			return false
		}
		n.names = append(n.names, fresh, fresh+"."+fresh)
	}
	for _, port := range append(n.ports, 0) { // 0 is the port that nobody mentions
		for _, name := range n.names {
			if !yield(point{kind: Network, text: name, port: port}) {
				return false
			}
		}
		if !eachAddr(boundaries(n.ranges), port, yield) || n.words && !eachAddr(reachBoundaries(), port, yield) {
			return false
		}
	}
	return true
}

func eachAddr(addrs []netip.Addr, port uint16, yield func(point) bool) bool {
	for _, a := range addrs {
		if !yield(point{kind: Network, addr: a, port: port}) {
			return false
		}
	}
	return true
}

// boundaries are the addresses at which membership in one of the ranges can
// change: the first of each, and the first behind it.
func boundaries(ranges []netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for _, r := range ranges {
		out = append(out, r.Addr())
		if next := lastOf(r).Next(); next.IsValid() {
			out = append(out, next)
		}
	}
	return out
}

// reachBoundaries are those of the ranges that lan and internet are made of,
// the ones that NAT64 carries included.
var reachBoundaries = sync.OnceValue(func() []netip.Addr {
	ranges := []netip.Prefix{nat64, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	for _, r := range reachRanges() {
		ranges = append(ranges, r.prefix)
		if r.prefix.Addr().Is4() {
			ranges = append(ranges, throughNAT64(r.prefix))
		}
	}
	return boundaries(ranges)
})

func throughNAT64(p netip.Prefix) netip.Prefix {
	b := nat64.Addr().As16()
	v4 := p.Addr().As4()
	copy(b[12:], v4[:])
	return netip.PrefixFrom(netip.AddrFrom16(b), 96+p.Bits())
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return a.Unmap()
	}
	return a
}
