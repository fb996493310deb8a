package export

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSyncMakesAllAndTakesAllAway(t *testing.T) {
	p := newPlace(t)
	app := full(t)
	r := syncs(t, p, app)
	want := `bin/tool -> ../command/org.example.Tool:tool
bin/toolw -> ../command/org.example.Tool:toolw
command/org.example.Tool:tool -> /opt/sandbox/bin/sandbox
command/org.example.Tool:toolw -> /opt/sandbox/bin/sandbox
share/applications/mimeinfo.cache
share/applications/org.example.Tool.desktop
share/dbus-1/services/org.example.Tool.service
share/icons/hicolor/48x48/apps/org.example.Tool.png
share/icons/hicolor/scalable/apps/org.example.Tool.svg
share/icons/hicolor/symbolic/apps/org.example.Tool-symbolic.svg
share/man/man1/tool.1
share/man/man5/toolrc.5
share/metainfo/org.example.Tool.metainfo.xml
share/mime/application/x-tool.xml
share/mime/mime.cache
share/mime/packages/org.example.Tool.xml
`
	if got := listing(t, p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	noted(t, r, "completions", "outside the sandbox")
	if len(r.Notes) != 1 {
		t.Errorf("more was said than needed: %+v", r.Notes)
	}
	if got := content(t, p, "share/man/man1/tool.1"); got != ".TH TOOL 1\n" {
		t.Errorf("the page reads %q", got)
	}
	if got := content(t, p, "share/applications/mimeinfo.cache"); got != "[MIME Cache]\napplication/x-tool=org.example.Tool.desktop;\ntext/plain=org.example.Tool.desktop;\n" {
		t.Errorf("the cache is %q", got)
	}
	if got := content(t, p, "share/dbus-1/services/org.example.Tool.service"); got != "[D-BUS Service]\nName=org.example.Tool\nExec=/opt/sandbox/bin/sandbox run -- org.example.Tool\n" {
		t.Errorf("the service is %q", got)
	}
	syncs(t, p)
	if got := listing(t, p); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
	for _, dir := range []string{binDir, commandDir, shareDir} {
		absent(t, p, dir)
	}
}

// An update that brings other exports leaves nothing of the old ones.
func TestSyncFollowsAnUpdate(t *testing.T) {
	p := newPlace(t)
	old := newApp(t, "org.example.Tool", "commands = { tool = \"tool\", oldtool = \"tool\" }\n[export]\nman = [\"tool.1\"]", map[string]string{"files/tool.1": "old\n"})
	syncs(t, p, old)
	syncs(t, p, newApp(t, "org.example.Tool", "commands = { tool = \"tool\", newtool = \"tool\" }\n[export]\nman = [\"tool.1\"]", map[string]string{"files/tool.1": "new\n"}))
	absent(t, p, "bin/oldtool")
	absent(t, p, "command/org.example.Tool:oldtool")
	if content(t, p, "share/man/man1/tool.1") != "new\n" || !strings.Contains(listing(t, p), "bin/newtool") {
		t.Errorf("not as the new version says:\n%s", listing(t, p))
	}
	// The program moved: links follow, and no name in PATH is missing meanwhile.
	p.Program = "/elsewhere/sandbox"
	syncs(t, p, old)
	if !strings.Contains(listing(t, p), "command/org.example.Tool:tool -> /elsewhere/sandbox\n") {
		t.Errorf("links lead to the old program:\n%s", listing(t, p))
	}
}

// What one app exports badly is said, and keeps nothing else from being made.
func TestSyncGoesOnAfterABadExport(t *testing.T) {
	p := newPlace(t)
	bad := newApp(t, "org.example.Bad", "commands = { bad = \"bad\" }\n[export]\nicons = [\"org.example.Bad.png\"]\nman = [\"bad.1\", \"bad.2.gz\", \"bad.3\"]\ndesktop = [\"org.example.Bad.desktop\"]",
		map[string]string{"files/org.example.Bad.png": "no picture", "files/bad.2.gz": "not packed", "files/bad.3": "\x1b]52;c;aGk=\a", "files/org.example.Bad.desktop": "[Desktop Entry]\nType=Link\n"})
	gone := App{ID: "org.example.Gone", Dir: filepath.Join(t.TempDir(), "none")}
	other := newApp(t, "org.example.Other", "", nil)
	other.ID = "org.example.Another"
	r := syncs(t, p, bad, full(t), gone, other)
	noted(t, r, "org.example.Bad.png", "not a PNG")
	noted(t, r, "bad.1", "not in the bundle")
	noted(t, r, "bad.2.gz", "cannot be unpacked")
	noted(t, r, "bad.3", "control character 0x1b")
	noted(t, r, "org.example.Bad.desktop", `type "Link"`)
	noted(t, r, "cannot read manifest")
	noted(t, r, "manifest is that of org.example.Other")
	if got := listing(t, p); !strings.Contains(got, "bin/bad ->") || !strings.Contains(got, "share/applications/org.example.Tool.desktop") || strings.Contains(got, "share/man/man1/bad") {
		t.Errorf("got\n%s", got)
	}
}

// A crash between any two steps leaves only files that the next Sync knows: it
// is simulated by records and files of both states.
func TestSyncEndsWhatACrashBegan(t *testing.T) {
	app := full(t)
	done := newPlace(t)
	syncs(t, done, app)
	want := listing(t, done)
	for name := range strings.Lines(want) {
		name, _, _ = strings.Cut(strings.TrimSuffix(name, "\n"), " -> ")
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			p := newPlace(t)
			p.Data = filepath.Join(t.TempDir(), "sandbox")
			if err := os.CopyFS(p.Data, os.DirFS(done.Data)); err != nil {
				t.Fatal(err)
			}
			os.Chmod(p.Data, 0o700)
			os.Remove(filepath.Join(p.Data, name)) // not made yet, or just taken away
			write(t, filepath.Join(p.Data, scratch), "half of something")
			syncs(t, p, app)
			if got := listing(t, p); got != want {
				t.Errorf("got\n%s", got)
			}
			os.Remove(filepath.Join(p.Data, name))
			syncs(t, p)
			if got := listing(t, p); got != "" {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

func TestSyncRefusesARecordItCannotRead(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                "{",
		"a later format":         `{"format":2,"files":{}}`,
		"a name that leads away": `{"format":1,"files":{"../../x":{"sums":[]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			syncs(t, p, full(t))
			before := listing(t, p)
			write(t, filepath.Join(p.Data, recordName), text)
			if _, err := Sync(p, these()); err == nil {
				t.Error("accepted")
			}
			if got := listing(t, p); got != before {
				t.Errorf("files were changed:\n%s", got)
			}
		})
	}
}

// Two at once: the lock lets them follow each other, and both find the place
// as it must be.
func TestSyncTwiceAtOnce(t *testing.T) {
	p := newPlace(t)
	app := full(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := Sync(p, these(app))
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if r := syncs(t, p, app); r.Changed != 0 {
		t.Errorf("%d files were not as they should be", r.Changed)
	}
}

// A packager hears of what cannot be exported before any user does.
func TestTry(t *testing.T) {
	notes, err := Try(full(t).Dir)
	if err != nil || len(notes) != 0 {
		t.Errorf("%v: %+v", err, notes)
	}
	bad := newApp(t, "org.example.Tool", "commands = { ls = \"ls\" }\n[export]\nman = [\"ls.1\"]\ncompletions = [\"ls\"]", map[string]string{"files/ls": "\x00"})
	notes, err = Try(bad.Dir)
	if err != nil || len(notes) != 2 {
		t.Errorf("%v: %+v", err, notes)
	}
}

func BenchmarkSync(b *testing.B) {
	p := newPlace(b)
	apps := []App{full(b)}
	if _, err := Sync(p, these(apps...)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r, err := Sync(p, these(apps...)); err != nil || r.Changed != 0 {
			b.Fatal(r, err)
		}
	}
}

// A Sync that ends without finding out what is installed, or without the user's
// word, changes nothing.
func TestSyncThatCannotBegin(t *testing.T) {
	p := newPlace(t)
	app := full(t)
	syncs(t, p, app)
	before := listing(t, p)
	broken := errors.New("broken")
	if _, err := Sync(p, func() ([]App, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := Change(p, these(), func([]App, *Decisions) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got := listing(t, p); got != before {
		t.Errorf("got\n%s", got)
	}
}

// killed is set in a process that syncs again and again until it is killed.
const killed = "EXPORT_TEST_KILLED"

// Killed at any moment, it leaves what the next Sync brings in order.
func TestKilledSync(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		p := Place{Data: filepath.Join(dir, "data"), Config: filepath.Join(dir, "config"), Program: program, Mode: 0o700}
		for i := 0; ; i++ {
			apps := []App{{ID: "org.example.Tool", Dir: filepath.Join(dir, "app")}}
			if _, err := Sync(p, these(apps[:i%2]...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	app := full(t)
	if err := os.CopyFS(filepath.Join(dir, "app"), os.DirFS(app.Dir)); err != nil {
		t.Fatal(err)
	}
	p := Place{Data: filepath.Join(dir, "data"), Config: filepath.Join(dir, "config"), Program: program, Mode: 0o700}
	syncs(t, p, app)
	want := listing(t, p)
	for i := range 20 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledSync$")
		c.Env = append(os.Environ(), killed+"="+dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + time.Duration(i)*1700*time.Microsecond)
		c.Process.Kill()
		if c.Wait(); c.ProcessState.Exited() {
			t.Fatal("it ended by itself")
		}
		if r := syncs(t, p, app); len(r.Notes) != 1 || listing(t, p) != want {
			t.Fatalf("notes %+v, files\n%s", r.Notes, listing(t, p))
		}
		if i%2 == 0 {
			syncs(t, p)
			if got := listing(t, p); got != "" {
				t.Fatalf("left behind:\n%s", got)
			}
		}
	}
}
