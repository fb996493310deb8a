package permissions

import (
	"strings"
	"testing"
)

// layers reads one layer a line: "manifest: allow files:home:write, deny …".
func layers(text string) []Layer {
	var out []Layer
	for line := range strings.Lines(strings.TrimSpace(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		l := Layer{Name: name}
		for i, e := range strings.Split(rest, ", ") {
			word, p, _ := strings.Cut(e, " ")
			d, err := ParseDecision(word)
			if err != nil {
				panic(err)
			}
			l.Entries = append(l.Entries, Entry{Permission: must(p), Decision: d, Origin: Origin{File: name + ".toml", Line: i + 1}})
		}
		out = append(out, l)
	}
	return out
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name, layers string
		yes, no, ask string // wanted of Decide
	}{
		{"nothing said, nothing granted", "manifest: unset device:gpu", "", "device:gpu network:host files:home:read", ""},
		{"a manifest grant", "manifest: allow device:gpu", "device:gpu", "device:kvm", ""},
		{"deny masks a part of a wider grant", "manifest: allow files:home:write\nuser: deny files:~/.ssh:read",
			"files:~/x:write", "files:~/.ssh:read files:~/.ssh/id:read files:home:read", ""},
		{"a grant inside a denied directory stays denied", "user: deny files:~/.ssh:read\nthis run: allow files:~/.ssh/config:read",
			"", "files:~/.ssh/config:read", ""},
		{"a denial below beats a grant above", "administrator: deny network:host\nuser: allow network:internet\nanswer: allow network:a.org:443",
			"", "network:internet network:a.org:443", ""},
		{"deny write leaves reading", "manifest: allow files:home:write\nuser: deny files:~/x:write", "files:~/x/y:read", "files:~/x/y:write", ""},
		{"user narrows to read", "manifest: allow files:~/Documents:write\nuser: allow files:~/Documents:read",
			"files:~/Documents:read", "files:~/Documents:write", ""},
		{"user widens", "manifest: allow files:~/Documents:read\nuser: allow files:~/Documents:write", "files:~/Documents:write", "", ""},
		{"a narrower grant takes nothing from a wider one", "manifest: allow files:home:write\nuser: allow files:~/x:read", "files:~/x:write", "", ""},
		{"optional asks", "manifest: ask files:~/x:read", "", "files:~/x:write files:~/y:read", "files:~/x:read files:~/x/deep:read"},
		{"an answer allows", "manifest: ask files:~/x:read\nanswer: allow files:~/x:read", "files:~/x/y:read", "", ""},
		{"an answer for a part opens the part", "manifest: ask files:~/x:read\nanswer: allow files:~/x/y:read",
			"files:~/x/y:read", "", "files:~/x:read files:~/x/z:read"},
		{"an answer denies", "manifest: ask files:~/x:read\nanswer: deny files:~/x:read", "", "files:~/x:read", ""},
		{"the user's wide grant answers a narrow question", "manifest: ask files:~/x:read\nuser: allow files:home:read", "files:~/x:read", "", ""},
		{"a weaker answer leaves the stronger question", "manifest: ask files:~/x:write\nanswer: allow files:~/x:read", "files:~/x:read", "", "files:~/x:write"},
		{"a question inside a wider grant is asked", "manifest: allow files:home:write\nuser: ask files:~/Private:read",
			"files:~/x:write", "files:~/Private:create", "files:~/Private:read files:~/Private/x:read"},
		{"a question above beats a grant inside it below", "manifest: allow files:~/Private/x:read\nuser: ask files:~/Private:read", "", "", "files:~/Private/x:read"},
		{"in one layer the narrower of question and grant counts", "user: ask files:~/Private:read, allow files:~/Private/x:read",
			"files:~/Private/x:read", "", "files:~/Private/y:read"},
		{"required read and optional write of one place", "manifest: allow files:~/x:read, ask files:~/x:write", "files:~/x:read", "", "files:~/x:write"},
		{"user sets a grant back to a question", "manifest: allow device:camera\nuser: ask device:camera", "", "", "device:camera"},
		{"denied questions are not asked", "manifest: ask device:camera\nadministrator: deny device:all", "", "device:camera", ""},
		{"network none clears what is below", "manifest: allow network:internet\nuser: allow network:none", "", "network:internet", ""},
		{"network none is no denial", "manifest: allow network:none\nuser: allow network:internet", "network:internet", "", ""},
		{"network none wins in its own layer", "manifest: allow network:none, allow network:host", "", "network:host network:a.org", ""},
		{"host shrinks when something is denied", "manifest: allow network:host\nuser: deny network:*.ads.example",
			"network:a.org:443 network:10.0.0.1", "network:host network:x.ads.example network:169.254.169.254", ""},
		{"device all shrinks when something is denied", "manifest: allow device:all\nuser: deny device:camera", "device:gpu", "device:camera device:all", ""},
		{"env value replaced", "manifest: allow env:PAGER=less\nuser: allow env:PAGER=more", "env:PAGER=more", "env:PAGER=less", ""},
		{"env denied by name", "manifest: allow env:PAGER=less\nuser: deny env:PAGER", "", "env:PAGER=less", ""},
		{"env denied by value is denied", "manifest: allow env:PAGER\nuser: deny env:PAGER=less", "", "env:PAGER", ""},
		{"bus level replaced", "manifest: allow session-bus:own:org.foo.A\nuser: allow session-bus:talk:org.foo.A",
			"session-bus:talk:org.foo.A session-bus:see:org.foo.A", "session-bus:own:org.foo.A", ""},
		{"own denied leaves talk", "manifest: allow session-bus:own:org.foo.A\nuser: deny session-bus:own:org.foo.A",
			"session-bus:talk:org.foo.A", "session-bus:own:org.foo.A", ""},
		{"talk denied denies calls", "manifest: allow session-bus:call:org.foo.A=a.B.c\nuser: deny session-bus:talk:org.foo.*",
			"session-bus:see:org.foo.A", "session-bus:call:org.foo.A=a.B.c", ""},
		{"one method denied", "manifest: allow session-bus:talk:org.foo.A\nuser: deny session-bus:call:org.foo.A=a.B.c",
			"session-bus:call:org.foo.A=a.B.d", "session-bus:call:org.foo.A=a.B.c session-bus:talk:org.foo.A", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Merge(layers(c.layers)...)
			for want, list := range map[Decision]string{Allow: c.yes, Ask: c.ask, Deny: c.no} {
				for _, text := range strings.Fields(list) {
					got, _ := e.Decide(must(text))
					if got == Unset {
						got = Deny
					}
					if got != want {
						t.Errorf("Decide(%s) = %v, want %v\nset:\n%v", text, got, want, e.Set())
					}
				}
			}
		})
	}
}

