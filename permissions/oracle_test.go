package permissions

import (
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// This file says again, in the plainest way and over a small world, what
// permissions mean. It shares no code with the package but the field names.

// vocabulary is what the random sets are made of. The world below has a
// member in every cell that these cut it into.
var vocabulary = map[Kind][]string{
	Files: {
		"files:home:read", "files:home:write", "files:host:read", "files:host:write",
		"files:~/a:read", "files:~/a:write", "files:~/a:create", "files:~/a/b:read", "files:~/a/b:write",
		"files:~/a/b/c:write", "files:~/ab:read", "files:/srv:read", "files:/srv/a:write", "files:/srv-b:read",
		"files:xdg-music:read", "files:xdg-music/a:write", "files:/home/u/a:read", "files:/home/u/Music/a:write", "files:/home:read",
	},
	Network: {
		"network:none", "network:host", "network:lan", "network:internet",
		"network:a.org", "network:a.org:443", "network:b.a.org:80", "network:*.a.org", "network:*.a.org:443", "network:*.b.a.org:80",
		"network:nas.local:80", "network:*.nas.local", "network:box:443",
		"network:10.0.0.0/8", "network:10.0.0.0/9", "network:10.128.0.0/9", "network:10.1.2.3:80", "network:8.8.8.8", "network:8.0.0.0/7:443",
		"network:169.254.169.254:80", "network:2001:4860::8", "network:fd00::/8", "network:[2001:4860::/32]:80",
	},
	SessionBus: {
		"session-bus:see:org.a.B", "session-bus:talk:org.a.B", "session-bus:own:org.a.B", "session-bus:see:org.a.*",
		"session-bus:talk:org.a.*", "session-bus:own:org.a.B.*", "session-bus:talk:org.a.B.C",
		"session-bus:call:org.a.B=org.i.F.M", "session-bus:call:org.a.B=org.i.F.*@/p/*", "session-bus:call:org.a.*=*@/p", "session-bus:call:org.a.B=*",
	},
	SystemBus: {"system-bus:talk:org.a.B", "system-bus:own:org.a.*"},
	Device:    {"device:gpu", "device:camera", "device:tty", "device:all"},
	Socket:    {"socket:x11", "socket:wayland"},
	Portal:    {"portal:secret", "portal:print"},
	Feature:   {"feature:devel", "feature:userns"},
	Env:       {"env:A", "env:A=x", "env:A=y", "env:B"},
	Limit:     {"limit:memory=1M", "limit:memory=1G", "limit:pids=10", "limit:time=1h"},
}

func everyWord() []Permission {
	var out []Permission
	for _, k := range Kinds() {
		for _, s := range vocabulary[k.Name] {
			out = append(out, must(s))
		}
	}
	return out
}

func drawSome(kinds ...Kind) *rapid.Generator[[]Permission] {
	words := slices.DeleteFunc(everyWord(), func(p Permission) bool { return len(kinds) > 0 && !slices.Contains(kinds, p.Kind) })
	return rapid.SliceOfN(rapid.SampledFrom(words), 0, 6)
}

// thing is one member of the world: something an app may do or not.
type thing struct {
	kind  Kind
	text  string
	level int // files: 1 read … 3 create; buses: 1 see … 4 own
	port  uint16
	addr  string
	iface string
	path  string
}

var where = Locations{Home: "/home/u", XDG: map[string]string{"xdg-music": "/home/u/Music"}}

func world() []thing {
	var out []thing
	for _, p := range []string{
		"/home/u", "/home/u/z", "/home/u/a", "/home/u/a/z", "/home/u/a/b", "/home/u/a/b/z", "/home/u/a/b/c", "/home/u/a/b/c/z", "/home/u/ab", "/home/v",
		"/srv", "/srv/z", "/srv/a", "/srv/a/z", "/srv-b", "/home/u/Music", "/home/u/Music/z", "/home/u/Music/a", "/home", "/other",
	} {
		for l := 1; l <= 3; l++ {
			out = append(out, thing{kind: Files, text: p, level: l})
		}
	}
	out = append(out, thing{kind: Network, text: "the host's namespace"})
	for _, port := range []uint16{7, 80, 443} {
		for _, n := range []string{"a.org", "z.a.org", "b.a.org", "c.b.a.org", "za.org", "z.org", "nas.local", "z.nas.local", "z.local", "box", "tox"} {
			out = append(out, thing{kind: Network, text: n, port: port})
		}
		for a := range nearness {
			out = append(out, thing{kind: Network, addr: a, port: port})
		}
	}
	for _, bus := range []Kind{SessionBus, SystemBus} {
		for _, n := range []string{"org.a", "org.a.B", "org.a.B.C", "org.a.B.C.D", "org.a.X", "org.aB.B"} {
			for _, i := range []string{"org.i.F.M", "org.i.F.N", "org.i.G.M"} {
				for _, p := range []string{"/p", "/p/q", "/pq"} {
					for l := 1; l <= 4; l++ {
						out = append(out, thing{kind: bus, text: n, iface: i, path: p, level: l})
					}
				}
			}
		}
	}
	for _, s := range Kinds()[2].Subjects {
		out = append(out, thing{kind: Device, text: s.Name})
	}
	for _, p := range everyWord() {
		switch p.Kind {
		case Socket, Portal, Feature, Env:
			out = append(out, thing{kind: p.Kind, text: p.Subject})
		}
	}
	return out
}

var nearness = map[string]string{
	"10.1.2.3": "lan", "10.0.0.9": "lan", "10.200.0.1": "lan", "192.168.1.1": "lan", "fd00::7": "lan", "fc00::1": "lan", "100.64.0.1": "lan",
	"8.8.8.8": "internet", "9.9.9.9": "internet", "1.1.1.1": "internet", "2001:4860::8": "internet", "2001:4860::9": "internet", "2606::1": "internet",
	"169.254.169.254": "special", "127.0.0.1": "special", "224.0.0.1": "special", "ff02::1": "special", "fd00:ec2::254": "special",
	"64:ff9b::a01:203": "lan", "64:ff9b::808:808": "internet",
}

func oracleAllows(allow, deny []Permission, t thing) bool {
	for _, d := range deny {
		if takes(d, t) {
			return false
		}
	}
	for _, a := range allow {
		if a.Subject == "host" && a.Kind == Network && slices.ContainsFunc(deny, func(d Permission) bool { return d.Kind == Network && d.Subject != "none" }) {
			if gives(must("network:lan"), t) || gives(must("network:internet"), t) {
				return true
			}
			continue
		}
		if a == must("device:all") && t.text == "all" && slices.ContainsFunc(deny, func(d Permission) bool { return d.Kind == Device }) {
			continue
		}
		if gives(a, t) {
			return true
		}
	}
	return false
}

func gives(p Permission, t thing) bool {
	if p.Kind != t.kind {
		return false
	}
	switch p.Kind {
	case Files:
		return int(p.Access) >= t.level && under(p.Subject, t.text)
	case Network:
		return gives1(p.Subject, t)
	case Device:
		return p.Subject == t.text || p.Subject == "all"
	case Env:
		return p.Subject == t.text || strings.HasPrefix(t.text, p.Subject+"=")
	case SessionBus, SystemBus:
		return busLevel(p.Subject, t, true) >= t.level
	}
	return p.Subject == t.text
}

func takes(p Permission, t thing) bool {
	if p.Kind != t.kind {
		return false
	}
	switch p.Kind {
	case Files:
		return under(p.Subject, t.text) && t.level >= int(p.Access)
	case Env:
		name, _, _ := strings.Cut(p.Subject, "=")
		return t.text == name || strings.HasPrefix(t.text, name+"=")
	case SessionBus, SystemBus:
		switch l := busLevel(p.Subject, t, false); l {
		case 0:
			return false
		case 2, 3:
			return t.level >= 2
		default:
			return t.level >= l
		}
	}
	return gives(p, t)
}

func under(subject, path string) bool {
	dir := map[string]string{"host": "", "home": "/home/u", "xdg-music": "/home/u/Music", "xdg-music/a": "/home/u/Music/a"}
	d, ok := dir[subject]
	if !ok {
		d = strings.Replace(subject, "~", "/home/u", 1)
	}
	return path == d || strings.HasPrefix(path, d+"/")
}

func gives1(s string, t thing) bool {
	localName := t.text == "box" || t.text == "tox" || strings.HasSuffix(t.text, ".local")
	switch s {
	case "none":
		return false
	case "host":
		return true
	case "lan":
		return nearness[t.addr] == "lan" || t.addr == "" && localName
	case "internet":
		return nearness[t.addr] == "internet" || t.addr == "" && t.port != 0 && !localName
	}
	if t.port == 0 {
		return false
	}
	for _, port := range []string{":80", ":443"} {
		if strings.HasSuffix(s, port) && (!strings.Contains(s, "::") || strings.Contains(s, "]")) {
			s = strings.Trim(strings.TrimSuffix(s, port), "[]")
			if map[string]uint16{":80": 80, ":443": 443}[port] != t.port {
				return false
			}
			break
		}
	}
	if t.addr == "" {
		if suffix, ok := strings.CutPrefix(s, "*"); ok {
			return strings.HasSuffix(t.text, suffix)
		}
		return t.text == s
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Contains(netip.MustParseAddr(t.addr))
	}
	return s == t.addr
}

func busLevel(s string, t thing, granting bool) int {
	word, name, _ := strings.Cut(s, ":")
	name, call, _ := strings.Cut(name, "=")
	if p, ok := strings.CutSuffix(name, "*"); ok {
		if !strings.HasPrefix(t.text, p) {
			return 0
		}
	} else if name != t.text {
		return 0
	}
	level := map[string]int{"see": 1, "call": 2, "talk": 3, "own": 4}[word]
	if word != "call" {
		return level
	}
	hit := map[string]bool{
		"org.i.F.M": t.iface == "org.i.F.M", "org.i.F.*@/p/*": strings.HasPrefix(t.iface, "org.i.F.") && (t.path == "/p" || t.path == "/p/q"),
		"*@/p": t.path == "/p", "*": true,
	}[call]
	switch {
	case hit:
		return 2
	case granting:
		return 1
	}
	return 0
}

// limitsOf is the smallest limit of each name.
func limitsOf(ps []Permission) map[string]int64 {
	out := map[string]int64{}
	for _, p := range ps {
		if p.Kind == Limit {
			v, _ := ParseLimit(p.Subject)
			if old, ok := out[v.Name()]; !ok || v.Int() < old {
				out[v.Name()] = v.Int()
			}
		}
	}
	return out
}
