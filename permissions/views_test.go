package permissions

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func set(lines ...string) Set {
	text := ""
	for _, l := range lines {
		text += l + "\n"
	}
	s, err := ParseSet(text)
	if err != nil {
		panic(err)
	}
	return s
}

func TestZeroSetGrantsNothing(t *testing.T) {
	var s Set
	for _, p := range everyWord() {
		if p.Kind != Limit && p.Subject != "none" && s.Covers(p) {
			t.Errorf("the zero Set covers %v", p)
		}
	}
	if len(s.Network())+len(s.Files())+len(s.Devices())+len(s.Env())+len(s.All())+len(s.Limits()) > 0 || !s.IsZero() {
		t.Error("the zero Set has something")
	}
	if s.MayConnect("a.org", netip.MustParseAddr("8.8.8.8"), 443) || s.MayLookUp("a.org") || s.FileAccess("/srv", where) != None {
		t.Error("the zero Set allows something")
	}
	if (BusPolicy{}).Access("org.foo.A") != BusNone || !s.Bus(SessionBus).IsZero() || !set("files:home:read").Bus(Files).IsZero() {
		t.Error("the zero BusPolicy allows something")
	}
}

func TestFiles(t *testing.T) {
	s := set("files:~/x/y:write", "files:xdg-music:read", "files:home:read", "files:/srv/a-b:read", "files:/srv/a:read", "files:/srv/a/b:write",
		"deny files:~/x:write", "deny files:~/.ssh")
	want := []FileRule{
		{"home", Read, false}, {"/srv/a", Read, false}, {"/srv/a/b", Write, false}, {"/srv/a-b", Read, false},
		{"xdg-music", Read, false}, {"~/.ssh", Read, true}, {"~/x", Write, true},
	}
	if got := s.Files(); !slices.Equal(got, want) {
		t.Errorf("Files = %v\nwant %v", got, want)
	}
}

func TestAGrantUnderADeniedWriteComesReadOnly(t *testing.T) {
	s := set("files:~/x/y:write", "deny files:~/x:write")
	if got := s.Files(); got[len(got)-1] != (FileRule{"~/x/y", Read, false}) {
		t.Errorf("Files = %v", got)
	}
	if a := s.FileAccess("/home/u/x/y/z", where); a != Read {
		t.Errorf("access %v", a)
	}
}

