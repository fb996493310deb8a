package permissions

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sandbox/internal/hint"
)

// netSubject is a parsed network subject: a word, a name, or a range of
// addresses. Port 0 means every port.
type netSubject struct {
	word   string // none, lan, internet, host
	name   string // lower case, without "*." and without a dot at the end
	below  bool   // every name below name, at any depth, but not name itself
	prefix netip.Prefix
	port   uint16
}

func parseNetwork(s string) (netSubject, error) {
	if kindOf(Network).subject(s) != nil {
		return netSubject{word: s}, nil
	}
	host, port, bracketed, err := splitPort(s)
	if err != nil {
		return netSubject{}, err
	}
	n := netSubject{port: port}
	if strings.ContainsAny(host, "/") || bracketed || strings.Contains(host, ":") {
		n.prefix, err = parsePrefix(host)
		return n, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		n.prefix, err = prefixOf(a)
		return n, err
	}
	n.name, n.below, err = parseHost(host)
	if err == nil && port == 0 && !n.below && !strings.Contains(n.name, ".") {
		return netSubject{}, hint.With(unknown("subject", s, kindOf(Network).words()), "a name without a dot needs a port: %s:443; words are none, lan, internet, host", n.name)
	}
	return n, err
}

// splitPort understands HOST, HOST:PORT, [V6], [V6]:PORT and a bare V6.
func splitPort(s string) (host string, port uint16, bracketed bool, err error) {
	rest := ""
	switch {
	case strings.HasPrefix(s, "["):
		var closed bool
		if host, rest, closed = strings.Cut(s[1:], "]"); !closed {
			return "", 0, false, errors.New("no closing bracket")
		}
		bracketed = true
		if rest == "" {
			return host, 0, true, nil
		}
		if rest[0] != ':' {
			return "", 0, false, fmt.Errorf("%q after the bracket", clip(rest))
		}
		rest = rest[1:]
	case strings.Count(s, ":") == 1:
		host, rest, _ = strings.Cut(s, ":")
	default:
		return s, 0, false, nil
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	if err != nil || n == 0 || rest[0] == '0' || rest[0] == '+' {
		return "", 0, false, hint.With(fmt.Errorf("port %q", clip(rest)), "a port is a number from 1 to 65535; without one, all ports are meant")
	}
	return host, uint16(n), bracketed, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("address %q", clip(s))
		}
		return prefixOf(a)
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, hint.With(fmt.Errorf("address range %q", clip(s)), "write 192.168.0.0/16 or 2001:db8::/32")
	case p.Addr().Is4In6():
		return netip.Prefix{}, hint.With(fmt.Errorf("IPv4 range %s in IPv6 clothes", p), "write the IPv4 range")
	case p.Bits() == 0:
		return netip.Prefix{}, hint.With(fmt.Errorf("range %s is every address", p), "use network:internet, or network:host")
	case p != p.Masked():
		return netip.Prefix{}, hint.With(fmt.Errorf("%s has bits set beyond its length", p), "write %s for the range or %s for the one address", p.Masked(), p.Addr())
	}
	return p, checkLoopback(p)
}

func prefixOf(a netip.Addr) (netip.Prefix, error) {
	if a.Zone() != "" {
		return netip.Prefix{}, hint.With(fmt.Errorf("address %s has a zone", a), "interfaces have other names inside; leave the zone away")
	}
	a = a.Unmap()
	p := netip.PrefixFrom(a, a.BitLen())
	return p, checkLoopback(p)
}

// The loopback inside belongs to the app: packets to 127.0.0.1 never leave its
// own namespace, so such a rule could not be kept.
func checkLoopback(p netip.Prefix) error {
	for _, l := range [...]netip.Prefix{loopback4, loopback6} {
		if l.Contains(p.Addr()) {
			return hint.With(fmt.Errorf("%s is the app's own loopback", p), "the host's loopback can be reached with network:host only")
		}
	}
	return nil
}

var (
	loopback4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
	loopback6 = netip.PrefixFrom(netip.IPv6Loopback(), 128)
)

// parseHost checks a name for the network. Names in other scripts are wanted
// in their xn-- form: what is granted must be what is looked up, and two
// letters that look alike must not look alike here.
func parseHost(unsafeName string) (name string, below bool, err error) {
	name = strings.ToLower(strings.TrimSuffix(unsafeName, "."))
	name, below = strings.CutPrefix(name, "*.")
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	switch {
	case name == "*" || name == "":
		return "", false, hint.With(fmt.Errorf("host %q", clip(unsafeName)), "use network:internet for every host")
	case len(name) > 253:
		return "", false, errors.New("host name longer than 253 bytes")
	case below && len(labels) < 2:
		return "", false, hint.With(fmt.Errorf("%q is a whole top-level domain", clip(unsafeName)), "name a domain below it, such as *.example.%s", name)
	case last == "localhost":
		return "", false, hint.With(errors.New("localhost is the app's own loopback"), "the host's loopback can be reached with network:host only")
	}
	for _, l := range labels {
		if err := checkLabel(l); err != nil {
			return "", false, err
		}
	}
	if numeric(last) { // resolvers read 127.1, 0x7f000001 and 2130706433 as addresses
		return "", false, hint.With(fmt.Errorf("%q is neither a name nor an address", clip(unsafeName)), "write addresses with four numbers")
	}
	return name, below, nil
}

func checkLabel(l string) error {
	switch {
	case l == "" || len(l) > 63:
		return errors.New("a part of the host name is empty or longer than 63 bytes")
	case strings.Trim(l, "-") != l:
		return fmt.Errorf("part %q of the host name begins or ends with '-'", l)
	}
	for i := range len(l) {
		if l[i] >= 0x80 {
			return hint.With(fmt.Errorf("host name part %q is not ASCII", l), "write its xn-- form")
		}
	}
	if !wordOf(l, "-") {
		return hint.With(fmt.Errorf("host name part %q", clip(l)), "host names have letters, digits, '-' and '_'; only a first part may be '*'")
	}
	return nil
}

func numeric(l string) bool {
	if rest, hex := strings.CutPrefix(l, "0x"); hex {
		_, err := strconv.ParseUint("0"+rest, 16, 64)
		return err == nil || len(rest) > 15
	}
	return strings.Trim(l, "0123456789") == ""
}

func (n netSubject) text() string {
	host := n.word
	switch {
	case n.word != "":
	case n.name != "" && n.below:
		host = "*." + n.name
	case n.name != "":
		host = n.name
	case n.prefix.IsValid() && n.prefix.IsSingleIP():
		host = n.prefix.Addr().String()
	case n.prefix.IsValid():
		host = n.prefix.String()
	}
	if n.port == 0 {
		return host
	}
	if n.prefix.IsValid() && n.prefix.Addr().Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(n.port))
}

func (n netSubject) matchesName(name string) bool {
	switch {
	case n.word != "":
		return n.word == "host" || n.word == "lan" && lanName(name) || n.word == "internet" && !lanName(name)
	case n.below:
		return len(name) > len(n.name)+1 && strings.HasSuffix(name, n.name) && name[len(name)-len(n.name)-1] == '.'
	}
	return n.name != "" && n.name == name
}

func (n netSubject) matchesAddr(a netip.Addr) bool {
	switch n.word {
	case "":
		return n.prefix.IsValid() && n.prefix.Contains(a)
	case "host":
		return true
	case "lan":
		return reachOf(a) == reachLAN
	case "internet":
		return reachOf(a) == reachInternet
	}
	return false
}
