package runtime

import (
	"slices"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/permissions"
)

func TestFileGrants(t *testing.T) {
	f := standard()
	f["/home/ann/Docs"] = "->/srv/docs"
	f["/srv/docs"] = "dir"
	f["/srv/docs/a"] = "dir"
	for _, c := range []struct {
		name           string
		list           []string
		target, source string
		readOnly       bool
	}{
		{"a directory, at its real path", []string{"files:~/Documents:read"}, "/home/ann/Documents", "/home/ann/Documents", true},
		{"written", []string{"files:~/Documents:write"}, "/home/ann/Documents", "/home/ann/Documents", false},
		{"a file", []string{"files:~/notes.txt:write"}, "/home/ann/notes.txt", "/home/ann/notes.txt", false},
		{"an xdg name", []string{"files:xdg-documents:read"}, "/home/ann/Documents", "/home/ann/Documents", true},
		{"a link leads outside the home", []string{"files:~/Docs:read"}, "/home/ann/Docs", "/srv/docs", true},
		{"an absolute spelling of a place in the home", []string{"files:/home/ann/Documents:read"}, "/home/ann/Documents", "/home/ann/Documents", true},
		{"narrower inside wider", []string{"files:/srv:write", "!files:/srv/docs:write"}, "/srv/docs", "/srv/docs", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustPlan(t, f, c.list...).step(c.target)
			if s == nil || s.Do != Bind || s.Source != c.source || s.ReadOnly != c.readOnly {
				t.Errorf("step at %s: %v", c.target, s)
			}
		})
	}
}

func TestRefusedFileGrants(t *testing.T) {
	f := standard()
	f["/home/ann/pipe"], f["/home/ann/sock"], f["/home/ann/node"] = "fifo", "socket", "char"
	f["/home/ann/a"], f["/home/ann/b"] = "->b", "->a"
	f["/home/ann/etc"] = "->/etc"
	f["/home/ann/keys"] = "->.ssh"
	f["/home/ann/root"] = "->/"
	f["/home/ann/.local/share/sandbox"] = "dir"
	f["/home/ann/state"] = "->.local/share/sandbox"
	for _, c := range []struct{ name, grant, want string }{
		{"missing", "files:~/nope:read", "no such file"},
		{"a FIFO would block", "files:~/pipe:read", "FIFO"},
		{"a socket", "files:~/sock:read", "socket"},
		{"a device", "files:~/node:read", "device"},
		{"a circle of links", "files:~/a:read", "circle"},
		{"a link to the system", "files:~/etc:read", "reserved"},
		{"a link to the root", "files:~/root:read", "reserved"},
		{"a link to keys, which another app may have planted", "files:~/keys:read", "leads to /home/ann/.ssh"},
		{"a link to our own state", "files:~/state:read", "sandbox itself"},
		{"our own state by name", "files:~/.local/share/sandbox:read", "sandbox itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan(t, f, c.grant)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("plan: %v, want %q", err, c.want)
			}
		})
	}
	if _, err := plan(t, f, "files:~/.ssh:read"); err != nil {
		t.Errorf("keys named outright are refused too: %v", err)
	}
}

func TestMissingGrantOfTheManifestIsANote(t *testing.T) {
	host := standard().host()
	man := parseManifest(t, staticApp+"[permissions]\n\"files:~/Music:read\" = \"play it\"\n")
	p, err := Make(Request{Manifest: man, Bundle: "/b/app", Instance: "app-1", Permissions: permissions.Merge(man.Layer())}, host)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "files:~/Music:read gives nothing") }) {
		t.Errorf("notes: %q", p.Notes)
	}
}

func TestCreateMakesOnlyWhatIsMissing(t *testing.T) {
	p := mustPlan(t, standard(), "files:~/Documents/new/deep:create")
	var paths []string
	for _, m := range p.Make {
		paths = append(paths, m.Path)
	}
	if want := []string{"/home/ann/Documents/new", "/home/ann/Documents/new/deep"}; !slices.Equal(paths, want) {
		t.Errorf("made: %q, want %q", paths, want)
	}
	if p := mustPlan(t, standard(), "files:~/Documents:create"); len(p.Make) != 0 {
		t.Errorf("made although it exists: %v", p.Make)
	}
}

