package export

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/manifest"
)

// names are what a report says about names, a line each.
func names(r Report) string {
	var b strings.Builder
	for _, c := range r.Commands {
		fmt.Fprintf(&b, "%s %s", c.Name, c.Target)
		if c.Alias {
			b.WriteString(" alias")
		}
		if c.Linked {
			b.WriteString(" linked")
		}
		if c.Hides != "" {
			b.WriteString(" hides " + filepath.Base(c.Hides))
		}
		if c.Why != "" {
			b.WriteString(": " + c.Why)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func wantNames(t *testing.T, r Report, want string) {
	t.Helper()
	if got := names(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func alias(name, target string) func(*Decisions) error {
	return func(d *Decisions) error {
		if target == "" {
			delete(d.Aliases, name)
			return nil
		}
		id, command, _ := strings.Cut(target, ":")
		d.Aliases[name] = Target{manifest.ID(id), command}
		return nil
	}
}

func decides(t *testing.T, p Place, apps []App, edit func(*Decisions) error) Report {
	t.Helper()
	r, err := Change(p, these(apps...), func(_ []App, d *Decisions) error { return edit(d) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A name of the system is nobody's but by alias, whether the host has the
// program or not; nor is a name that the host has.
func TestNamesOfTheHostAreNotTaken(t *testing.T) {
	p := newPlace(t, "tool", "ls")
	app := newApp(t, "org.example.Tool", "commands = { tool = \"tool\", ls = \"ls\", sudo = \"tool\", free = \"free\" }", nil)
	syncs(t, p, app)
	for _, name := range []string{"bin/ls", "bin/sudo", "bin/tool"} {
		absent(t, p, name)
	}
	r := syncs(t, p, app)
	for name, why := range map[string]string{"ls": "/bin/ls has this name", "tool": "/bin/tool has this name", "sudo": "name of a program of the system", "free": ""} {
		i := slices.IndexFunc(r.Commands, func(c Command) bool { return c.Name == name })
		if c := r.Commands[i]; c.Linked != (why == "") || !strings.Contains(c.Why, why) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// The user's word counts, and what is hidden by it is said.
	r = decides(t, p, []App{app}, alias("ls", "org.example.Tool:ls"))
	if target, _ := os.Readlink(filepath.Join(p.Data, "bin/ls")); target != "../command/org.example.Tool:ls" {
		t.Errorf("ls leads to %q", target)
	}
	i := slices.IndexFunc(r.Commands, func(c Command) bool { return c.Name == "ls" })
	if c := r.Commands[i]; !c.Alias || !c.Linked || filepath.Base(c.Hides) != "ls" {
		t.Errorf("%+v", c)
	}
	// Taken back, the host has its name again.
	decides(t, p, []App{app}, alias("ls", ""))
	absent(t, p, "bin/ls")
}

// Of two apps the first keeps the name, whatever comes later; an alias decides.
func TestTwoAppsWantOneName(t *testing.T) {
	p := newPlace(t)
	b := newApp(t, "org.example.B", "", nil)
	a := newApp(t, "org.example.A", "", nil)
	syncs(t, p, b)
	r := syncs(t, p, a, b)
	wantNames(t, r, "tool org.example.A:tool: org.example.B has this name\ntool org.example.B:tool linked\n")
	r = decides(t, p, []App{a, b}, alias("tool", "org.example.A:tool"))
	wantNames(t, r, "tool org.example.A:tool alias linked\ntool org.example.B:tool: by your alias it starts org.example.A:tool\n")
	// A second name for the main command of the other.
	r = decides(t, p, []App{a, b}, alias("toolb", "org.example.B"))
	if target, _ := os.Readlink(filepath.Join(p.Data, "bin/toolb")); target != "../command/org.example.B:" {
		t.Errorf("toolb leads to %q\n%s", target, names(r))
	}
	// When the app goes, its alias goes, and the name is the other's.
	r = syncs(t, p, b)
	wantNames(t, r, "tool org.example.B:tool linked\ntoolb org.example.B alias linked\n")
	if d, err := LoadDecisions(p); err != nil || !slices.Equal(slices.Collect(maps.Keys(d.Aliases)), []string{"toolb"}) {
		t.Errorf("%v: %+v", err, d)
	}
	// And does not come back with it: that would be a name given away unasked.
	wantNames(t, syncs(t, p, a, b), "tool org.example.A:tool: org.example.B has this name\ntool org.example.B:tool linked\ntoolb org.example.B alias linked\n")
}

// A link whose name the host gets later stays, and says what it hides.
func TestHostGetsAProgramLater(t *testing.T) {
	p := newPlace(t)
	app := newApp(t, "org.example.Tool", "", nil)
	syncs(t, p, app)
	write(t, filepath.Join(p.Path[0], "tool"), "")
	os.Chmod(filepath.Join(p.Path[0], "tool"), 0o755)
	wantNames(t, syncs(t, p, app), "tool org.example.Tool:tool linked hides tool\n")
	// Installed anew it is the host's.
	syncs(t, p)
	if r := syncs(t, p, app); r.Commands[0].Linked {
		t.Errorf("%+v", r.Commands)
	}
}

// Links of another place in PATH, such as the machine's, are no programs of the
// host; nor is a file that cannot be executed.
func TestOtherPlacesAreNotTheHost(t *testing.T) {
	system := newPlace(t)
	app := newApp(t, "org.example.Tool", "", nil)
	syncs(t, system, app)
	p := newPlace(t)
	program := filepath.Join(t.TempDir(), "sandbox")
	write(t, program, "")
	os.Chmod(program, 0o755)
	system.Program = program
	syncs(t, system, app)
	write(t, filepath.Join(p.Path[0], "tool"), "no program")
	p.Path = append(p.Path, system.Bin())
	if r := syncs(t, p, app); !r.Commands[0].Linked {
		t.Errorf("%+v", r.Commands)
	}
}

// An app of the whole machine is exported there; the user's place has aliases
// for it only.
func TestAppsElsewhere(t *testing.T) {
	p := newPlace(t)
	app := full(t)
	app.Elsewhere = true
	wantNames(t, decides(t, p, []App{app}, alias("t", "org.example.Tool")), "t org.example.Tool alias linked\n")
	if got := listing(t, p); got != "bin/t -> ../command/org.example.Tool:\ncommand/org.example.Tool: -> /opt/sandbox/bin/sandbox\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestAliasesThatCannotBe(t *testing.T) {
	p := newPlace(t)
	app := newApp(t, "org.example.Tool", "", nil)
	wantNames(t, decides(t, p, []App{app}, alias("x", "org.example.Tool:none")), "tool org.example.Tool:tool linked\nx org.example.Tool:none alias: org.example.Tool has no command none\n")
	for name, text := range map[string]string{
		"a path":           `{"format":1,"aliases":{"../x":{"app":"org.example.Tool"}}}`,
		"our own name":     `{"format":1,"aliases":{"sandbox":{"app":"org.example.Tool"}}}`,
		"no id":            `{"format":1,"aliases":{"x":{"app":"tool"}}}`,
		"a command path":   `{"format":1,"aliases":{"x":{"app":"org.example.Tool","command":"/bin/sh"}}}`,
		"an unknown key":   `{"format":1,"alias":{}}`,
		"a later format":   `{"format":2}`,
		"no JSON":          `x`,
		"a bad completion": `{"format":1,"completions":["x"]}`,
	} {
		write(t, filepath.Join(p.Config, decisionsName), text)
		if _, err := Sync(p, these(app)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Completions are taken for the apps that the user named, and for commands that
// these have in PATH.
func TestCompletionsOnlyWhenAllowed(t *testing.T) {
	p := newPlace(t, "toolw")
	app := full(t)
	syncs(t, p, app)
	for _, dir := range []string{"share/bash-completion", "share/zsh", "share/fish"} {
		absent(t, p, dir)
	}
	allow := func(d *Decisions) error { d.Completions = []manifest.ID{app.ID}; return nil }
	decides(t, p, []App{app}, allow)
	content(t, p, "share/bash-completion/completions/tool")
	content(t, p, "share/zsh/site-functions/_tool")
	absent(t, p, "share/fish") // toolw is the host's
	decides(t, p, []App{app}, func(d *Decisions) error { d.Completions = nil; return nil })
	absent(t, p, "share/bash-completion")
	// The word goes with the app.
	decides(t, p, []App{app}, allow)
	syncs(t, p)
	syncs(t, p, app)
	absent(t, p, "share/bash-completion")
}

// A page is shown for a command that the app has, and not in front of a page of
// the host for something else.
func TestPagesFollowCommands(t *testing.T) {
	p := newPlace(t, "taken")
	app := newApp(t, "org.example.Tool", "commands = { host = \"tool\", taken = \"tool\" }\n[export]\nman = [\"host.1\", \"hostpage.1\", \"hostother.1\", \"taken.1\"]",
		map[string]string{"files/host.1": "a", "files/hostpage.1": "b", "files/hostother.1": "c", "files/taken.1": "d"})
	syncs(t, p, app)
	content(t, p, "share/man/man1/host.1")
	content(t, p, "share/man/man1/hostother.1")
	absent(t, p, "share/man/man1/hostpage.1")
	absent(t, p, "share/man/man1/taken.1")
}

// An id that is the beginning of another cannot take the other's files.
func TestIDsThatBeginAlike(t *testing.T) {
	short := newApp(t, "org.example.Tool", "commands = {}\n[export]\nicons = [\"org.example.Tool.Extra.png\"]", map[string]string{"files/org.example.Tool.Extra.png": picture(t, 16, 16)})
	long := newApp(t, "org.example.Tool.Extra", "commands = {}\n[export]\nicons = [\"org.example.Tool.Extra.png\"]", map[string]string{"files/org.example.Tool.Extra.png": picture(t, 16, 16)})
	for _, apps := range [][]App{{short, long}, {long, short}} {
		p := newPlace(t)
		syncs(t, p, short)
		r := syncs(t, p, apps...)
		noted(t, r, "org.example.Tool.Extra.png", "org.example.Tool.Extra exports it")
		rec, err := loadRecord(p)
		if err != nil || rec.Files["share/icons/hicolor/16x16/apps/org.example.Tool.Extra.png"].App != "org.example.Tool.Extra" {
			t.Errorf("%v: %+v", err, rec)
		}
	}
}