func TestFileAccess(t *testing.T) {
	s := set("files:host:read", "files:home:write", "files:~/made:create", "deny files:~/.ssh", "deny files:/home/u/.gnupg:read", "deny files:~/.bashrc:write", "deny files:xdg-music")
	for path, want := range map[string]Access{
		"/home/u": Write, "/home/u/": Write, "/home/u/x": Write, "/home/u/made/x": Create, "/home/u/.ssh": None, "/home/u/.ssh/id": None,
		"/home/u/.ssh2": Write, "/home/u/.gnupg/x": None, "/home/u/.bashrc": Read, "/home/u//./x/": Write, "/home/u/Music/a": None,
		"/srv": Read, "/proc/1": None, "/etc/passwd": None, "/usr": None, "/run/media/d": Read, "/run/user/1": None, "/": None,
		"relative": None, "/home/u/../v": None, "": None, "/home/u/x\x00": Write,
	} {
		if got := s.FileAccess(path, where); got != want {
			t.Errorf("FileAccess(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	l := Locations{Home: "/home/u/", XDG: map[string]string{"xdg-music": "/home/u", "xdg-videos": "/media/v", "xdg-desktop": "relative", "xdg-download": "/etc/x", "xdg-data": "/data/"}}
	for _, c := range []struct{ in, want string }{
		{"home", "/home/u"}, {"~/x", "/home/u/x"}, {"host", "/"}, {"/srv", "/srv"}, {"xdg-videos", "/media/v"}, {"xdg-videos/a", "/media/v/a"},
		{"xdg-config", "/home/u/.config"}, {"xdg-data/x", "/data/x"}, {"xdg-state", "/home/u/.local/state"},
		{"xdg-music", ""},   // switched off: it is the home
		{"xdg-music/a", ""}, // and so is what would lie in it
		{"xdg-desktop", ""}, {"xdg-download", ""}, {"xdg-pictures", ""}, {"nonsense", ""},
	} {
		got, err := l.Resolve(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Resolve(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, home := range []string{"", "/", "/usr", "relative", "/home/../u"} {
		if p, err := (Locations{Home: home}).Resolve("home"); err == nil {
			t.Errorf("with HOME=%q, home is %q", home, p)
		}
		if p, err := (Locations{Home: home}).Resolve("xdg-config"); err == nil && home != "/" {
			t.Errorf("with HOME=%q, xdg-config is %q", home, p)
		}
	}
	s, err := set("files:xdg-music:write", "files:~/a:read").Resolve(l)
	if err == nil || s.String() != "files:/home/u/a:read\n" {
		t.Errorf("Resolve gave %q, %v", s, err)
	}
}

// What is enforced (the resolved Set) and what is explained (At) agree, but
// that a Set asks where only At can tell that two paths do not meet.
func TestAtAgreesWithResolve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Merge(drawLayers(t, Files)...)
		s, err := e.Set().Resolve(where)
		if err != nil {
			t.Fatal(err)
		}
		if at := e.At(where).Set(); !at.CoversSet(s) || len(e.Asks()) == 0 && !at.Equal(s) {
			t.Fatalf("%v\nresolved\n%v\nat\n%v", e, s, at)
		}
	})
}

func TestMayConnect(t *testing.T) {
	for _, c := range []struct {
		name, host, addr string
		port             uint16
		set              Set
		want             bool
	}{
		{"a granted name", "a.org", "8.8.8.8", 443, set("network:a.org:443"), true},
		{"case and final dot do not matter", "A.ORG.", "8.8.8.8", 443, set("network:a.org:443"), true},
		{"another port", "a.org", "8.8.8.8", 80, set("network:a.org:443"), false},
		{"another name", "b.org", "8.8.8.8", 443, set("network:a.org:443"), false},
		{"a name ending alike", "xa.org", "8.8.8.8", 443, set("network:*.a.org"), false},
		{"below a domain", "x.y.a.org", "8.8.8.8", 443, set("network:*.a.org"), true},
		{"the domain itself", "a.org", "8.8.8.8", 443, set("network:*.a.org"), false},
		{"its address without the name", "", "8.8.8.8", 443, set("network:a.org:443"), false},
		{"rebinding to the local network", "a.org", "192.168.1.1", 443, set("network:a.org:443"), false},
		{"rebinding when lan is granted", "a.org", "192.168.1.1", 443, set("network:a.org:443", "network:lan"), true},
		{"rebinding to loopback", "a.org", "127.0.0.1", 443, set("network:a.org:443", "network:lan", "network:internet"), false},
		{"rebinding to metadata", "a.org", "169.254.169.254", 80, set("network:a.org", "network:lan", "network:internet"), false},
		{"rebinding through NAT64", "a.org", "64:ff9b::c0a8:101", 443, set("network:a.org:443"), false},
		{"NAT64 to the internet", "a.org", "64:ff9b::808:808", 443, set("network:a.org:443"), true},
		{"rebinding by a mapped address", "a.org", "::ffff:10.0.0.1", 443, set("network:a.org:443"), false},
		{"a local name leads to local addresses", "nas.local", "192.168.1.9", 445, set("network:nas.local:445"), true},
		{"a local name does not lead to loopback", "nas.local", "127.0.0.1", 445, set("network:nas.local:445"), false},
		{"internet is not lan", "", "10.0.0.1", 80, set("network:internet"), false},
		{"internet by name", "any.example", "1.1.1.1", 80, set("network:internet"), true},
		{"internet by address", "", "1.1.1.1", 80, set("network:internet"), true},
		{"internet does not open local names", "nas.local", "10.0.0.1", 80, set("network:internet"), false},
		{"lan by address", "", "fe80::1", 80, set("network:lan"), true},
		{"lan is not the internet", "", "1.1.1.1", 80, set("network:lan"), false},
		{"a range", "", "10.1.2.3", 22, set("network:10.0.0.0/8:22"), true},
		{"metadata by name of its address", "", "169.254.169.254", 80, set("network:169.254.169.254:80"), true},
		{"denied name under internet", "ads.example", "1.1.1.1", 80, set("network:internet", "deny network:ads.example"), false},
		{"another name under internet", "a.example", "1.1.1.1", 80, set("network:internet", "deny network:ads.example"), true},
		{"denied range behind a granted name", "a.org", "1.1.1.1", 80, set("network:a.org", "deny network:1.1.1.0/24"), false},
		{"denied port", "a.org", "1.1.1.1", 25, set("network:internet", "deny network:a.org:25"), false},
		{"host with nothing denied", "", "127.0.0.1", 80, set("network:host"), true},
		{"host with something denied", "", "127.0.0.1", 80, set("network:host", "deny network:a.org"), false},
		{"port 0", "a.org", "1.1.1.1", 0, set("network:host"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.set.MayConnect(c.host, netip.MustParseAddr(c.addr), c.port); got != c.want {
				t.Errorf("MayConnect(%q, %s, %d) = %v under\n%v", c.host, c.addr, c.port, got, c.set)
			}
		})
	}
	if s := set("network:a.org:443", "network:*.b.org"); !s.MayLookUp("A.org.") || !s.MayLookUp("x.b.org") || s.MayLookUp("b.org") || s.MayLookUp("") {
		t.Error("MayLookUp is wrong")
	}
	if set("network:host").MayConnect("", netip.Addr{}, 1) {
		t.Error("no address may be connected to")
	}
}

func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		set  Set
		want []string
	}{
		{set("network:none"), nil},
		{set("network:host", "network:a.org"), []string{"host"}},
		{set("network:internet", "network:a.org:443", "network:nas:445"), []string{"internet", "nas:445"}},
		{set("network:host", "deny network:a.org"), []string{"internet", "lan"}},
		{set("network:internet", "deny network:host"), nil},
		{set("network:10.0.0.0/9", "network:10.128.0.0/9", "network:10.0.0.0/8"), []string{"10.0.0.0/8"}},
	} {
		if got := c.set.Network(); !slices.Equal(got, c.want) {
			t.Errorf("Network() = %v, want %v", got, c.want)
		}
	}
}

func TestBus(t *testing.T) {
	b := set("session-bus:talk:org.foo.*", "session-bus:own:org.me.App", "session-bus:call:org.bar.B=a.I.Do@/x/*", "system-bus:talk:org.sys.S",
		"deny session-bus:talk:org.foo.Secret", "deny session-bus:call:org.foo.A=a.I.Kill").Bus(SessionBus)
	for name, want := range map[string]BusAccess{
		"org.foo.A": BusTalk, "org.foo": BusNone, "org.food.A": BusNone, "org.foo.Secret": BusSee, "org.me.App": BusOwn, "org.bar.B": BusSee, "org.sys.S": BusNone, "": BusNone,
	} {
		if got := b.Access(name); got != want {
			t.Errorf("Access(%q) = %v, want %v", name, got, want)
		}
	}
	for _, c := range []struct {
		name, iface, member, path string
		want                      bool
	}{
		{"org.foo.A", "a.I", "Do", "/", true},
		{"org.foo.A", "a.I", "Kill", "/", false},
		{"org.foo.Secret", "a.I", "Do", "/", false},
		{"org.bar.B", "a.I", "Do", "/x/y", true},
		{"org.bar.B", "a.I", "Do", "/xy", false},
		{"org.bar.B", "a.I", "Don't", "/x", false},
		{"org.bar.B", "a.J", "Do", "/x", false},
	} {
		if got := b.MayCall(c.name, c.iface, c.member, c.path); got != c.want {
			t.Errorf("MayCall(%v) = %v", c, got)
		}
	}
	if n := len(b.Rules()); n != 5 {
		t.Errorf("%d rules: %v", n, b.Rules())
	}
}

func TestWordsAndEnv(t *testing.T) {
	s := set("device:all", "deny device:camera", "socket:cups", "feature:devel", "portal:print", "env:A=x=y", "env:B", "env:C=", "env:D=1", "env:D", "deny env:C")
	if got, want := s.Devices(), []string{"gpu", "input", "sound", "kvm", "usb", "serial", "tty"}; !slices.Equal(got, want) {
		t.Errorf("Devices = %v", got)
	}
	if got := set("device:all").Devices(); !slices.Equal(got, []string{"all"}) {
		t.Errorf("Devices = %v", got)
	}
	if !slices.Equal(s.Sockets(), []string{"cups"}) || !slices.Equal(s.Features(), []string{"devel"}) || !slices.Equal(s.Portals(), []string{"print"}) {
		t.Error("a word was lost")
	}
	if got, want := s.Env(), []EnvRule{{"A", "x=y", true}, {"B", "", false}, {"D", "", false}}; !slices.Equal(got, want) {
		t.Errorf("Env = %v", got)
	}
	if !s.Has(Device, "gpu") || s.Has(Device, "camera") || !set("files:home:write").Has(Files, "~/x") || s.Has("nonsense", "x") {
		t.Error("Has is wrong")
	}
}

func TestLimits(t *testing.T) {
	s := set("limit:memory=512M", "limit:cpu=150%", "limit:time=90m", "limit:pids=7", "limit:io=50M", "limit:swap=0")
	for name, want := range map[string]int64{"memory": 512 << 20, "cpu": 1500, "time": 5400_000, "pids": 7, "io": 50 << 20, "swap": 0} {
		v, ok := s.Limit(name)
		if !ok || v.Int() != want || v.Name() != name || v.IsZero() {
			t.Errorf("%s = %v, %v", name, v.Int(), ok)
		}
	}
	if v, ok := s.Limit("files"); ok || !v.IsZero() || v.String() != "" {
		t.Error("a limit nobody set")
	}
	cpu, _ := s.Limit("cpu")
	long, _ := s.Limit("time")
	if cpu.Cores() != 1.5 || long.Duration().Minutes() != 90 {
		t.Errorf("%v cores, %v", cpu.Cores(), long.Duration())
	}
	if !s.Covers(must("limit:memory=1M")) || s.Covers(must("limit:memory=1G")) || !s.Covers(must("limit:files=64")) {
		t.Error("a limit covers what is within it")
	}
	if s.CoversSet(Set{}) || !(Set{}).CoversSet(set("limit:memory=1G")) {
		t.Error("without a limit is wider than with one")
	}
}