// Deny wins at any depth and in any order.
func TestDeniedPathsAreCovered(t *testing.T) {
	f := standard()
	f["/srv/a"], f["/srv/a/b"], f["/srv/a/b/secret"] = "dir", "dir", "file"
	for _, list := range [][]string{
		{"files:/srv:write", "!files:/srv/a/b"},
		{"!files:/srv/a/b", "files:/srv:write"},
		{"!files:/srv/a/b", "files:/srv:write", "files:/srv/a/b/secret:read"},
	} {
		p := mustPlan(t, f, list...)
		if s := p.step("/srv/a/b"); s == nil || s.Do != Mask {
			t.Errorf("%q: /srv/a/b is not covered: %v", list, s)
		}
		if s := p.step("/srv/a"); s == nil || s.Do != Self || s.ReadOnly {
			t.Errorf("%q: /srv/a could be renamed away: %v", list, s)
		}
		if s := p.step("/srv/a/b/secret"); s != nil {
			t.Errorf("%q: a grant inside the denied directory is mounted: %v", list, s)
		}
	}
	missing := mustPlan(t, f, "files:/srv:write", "!files:/srv/later")
	if s := missing.step("/srv/later"); s == nil || s.Do != Mask || len(missing.Make) == 0 {
		t.Errorf("a denied path that does not exist could be made by the app: %v", s)
	}
}

func TestHomeGrantKeepsKeysAndStartupFilesOut(t *testing.T) {
	p := mustPlan(t, standard(), "files:home:write")
	for target, do := range map[string]Verb{
		"/home/ann/.ssh":                 Mask,
		"/home/ann/.bashrc":              Self,
		"/home/ann/.bash_profile":        Self,
		"/home/ann/.config/autostart":    Self,
		"/home/ann/.local/share/sandbox": Mask,
		"/home/ann/.config/sandbox":      Mask,
		"/home/ann/.local/share/dbus-1":  Self,
		"/home/ann/.config":              Self,
		"/home/ann/.local":               Self,
	} {
		s := p.step(target)
		if s == nil || s.Do != do {
			t.Errorf("%s: %v, want %s", target, s, do)
		}
	}
	if s := p.step("/home/ann/.zshrc"); s != nil {
		t.Error("a file is made for a shell that is not there")
	}
	if s := mustPlan(t, standard(), "files:home:write", "files:~/.bashrc:write").step("/home/ann/.bashrc"); s != nil && s.Do == Self && s.ReadOnly {
		t.Errorf("a grant by name does not open it: %v", s)
	}
	if s := mustPlan(t, standard(), "files:~/Documents:write").step("/home/ann/.ssh"); s != nil {
		t.Errorf("a narrow grant touches the keys: %v", s)
	}
}

func TestSymlinkedStartupFileKeepsItsName(t *testing.T) {
	f := standard()
	f["/home/ann/dotfiles"], f["/home/ann/dotfiles/bashrc"], f["/home/ann/.bashrc"] = "dir", "file", "->dotfiles/bashrc"
	p := mustPlan(t, f, "files:home:write")
	if s := p.step("/home/ann/dotfiles/bashrc"); s == nil || s.Do != Self || !s.ReadOnly {
		t.Errorf("the file behind the link: %v", s)
	}
	if s := p.step("/home/ann/.bashrc"); s == nil || s.Do != Self || !s.Link {
		t.Errorf("the link: %v", s)
	}
}

func TestHintsNameAWayOut(t *testing.T) {
	_, err := plan(t, standard(), "files:~/nope:read")
	if hint.Of(err) == "" {
		t.Errorf("no hint in %v", err)
	}
}