func TestWhy(t *testing.T) {
	e := Merge(layers(`
		manifest: allow files:home:read, allow files:~/x:write, ask files:~/y:write, allow network:internet
		user (all apps): deny files:~/.ssh:read
		user: allow files:~/z:read, allow limit:memory=1G, deny network:*.ads.example
	`)...)
	for _, c := range []struct{ p, want string }{
		{"files:~/a:read", "allow files:home:read (manifest, manifest.toml:1)"},
		{"files:~/x/1:write", "allow files:~/x:write (manifest, manifest.toml:2)"},
		{"files:~/x/1:read", "allow files:~/x:write (manifest, manifest.toml:2)"},
		{"files:~/z:read", "allow files:~/z:read (user, user.toml:1)"},
		{"files:~/.ssh/id:read", "deny files:~/.ssh:read (user (all apps), user (all apps).toml:1)"},
		{"files:home:read", "deny files:~/.ssh:read (user (all apps), user (all apps).toml:1)"},
		{"files:~/y/1:write", "ask files:~/y:write (manifest, manifest.toml:3)"},
		{"network:x.ads.example:80", "deny network:*.ads.example (user, user.toml:3)"},
		{"network:a.org", "allow network:internet (manifest, manifest.toml:4)"},
		{"limit:memory=2G", "allow limit:memory=1G (user, user.toml:2)"},
		{"device:gpu", ""},
		{"files:/srv:read", ""},
	} {
		got := ""
		if entry, ok := e.Why(must(c.p)); ok {
			got = entry.Decision.String() + " " + entry.Permission.String() + " (" + entry.Origin.String() + ")"
		}
		if got != c.want {
			t.Errorf("Why(%s) = %q, want %q", c.p, got, c.want)
		}
	}
}

