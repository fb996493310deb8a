package permissions

import "net/netip"

// fresh stands for a word that no rule mentions; no parsed text can hold it.
const fresh = "\x00"

// points collects a finite set of points such that any two sets of permissions
// made from the given rules agree everywhere when they agree on these: what a
// set grants is constant between the places that its rules mention.
type points struct {
	seen map[point]struct{}
	list []point
	bus  map[Kind]*busPoints
	net  netPoints
}

func pointsOf(sets ...Set) []point {
	p := points{seen: map[point]struct{}{}, bus: map[Kind]*busPoints{}}
	for _, s := range sets {
		for i := range s.grants {
			p.add(&s.grants[i].rule)
			for j := range s.grants[i].except {
				p.add(&s.grants[i].except[j])
			}
		}
		for i := range s.denies {
			p.add(&s.denies[i])
		}
	}
	for kind, b := range p.bus {
		b.emit(kind, p.put)
	}
	p.net.emit(p.put)
	return p.list
}

func (p *points) put(at point) {
	if _, ok := p.seen[at]; !ok {
		p.seen[at] = struct{}{}
		p.list = append(p.list, at)
	}
}

func (p *points) add(r *rule) {
	switch {
	case r.whole:
	case r.Kind == Files:
		p.put(point{kind: Files, text: r.Subject})
		if r.Subject != "home" && r.Subject != "host" && r.Subject[0] != '~' {
			p.put(point{kind: Files, text: r.Subject, inHome: true})
		}
	case r.Kind.isBus():
		b := p.bus[r.Kind]
		if b == nil {
			b = &busPoints{}
			p.bus[r.Kind] = b
		}
		b.add(&r.bus)
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

func (b *busPoints) emit(kind Kind, put func(point)) {
	methods := append(b.methods, [2]string{fresh, fresh})
	paths := append(b.paths, "/"+fresh)
	for _, name := range b.names {
		for _, m := range methods {
			for _, path := range paths {
				put(point{kind: kind, text: name, iface: m[0], member: m[1], path: path})
			}
		}
	}
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

func (n *netPoints) emit(put func(point)) {
	addrs := boundaries(n.ranges)
	if n.words {
		put(point{kind: Network})
		n.names = append(n.names, fresh, fresh+"."+fresh)
		addrs = append(addrs, reachBoundaries()...)
	}
	for _, port := range append(n.ports, 0) { // 0 is the port that nobody mentions
		for _, name := range n.names {
			put(point{kind: Network, text: name, port: port})
		}
		for _, a := range addrs {
			put(point{kind: Network, addr: a, port: port})
		}
	}
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
func reachBoundaries() []netip.Addr {
	ranges := []netip.Prefix{nat64, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	for _, r := range reachRanges() {
		ranges = append(ranges, r.prefix)
		if r.prefix.Addr().Is4() {
			ranges = append(ranges, throughNAT64(r.prefix))
		}
	}
	return boundaries(ranges)
}

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
