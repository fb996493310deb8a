package permissions

import (
	"net/netip"
	"strings"
	"sync"
)

// reach sorts addresses by who is behind them. What is neither in the local
// network nor on the internet (loopback, multicast, a cloud's metadata
// service, which hands out credentials to whoever asks) is covered by no word
// but host, and else only by a rule that names the address.
type reach uint8

const (
	reachSpecial reach = iota
	reachLAN
	reachInternet
)

type reachRange struct {
	prefix netip.Prefix
	reach  reach
}

// The first range that holds an address decides; no range means internet.
// Parsed on first use: most launches never ask.
var reachRanges = sync.OnceValue(func() []reachRange {
	out := make([]reachRange, len(reachTable))
	for i, r := range reachTable {
		out[i] = reachRange{netip.MustParsePrefix(r.prefix), r.reach}
	}
	return out
})

var reachTable = [...]struct {
	prefix string
	reach  reach
}{
	{"169.254.169.254/32", reachSpecial}, // metadata of most clouds
	{"100.100.100.200/32", reachSpecial}, // metadata of Alibaba
	{"168.63.129.16/32", reachSpecial},   // platform service of Azure
	{"fd00:ec2::254/128", reachSpecial},  // metadata of AWS
	{"0.0.0.0/8", reachSpecial},
	{"127.0.0.0/8", reachSpecial},
	{"192.0.0.0/24", reachSpecial},  // RFC 6890, and the metadata of Oracle
	{"198.18.0.0/15", reachSpecial}, // benchmarks; stand-in addresses inside
	{"224.0.0.0/4", reachSpecial},
	{"240.0.0.0/4", reachSpecial},
	{"10.0.0.0/8", reachLAN},
	{"172.16.0.0/12", reachLAN},
	{"192.168.0.0/16", reachLAN},
	{"100.64.0.0/10", reachLAN}, // carriers' and mesh networks, RFC 6598
	{"169.254.0.0/16", reachLAN},
	{"::/96", reachSpecial}, // unspecified, loopback, IPv4-compatible
	{"64:ff9b:1::/48", reachSpecial},
	{"2001::/32", reachSpecial}, // Teredo and 6to4 carry IPv4 addresses unseen
	{"2002::/16", reachSpecial},
	{"ff00::/8", reachSpecial},
	{"fc00::/7", reachLAN},
	{"fe80::/10", reachLAN},
	{"fec0::/10", reachLAN},
}

// nat64 addresses (RFC 6052) are as near as the IPv4 address they carry.
var nat64 = netip.PrefixFrom(netip.AddrFrom16([16]byte{1: 0x64, 2: 0xff, 3: 0x9b}), 96)

func reachOf(a netip.Addr) reach {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return reachSpecial
	}
	if nat64.Contains(a) {
		b := a.As16()
		return reachOf(netip.AddrFrom4([4]byte(b[12:])))
	}
	for _, r := range reachRanges() {
		if r.prefix.Contains(a) {
			return r.reach
		}
	}
	return reachInternet
}

// lanNames are the domains that only a local resolver answers (RFC 6762,
// RFC 8375, ICANN's "internal", and what routers hand out).
var lanNames = [...]string{"local", "internal", "home.arpa", "lan", "home", "localdomain"}

// lanName reports whether name is looked up in the local network. Only such
// names may lead to addresses of the local network without a grant of lan:
// any other name that does is an attempt at DNS rebinding.
func lanName(name string) bool {
	if !strings.Contains(name, ".") {
		return true
	}
	for _, d := range lanNames {
		if strings.HasSuffix(name, "."+d) {
			return true
		}
	}
	return false
}