func TestEffectiveKeepsWhatWasOverridden(t *testing.T) {
	e := Merge(layers("manifest: allow files:~/x:write, ask device:camera\nuser: allow files:~/x:read, deny device:kvm")...)
	if o := e.Overridden(); len(o) != 1 || o[0].Permission != must("files:~/x:write") || o[0].Origin.Layer != "manifest" {
		t.Errorf("Overridden = %v", o)
	}
	if a := e.Asks(); len(a) != 1 || a[0].Permission != must("device:camera") {
		t.Errorf("Asks = %v", a)
	}
	if d := e.Denied(); len(d) != 1 || d[0].Permission != must("device:kvm") {
		t.Errorf("Denied = %v", d)
	}
	if n := len(e.Entries()); n != 3 {
		t.Errorf("%d entries", n)
	}
}

func TestLimitsAcrossLayers(t *testing.T) {
	for _, c := range []struct{ name, layers, want string }{
		{"the last layer says", "manifest: allow limit:memory=1G\nuser: allow limit:memory=2G", "2G"},
		{"a ceiling holds", "administrator: deny limit:memory=1G\nuser: allow limit:memory=2G", "1G"},
		{"a ceiling leaves less", "administrator: deny limit:memory=1G\nuser: allow limit:memory=512M", "512M"},
		{"a ceiling alone is a limit", "administrator: deny limit:memory=1G", "1G"},
		{"the smaller of one layer", "manifest: allow limit:memory=2G, allow limit:memory=1G", "1G"},
		{"a question about a limit is none", "manifest: ask limit:memory=1G", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, _ := Merge(layers(c.layers)...).Set().Limit("memory")
			if v.String() != c.want {
				t.Errorf("limit %q, want %q", v, c.want)
			}
		})
	}
}

// An entry nobody could have written grants nothing, and as a denial takes all.
func TestMergeOfNonsense(t *testing.T) {
	bad := Permission{Kind: Device, Subject: "nonsense"}
	e := Merge(Layer{Entries: []Entry{{Permission: bad, Decision: Allow}, {Permission: bad, Decision: Ask}, {Permission: must("device:gpu"), Decision: 77}}})
	if !e.Set().IsZero() || len(e.Entries()) != 0 {
		t.Errorf("nonsense grants %v", e)
	}
	e = Merge(Layer{Entries: []Entry{{Permission: bad, Decision: Deny}, {Permission: must("device:gpu"), Decision: Allow}, {Permission: must("socket:cups"), Decision: Allow}}})
	if e.Set().Covers(must("device:gpu")) || !e.Set().Covers(must("socket:cups")) {
		t.Errorf("denied nonsense leaves %v", e.Set())
	}
}

func BenchmarkMerge(b *testing.B) {
	ls := layers(`
		baseline: allow portal:notification, deny files:~/.ssh:read, deny files:~/.gnupg:read
		manifest: allow files:~/Documents:write, ask files:xdg-download:read, allow network:api.example.org:443, allow network:*.example.net:443, allow device:gpu, allow socket:wayland, allow session-bus:talk:org.freedesktop.Notifications, allow env:EDITOR, allow limit:memory=1G
		user: deny files:~/Documents/secret:read, allow network:internet
	`)
	b.ReportAllocs()
	for b.Loop() {
		Merge(ls...)
	}
}

func BenchmarkFileViewAccess(b *testing.B) {
	s := NewSet([]Permission{must("files:home:write"), must("files:/srv:read")}, []Permission{must("files:~/.ssh:read")})
	v, _ := s.View(Locations{Home: "/home/u"})
	for b.Loop() {
		v.Access("/home/u/Documents/letter.txt")
	}
}
