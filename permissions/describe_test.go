package permissions

import (
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct{ p, want string }{
		{"files:~/Documents:write", "read and change the files in ~/Documents"},
		{"files:home:read", "read your whole home directory"},
		{"files:xdg-download:read", "read the files in your downloads folder"},
		{"files:xdg-download/a/b:create", "create, read and change the files in a/b in your downloads folder"},
		{"network:host", "use the host's own network, its local services included"},
		{"network:api.example.org:443", "reach api.example.org on port 443"},
		{"network:*.example.org", "reach every host below example.org"},
		{"network:10.0.0.0/8:22", "reach the addresses 10.0.0.0/8 on port 22"},
		{"network:[2001:db8::1]:80", "reach 2001:db8::1 on port 80"},
		{"session-bus:talk:org.foo.A", "talk to org.foo.A in your session"},
		{"system-bus:own:org.foo.*", "act as every program below org.foo in the system"},
		{"session-bus:call:org.foo.A=a.B.c@/x", "call a.B.c of org.foo.A in your session"},
		{"session-bus:call:org.foo.A=a.B.*", "call the methods of a.B of org.foo.A in your session"},
		{"env:EDITOR", "see your EDITOR"},
		{"env:PAGER=less", `see PAGER with the value "less"`},
		{"limit:memory=512M", "use up to 512M of memory"},
		{"limit:cpu=1.5", "use up to 1.5 processors"},
		{"limit:time=30m", "run for up to 30m"},
		{"device:gpu", "use the graphics card"},
	} {
		if got := Describe(must(c.p)); got != c.want {
			t.Errorf("Describe(%s) = %q, want %q", c.p, got, c.want)
		}
	}
	for _, c := range []struct{ p, want string }{
		{"files:~/.ssh:read", "nothing in ~/.ssh can be read or changed"},
		{"files:~/.ssh:write", "nothing in ~/.ssh can be changed"},
		{"device:camera", "the app cannot use the cameras"},
	} {
		if got := DescribeDenied(must(c.p)); got != c.want {
			t.Errorf("DescribeDenied(%s) = %q, want %q", c.p, got, c.want)
		}
	}
}

func TestDescribeIsSafe(t *testing.T) {
	for _, p := range []Permission{{Kind: Files, Subject: "~/\x1b[2K", Access: Read}, {Kind: "\x1b", Subject: "\n"}, {}} {
		for _, s := range []string{Describe(p), DescribeDenied(p)} {
			if s == "" || strings.ContainsAny(s, "\x1b\n") {
				t.Errorf("%#v is described as %q", p, s)
			}
		}
	}
}

func TestRisk(t *testing.T) {
	for _, c := range []struct {
		p    string
		want Danger
	}{
		{"files:home:read", High}, {"files:host:read", High}, {"files:~/Documents:write", Medium}, {"files:~/.ssh:read", High}, {"files:~/.ssh/known_hosts:read", High},
		{"files:~/.bashrc:write", High}, {"files:~/.bashrc:read", Medium}, {"files:~/.config:write", High}, {"files:~/.config/nano:write", High}, {"files:~/.local:read", High},
		{"files:xdg-config/autostart:write", High}, {"files:xdg-data/keyrings:read", High}, {"files:xdg-music:write", Low}, {"files:xdg-cache/app:write", Medium},
		{"files:/home:read", High}, {"files:/home/u:read", High}, {"files:/home/u/.ssh:read", High}, {"files:/home/u/x:read", Medium}, {"files:/boot:read", High},
		{"files:/srv/data:write", Medium}, {"files:/srv:read", High}, {"files:/tmp/x:write", Medium}, {"files:/root:read", High}, {"files:/root/.ssh:read", High},
		{"network:host", High}, {"network:internet", Medium}, {"network:a.org:443", Low}, {"network:nas.local", Medium}, {"network:169.254.169.254", High}, {"network:10.0.0.0/8", Medium},
		{"session-bus:talk:org.freedesktop.systemd1", High}, {"session-bus:talk:org.freedesktop.*", High}, {"session-bus:see:org.freedesktop.systemd1", Low},
		{"session-bus:talk:org.freedesktop.Notifications", Medium}, {"session-bus:call:org.freedesktop.Flatpak=*", High}, {"system-bus:talk:org.freedesktop.login1.X", High},
		{"env:EDITOR", Low}, {"env:GITHUB_TOKEN", High}, {"env:GITHUB_TOKEN=x", Low}, {"env:LD_PRELOAD", Medium},
		{"socket:x11", High}, {"limit:memory=1G", Low},
	} {
		got, why := Risk(must(c.p))
		if got != c.want || why == "" {
			t.Errorf("Risk(%s) = %v (%s), want %v", c.p, got, why, c.want)
		}
	}
	if d, _ := Risk(Permission{}); d != High {
		t.Error("what is not known is not harmless")
	}
}
