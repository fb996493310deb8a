package permissions

import (
	"strings"
	"testing"

	"sandbox/internal/hint"
)

func TestParseCanonicalises(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"network word", "network:host", ""},
		{"network none", "network:none", ""},
		{"host without port", "network:api.example.org", ""},
		{"host with port", "network:api.example.org:443", ""},
		{"upper case and final dot", "network:API.Example.ORG.:443", "network:api.example.org:443"},
		{"wildcard", "network:*.example.org:443", ""},
		{"punycode", "network:xn--bcher-kva.example", ""},
		{"one-label name with port", "network:nas:445", ""},
		{"address", "network:192.0.2.7", ""},
		{"address with port", "network:192.0.2.7:53", ""},
		{"range", "network:10.0.0.0/8:22", ""},
		{"range of one", "network:192.0.2.7/32", "network:192.0.2.7"},
		{"v6", "network:2001:DB8::1", "network:2001:db8::1"},
		{"v6 in brackets", "network:[2001:db8::1]", "network:2001:db8::1"},
		{"v6 with port", "network:[2001:db8::1]:443", ""},
		{"v6 range with port", "network:[2001:db8::/32]:443", ""},
		{"mapped v4", "network:::ffff:192.0.2.1", "network:192.0.2.1"},
		{"home", "files:home:write", ""},
		{"tilde is home", "files:~:read", "files:home:read"},
		{"tilde slash is home", "files:~/:read", "files:home:read"},
		{"no suffix is read", "files:~/x", "files:~/x:read"},
		{"slashes and dots", "files:~//a/./b/:write", "files:~/a/b:write"},
		{"leading double slash", "files://srv//data:read", "files:/srv/data:read"},
		{"create", "files:xdg-download/sub:create", ""},
		{"host", "files:host:read", ""},
		{"escaped colon", `files:~/a\:b:read`, ""},
		{"escaped pattern", `files:~/\[1\] \*:read`, ""},
		{"quote and comma are plain", `files:~/a"b,c:read`, ""},
		{"removable disks", "files:/run/media/u/disk:read", ""},
		{"a name like a reserved one", "files:/user:read", ""},
		{"device", "device:gpu", ""},
		{"socket", "socket:wayland", ""},
		{"feature", "feature:devel", ""},
		{"portal", "portal:open-uri", ""},
		{"talk", "session-bus:talk:org.freedesktop.Notifications", ""},
		{"prefix", "system-bus:see:org.freedesktop.*", ""},
		{"call", "session-bus:call:org.foo.Bar=org.foo.Iface.Do@/org/foo", ""},
		{"call below", "session-bus:call:org.foo.*=org.foo.Iface.*@/org/*", ""},
		{"call everything everywhere", "session-bus:call:org.foo.Bar=*@/*", "session-bus:call:org.foo.Bar=*"},
		{"env", "env:EDITOR", ""},
		{"env value with colons", "env:PATH_X=a:b=c", ""},
		{"empty env value", "env:PAGER=", ""},
		{"memory", "limit:memory=1024M", "limit:memory=1G"},
		{"memory in bytes", "limit:memory=1500000", ""},
		{"memory with iB", "limit:memory=64MiB", "limit:memory=64M"},
		{"no swap", "limit:swap=0", ""},
		{"cpu percent", "limit:cpu=150%", "limit:cpu=1.5"},
		{"cpu", "limit:cpu=0.25", ""},
		{"pids", "limit:pids=100", ""},
		{"io", "limit:io=50M", ""},
		{"time", "limit:time=90m", "limit:time=1h30m"},
		{"days", "limit:time=48h", "limit:time=2d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.in)
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, hint.Of(err))
			}
			want := c.want
			if want == "" {
				want = c.in
			}
			if p.String() != want {
				t.Errorf("Parse(%q) = %q, want %q", c.in, p, want)
			}
			if again, err := Parse(p.String()); err != nil || again != p {
				t.Errorf("Parse(%q) = %v, %v", p, again, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, err, hint string }{
		{"empty", "", `unknown kind ""`, "known are"},
		{"misspelt kind", "netwrok:host", `unknown kind "netwrok"`, `"network"`},
		{"upper-case kind", "Network:host", `unknown kind`, `"network"`},
		{"no subject", "device", "no subject", "device:gpu"},
		{"empty subject", "device:", "no subject", "device:gpu"},
		{"misspelt subject", "device:gpuu", `unknown subject "gpuu"`, `"gpu"`},
		{"access on a device", "device:gpu:write", `unknown subject "gpu:write"`, ""},
		{"unknown access (flatpak falls back to rw)", "files:~/x:ro", `unknown access "ro"`, "read, write, create"},
		{"two suffixes", "files:~/x:read:write", "more than one access", ""},
		{"empty access", "files:~/x:", `unknown access ""`, "read, write, create"},
		{"dot dot", "files:~/../x:read", `".."`, "leads to"},
		{"hidden dot dot", "files:/srv/a/..", `".."`, ""},
		{"root", "files:/:read", "root directory", "files:host"},
		{"root with dots", "files:/./:read", "root directory", ""},
		{"proc", "files:/proc:read", "belongs to the sandbox", ""},
		{"below proc", "files:/proc/1/root:read", "belongs to the sandbox", ""},
		{"sys", "files:/sys/fs:read", "belongs to the sandbox", ""},
		{"dev", "files:/dev/sda:read", "belongs to the sandbox", ""},
		{"app", "files:/app/x:read", "belongs to the sandbox", ""},
		{"usr through slashes", "files://usr/.:read", "belongs to the sandbox", ""},
		{"etc", "files:/etc:read", "belongs to the sandbox", ""},
		{"run", "files:/run/user/1000/bus:read", "belongs to the sandbox", ""},
		{"var run", "files:/var/run/x:read", "belongs to the sandbox", ""},
		{"relative", "files:Documents:read", "no beginning", "~/"},
		{"dot", "files:.:read", "no beginning", "~/"},
		{"below home word", "files:home/x:read", "no beginning", "~/"},
		{"other user", "files:~root/x:read", "another user", ""},
		{"unknown xdg", "files:xdg-downloads:read", "unknown directory", `"xdg-download"`},
		{"xdg runtime", "files:xdg-run/bus:read", "unknown directory", ""},
		{"star", "files:~/*:read", "pattern character", "directory"},
		{"question mark", "files:~/a?:read", "pattern character", ""},
		{"brace", "files:~/{a,b}:read", "pattern character", ""},
		{"stray backslash", `files:~/a\n:read`, "stray backslash", ""},
		{"backslash at the end", `files:~/a\`, "stray backslash", ""},
		{"line break", "files:~/a\nb:read", "U+000A", ""},
		{"NUL", "files:~/a\x00:read", "U+0000", ""},
		{"bidi", "files:~/a\u202eb:read", "U+202E", ""},
		{"zero width", "network:exa\u200bmple.org", "U+200B", ""},
		{"broken UTF-8", "files:~/\xff:read", "UTF-8", ""},
		{"long path", "files:/srv/" + strings.Repeat("a/", 2100), "longer than", ""},
		{"long name", "files:/srv/" + strings.Repeat("a", 256), "longer than", ""},
		{"create home", "files:home:create", "there already", "write"},
		{"every host", "network:*", "host", "network:internet"},
		{"top-level domain", "network:*.org", "top-level", ""},
		{"star inside", "network:a.*.org", "host name part", ""},
		{"misspelt word", "network:internett", "unknown subject", "port"},
		{"not ASCII", "network:bücher.example", "not ASCII", "xn--"},
		{"port 0", "network:example.org:0", "port", "1 to 65535"},
		{"port too large", "network:example.org:65536", "port", ""},
		{"port with zero", "network:example.org:0443", "port", ""},
		{"empty port", "network:example.org:", "port", ""},
		{"address without dots", "network:2130706433:80", "neither a name nor an address", ""},
		{"hexadecimal address", "network:0x7f.1:80", "neither a name nor an address", ""},
		{"short address", "network:127.1", "neither a name nor an address", ""},
		{"octal address", "network:0177.0.0.1", "neither a name nor an address", ""},
		{"loopback", "network:127.0.0.1:5432", "own loopback", "network:host"},
		{"loopback v6", "network:[::1]:80", "own loopback", ""},
		{"mapped loopback", "network:::ffff:127.0.0.1", "own loopback", ""},
		{"localhost", "network:localhost:80", "own loopback", ""},
		{"below localhost", "network:x.localhost:80", "own loopback", ""},
		{"zone", "network:fe80::1%eth0", "zone", ""},
		{"loose range", "network:10.0.0.5/8", "bits set", "10.0.0.0/8"},
		{"range of everything", "network:0.0.0.0/0", "every address", "internet"},
		{"mapped range", "network:::ffff:10.0.0.0/104", "IPv4 range", ""},
		{"open bracket", "network:[2001:db8::1", "bracket", ""},
		{"userinfo", "network:user@example.org", "host name part", ""},
		{"URL", "network:https://example.org", "", ""},
		{"dash label", "network:-a.example.org", "'-'", ""},
		{"empty label", "network:a..org", "empty", ""},
		{"bus without level", "session-bus:org.foo.Bar", "unknown level", "talk:NAME"},
		{"bus level upper", "session-bus:TALK:org.foo.Bar", "unknown level", ""},
		{"unique name", "session-bus:talk::1.5", "unique name", ""},
		{"one-part name", "session-bus:talk:foo", "bus name", ""},
		{"every name", "session-bus:talk:*", "bus name", ""},
		{"one-part prefix", "session-bus:talk:org.*", "bus name", ""},
		{"star inside name", "session-bus:talk:org.*.Bar", "bus name", ""},
		{"digit part", "session-bus:talk:org.1foo", "bus name", ""},
		{"the bus itself", "session-bus:own:org.freedesktop.DBus", "bus itself", ""},
		{"call without rule", "session-bus:call:org.foo.Bar", "without a method", ""},
		{"call with a bad method", "session-bus:call:org.foo.Bar=Do", "method", ""},
		{"call with a bad path", "session-bus:call:org.foo.Bar=*@foo", "object path", ""},
		{"call with a slash at the end", "session-bus:call:org.foo.Bar=*@/foo/", "object path", ""},
		{"env digit", "env:1A", "variable name", ""},
		{"env star", "env:LC_*", "variable name", ""},
		{"env empty", "env:=x", "variable name", ""},
		{"limit without value", "limit:memory", "no value", "memory=VALUE"},
		{"unknown limit", "limit:memroy=1G", "unknown limit", `"memory"`},
		{"limit too small", "limit:memory=4K", "not between", ""},
		{"limit too large", "limit:memory=2048T", "not between", ""},
		{"limit overflow", "limit:memory=99999999999999T", "", ""},
		{"decimal unit", "limit:memory=1kB", "", "K, M, G"},
		{"negative", "limit:pids=-1", "not a number", ""},
		{"plus", "limit:pids=+1", "not a number", ""},
		{"leading zero", "limit:pids=010", "leading zero", ""},
		{"no pids", "limit:pids=0", "not between", ""},
		{"fraction of bytes", "limit:memory=1.5G", "", "whole number"},
		{"cpu none", "limit:cpu=0", "not between", ""},
		{"cpu too fine", "limit:cpu=1.0001", "", "1.5"},
		{"time without unit", "limit:time=30", "not a time", "30m"},
		{"time in wrong order", "limit:time=30m1h", "not a time", ""},
		{"time twice", "limit:time=1h1h", "not a time", ""},
		{"time empty", "limit:time=", "not a time", ""},
		{"feature", "feature:everything", "unknown subject", "known are"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.in)
			if err == nil {
				t.Fatalf("Parse(%q) = %q, want an error", c.in, p)
			}
			if p != (Permission{}) {
				t.Errorf("a refused permission has the value %v", p)
			}
			if !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %q does not say %q", err, c.err)
			}
			if !strings.Contains(hint.Of(err), c.hint) {
				t.Errorf("hint %q does not say %q", hint.Of(err), c.hint)
			}
		})
	}
}

// What was put together by hand is checked before it counts.
func TestHandMadePermissions(t *testing.T) {
	everything := NewSet([]Permission{must("files:host:write"), must("network:host"), must("device:all")}, nil)
	for _, p := range []Permission{
		{}, {Kind: "x", Subject: "y"}, {Kind: Device, Subject: "gpu", Access: Read},
		{Kind: Files, Subject: "/proc", Access: Read}, {Kind: Files, Subject: "~/x"},
		{Kind: Files, Subject: "~/../x", Access: Read}, {Kind: Files, Subject: "~/x", Access: 9},
		{Kind: Network, Subject: "a\nb"}, {Kind: Limit, Subject: "memory"},
	} {
		if everything.Covers(p) {
			t.Errorf("%#v is covered", p)
		}
		if s := NewSet([]Permission{p}, nil); !s.IsZero() {
			t.Errorf("%#v grants %v", p, s)
		}
	}
	if s := NewSet([]Permission{{Kind: Files, Subject: "~//x/", Access: Read}}, nil); !s.Covers(must("files:~/x:read")) {
		t.Error("a loose spelling of a valid path is not understood")
	}
	s := NewSet([]Permission{must("files:home:write"), must("device:gpu")}, []Permission{{Kind: Files, Subject: "~/../x", Access: Read}})
	if s.Covers(must("files:~/x:read")) || !s.Covers(must("device:gpu")) {
		t.Errorf("a denial that cannot be read must take its kind: %v", s)
	}
}

func must(text string) Permission {
	p, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return p
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"network:*.example.org:443", "network:[2001:db8::/32]:1", "files:~/a\\:b:create", "files:xdg-music//x/.",
		"session-bus:call:org.foo.*=org.a.B.*@/a/*", "env:A=b:c", "limit:time=1h30m", "limit:cpu=150%", "device:all", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if p != (Permission{}) {
				t.Fatalf("error with value %v", p)
			}
			return
		}
		again, err := Parse(p.String())
		if err != nil || again != p {
			t.Fatalf("Parse(%q) = %#v, but Parse(%q) = %#v, %v", text, p, p, again, err)
		}
		for _, r := range p.String() {
			if r < 0x20 || r == 0x7f || r == '\u202e' {
				t.Fatalf("%q holds %U", p, r)
			}
		}
		if p.Kind == Files {
			if q, err := File(p.Subject, p.Access); err != nil || q != p {
				t.Fatalf("File(%q) = %v, %v", p.Subject, q, err)
			}
		}
		s := NewSet([]Permission{p}, nil)
		if !s.Covers(p) {
			t.Fatalf("%v does not cover itself", p)
		}
		calls := p.Kind.isBus() && strings.HasPrefix(p.Subject, "call:") // seeing the name remains
		if p.Kind != Limit && !calls && !NewSet([]Permission{p}, []Permission{p.Whole()}).IsZero() {
			t.Fatalf("denying %v leaves something of %v", p.Whole(), p)
		}
	})
}
