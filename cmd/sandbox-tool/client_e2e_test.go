package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
	"sandbox/repo/store"
)

// shop is a packager with a published repository, and a user.
type shop struct {
	packager
	user packager
	url  string
	key  string
}

func newShop(t *testing.T) *shop {
	s := &shop{packager: newPackager(t), user: newPackager(t)}
	s.ok("key", "create", "release", "--no-passphrase")
	s.key = s.ok("repo", "init", "--key", "release", "--title", "Example", "repo")
	web := httptest.NewServer(http.FileServer(http.Dir(s.Dir + "/repo")))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

const asksForDocuments = "[permissions]\n\"files:~/Documents:write\" = \"edit your documents\"\n"

// publish releases org.example.Edit.
func (s *shop) publish(version, more string) {
	s.t.Helper()
	text := fmt.Sprintf("id = \"org.example.Edit\"\nversion = %q\ncommand = \"main\"\nsummary = \"An editor\"\n", version)
	b := e2e.Bundle(s.t, text+more, map[string]string{"files/bin/main": "=#!/bin/sh\necho " + version + "\n"})
	s.ok("publish", "--repo", "repo", "--key", "release", b)
}

func (s *shop) add() { s.user.ok("remote", "add", "main", s.url, "--key", s.key) }

func (s *shop) installed() string {
	s.t.Helper()
	var rows []struct {
		Ref     string `json:"ref"`
		Version string `json:"version"`
	}
	r := s.user.Run("list", "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &rows); err != nil {
		s.t.Fatalf("%v: %s%s", err, r.Stdout, r.Stderr)
	}
	var all []string
	for _, r := range rows {
		all = append(all, r.Version)
	}
	return strings.Join(all, " ")
}

// A user finds, looks at, installs and updates an app, without a terminal.
func TestUserSession(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", asksForDocuments)
	s.user.fails(1, "no remote is configured", "search")
	s.user.fails(1, "nobody vouches", "remote", "add", "main", s.url)
	s.user.fails(1, "fingerprint", "remote", "add", "main", s.url, "--key", "sha256:"+strings.Repeat("0", 64))
	s.user.fails(2, "pattern", "remote", "add", "main", s.url, "--key", s.key, "--allow", "a/b")
	s.add()
	s.user.fails(1, "already", "remote", "add", "main", s.url, "--key", s.key)
	if out := s.user.ok("remote", "list"); !strings.HasPrefix(out, "main  "+s.url+"/  0  asked just now") {
		t.Errorf("remote list: %q", out)
	}
	if out := s.user.ok("search", "editor"); !strings.HasPrefix(out, "org.example.Edit  1.0  main  An editor") {
		t.Errorf("search: %q", out)
	}
	if out := s.user.ok("info", "edit"); !strings.Contains(out, "edit your documents") || !strings.Contains(out, "installed    no") || !strings.Contains(out, "publisher    SHA256:") {
		t.Errorf("info: %s", out)
	}
	s.user.fails(1, "no terminal", "install", "edit")
	s.user.fails(2, "is a file", "install", "./edit.sandbox")
	s.user.fails(2, "lits", "remote", "lits")
	if got := s.installed(); got != "" {
		t.Fatalf("installed: %s", got)
	}
	r := s.user.Run("install", "-y", "edit")
	if r.Code != 0 || r.Stdout != "org.example.Edit 1.0 1\n" || !strings.Contains(r.Stderr, "read and change the files in ~/Documents") || strings.Contains(r.Stderr, "\x1b") {
		t.Errorf("install: %d %q\n%s", r.Code, r.Stdout, r.Stderr)
	}
	if out := s.user.ok("search"); !strings.HasPrefix(out, "*org.example.Edit") {
		t.Errorf("search: %q", out)
	}
	s.user.fails(1, "came from it", "remote", "remove", "main")

	// An update that asks for more is held: -y is no consent, and the status says so.
	s.publish("1.1", asksForDocuments+"\"network:internet\" = \"look for updates\"\n")
	r = s.user.Run("update", "-y")
	if r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "is held") || !strings.Contains(r.Stderr, "look for updates") || !strings.Contains(r.Stderr, "--accept-permissions") || s.installed() != "1.0" {
		t.Errorf("update -y: %d %q\n%s", r.Code, r.Stdout, r.Stderr)
	}
	if n := strings.Count(r.Stderr, "look for updates"); n != 1 {
		t.Errorf("what is new is said %d times:\n%s", n, r.Stderr)
	}
	var doc changeDoc
	if err := json.Unmarshal([]byte(s.user.Run("update", "-y", "--json").Stdout), &doc); err != nil || len(doc.Steps) != 0 || len(doc.Held) != 1 || doc.Held[0].Needs[0] != "--accept-permissions" {
		t.Errorf("%+v, %v", doc, err)
	}
	if err := json.Unmarshal([]byte(s.user.ok("update", "-n", "--json")), &doc); err != nil || len(doc.Steps) != 1 || doc.Steps[0].Done || doc.Steps[0].Changes[0] != "+ network:internet" {
		t.Errorf("%+v, %v", doc, err)
	}
	if out := s.user.ok("update", "-y", "--accept-permissions"); out != "org.example.Edit 1.1 2" || s.installed() != "1.1" {
		t.Errorf("update: %q", out)
	}
	if r := s.user.Run("update", "-y"); r.Code != 0 || !strings.Contains(r.Stderr, "up to date") {
		t.Errorf("%d %s", r.Code, r.Stderr)
	}
	if out := s.user.ok("update", "-y", "--release", "1", "--downgrade", "edit"); out != "org.example.Edit 1.0 1" || s.installed() != "1.0" {
		t.Errorf("downgrade: %q", out)
	}
	s.user.fails(2, "name the one", "update", "--release", "1")
	if r := s.user.Run("remote", "remove", "--force", "main"); r.Code != 0 || s.installed() != "1.0" {
		t.Errorf("%d %s", r.Code, r.Stderr)
	}
}

// What an app registers itself for is told before it is installed, and what more
// an update registers. Nothing else is registered.
func TestRegistrationIsTold(t *testing.T) {
	const name = "org.example.Edit.desktop"
	claims := func(opens string) string {
		return "[export]\ndesktop = [\"share/applications/" + name + "\"]\nopens = [" + opens + "]\n"
	}
	s := newShop(t)
	release := func(version, opens string) {
		b := e2e.Bundle(t, fmt.Sprintf("id = \"org.example.Edit\"\nversion = %q\ncommand = \"main\"\n", version)+claims(opens), map[string]string{"files/bin/main": "=#!/bin/sh\n",
			"files/share/applications/" + name: "=[Desktop Entry]\nType=Application\nExec=main %u\nMimeType=text/plain;x-scheme-handler/edit;x-scheme-handler/https;\n"})
		s.ok("publish", "--repo", "repo", "--key", "release", b)
	}
	registered := func(want string) {
		t.Helper()
		text := e2e.Read(s.user.Dir + "/.local/share/sandbox/share/applications/" + name)
		if !strings.Contains(text, "\nMimeType="+want+"\n") {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	release("1.0", `"text/plain"`)
	s.add()
	if out := s.user.ok("info", "edit"); !strings.Contains(out, "  your desktop will offer it to\n    open files of the type text/plain") || strings.Contains(out, "addresses") {
		t.Errorf("info: %s", out)
	}
	var doc infoDoc
	if err := json.Unmarshal([]byte(s.user.ok("info", "--json", "edit")), &doc); err != nil || !slices.Equal(doc.Registers.Types, []string{"text/plain"}) || doc.Registers.Schemes != nil {
		t.Errorf("%+v, %v", doc.Registers, err)
	}
	if r := s.user.Run("install", "-y", "edit"); r.Code != 0 || !strings.Contains(r.Stderr, "open files of the type text/plain") || !strings.Contains(r.Stderr, "x-scheme-handler/edit, x-scheme-handler/https") {
		t.Errorf("install: %d %s", r.Code, r.Stderr)
	}
	registered("text/plain;")
	release("1.1", `"text/plain", "x-scheme-handler/edit"`)
	more := "  new    offers to open addresses that begin with edit:\n"
	if r := s.user.Run("update", "-y"); strings.Count(r.Stderr, more) != 1 || strings.Contains(r.Stderr, "open files") || !strings.Contains(r.Stderr, "--accept-permissions") {
		t.Errorf("update: %d %s", r.Code, r.Stderr)
	}
	registered("text/plain;")
	if r := s.user.Run("update", "-y", "--accept-permissions"); r.Code != 0 || strings.Count(r.Stderr, more) != 1 {
		t.Errorf("update, agreed to: %d %s", r.Code, r.Stderr)
	}
	registered("text/plain;x-scheme-handler/edit;")
	release("1.2", `"x-scheme-handler/edit"`)
	if r := s.user.Run("update", "-y"); r.Code != 0 || strings.Contains(r.Stderr, "held") {
		t.Errorf("update to less: %d %s", r.Code, r.Stderr)
	}
	registered("x-scheme-handler/edit;")
}

// Every verb that prints has --json, and what it prints is JSON alone.
func TestClientJSON(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", asksForDocuments)
	for _, args := range [][]string{
		{"remote", "add", "main", s.url, "--key", s.key, "--json"}, {"remote", "list", "--json"}, {"remote", "show", "main", "--json"},
		{"remote", "modify", "main", "--priority", "3", "--json"}, {"search", "--json"}, {"info", "edit", "--json"},
		{"install", "-y", "--json", "edit"}, {"update", "-y", "--json"}, {"download", "edit", "--json"}, {"remote", "remove", "--force", "main", "--json"},
	} {
		if r := s.user.Run(args...); r.Code != 0 || !json.Valid([]byte(r.Stdout)) {
			t.Errorf("%v: %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
		} else if args[0] == "install" {
			told(t, r.Stderr)
		}
	}
}

// told wants the progress of an installation, an object a line.
func told(t *testing.T, stderr string) {
	t.Helper()
	var events []string
	for line := range strings.Lines(stderr) {
		var e eventDoc
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%v: %q", err, line)
		}
		if e.Event != "look" {
			events = append(events, e.Event+" "+e.Text)
		}
	}
	const id = " org.example.Edit"
	if got := slices.Compact(events); !slices.Equal(got, []string{"download" + id, "install" + id, "done" + id}) {
		t.Errorf("told %q", got)
	}
}

// On a terminal everything is asked, and no is no.
func TestConsentOnATerminal(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", asksForDocuments)
	const soon = 30 * time.Second
	ask := func(code int, args []string, dialog ...string) string {
		t.Helper()
		tty := s.user.Pty(args...)
		for i := 0; i+1 < len(dialog); i += 2 {
			tty.Expect(dialog[i], soon)
			tty.Type(dialog[i+1] + "\r")
		}
		if got := tty.Wait(soon); got != code {
			t.Fatalf("%v: status %d\n%s", args, got, tty.Output())
		}
		return tty.Output()
	}
	add := []string{"remote", "add", "main", s.url}
	if out := ask(1, add, "Is that what its operator says?", "n"); !strings.Contains(out, s.key) {
		t.Errorf("the fingerprint was not shown: %s", out)
	}
	ask(1, add, "Is that what its operator says?", "") // an empty line is no
	ask(0, add, "Is that what its operator says?", "y")

	out := ask(1, []string{"install", "edit"}, "Install?", "n")
	if !strings.Contains(out, "edit your documents") || strings.Index(out, "edit your documents") > strings.Index(out, "Install?") || s.installed() != "" {
		t.Errorf("permissions come before the question: %s", out)
	}
	ask(0, []string{"install", "edit"}, "Install?", "y")
	s.publish("1.1", asksForDocuments+"\"network:internet\" = \"look for updates\"\n")
	if out := ask(0, []string{"update"}, "Allow org.example.Edit that?", "n"); !strings.Contains(out, "is held") || s.installed() != "1.0" {
		t.Errorf("held: %s", out)
	}
	if out := ask(0, []string{"update", "-y"}, "Allow org.example.Edit that?", "n"); s.installed() != "1.0" {
		t.Errorf("-y is no consent: %s", out)
	}
	ask(0, []string{"update"}, "Allow org.example.Edit that?", "y", "Update?", "y")
	if s.installed() != "1.1" {
		t.Error(s.installed())
	}
	// Interrupted at the question, nothing happens.
	s.publish("1.2", asksForDocuments+"\"network:internet\" = \"look for updates\"\n")
	tty := s.user.Pty("update")
	tty.Expect("Update?", soon)
	tty.Type("\x03")
	if code := tty.Wait(soon); code != 130 || s.installed() != "1.1" || !strings.Contains(tty.Output(), "sandbox: error: interrupted") {
		t.Errorf("interrupted: %d, %s", code, s.installed())
	}
	// Progress is painted and leaves nothing behind.
	out = ask(0, []string{"update", "-y"})
	if !regexp.MustCompile(`download .*━`).MatchString(out) || strings.Contains(strings.ReplaceAll(out, "\r\n", "\n"), "\r\x1b[K\n") {
		t.Errorf("%q", out)
	}
}

// Another repository and another publisher are shown side by side and asked about.
func TestSwitchOfRepository(t *testing.T) {
	s, other := newShop(t), newShop(t)
	s.publish("1.0", "")
	other.publish("9.0", "")
	s.add()
	s.user.ok("install", "-y", "edit")
	s.user.ok("remote", "add", "other", other.url, "--key", other.key, "--priority", "50")
	if out := s.user.ok("update", "-y"); out != "" || s.installed() != "1.0" {
		t.Errorf("taken silently: %q", out)
	}
	tty := s.user.Pty("update", "--from", "other", "edit")
	tty.Expect(s.key, 30*time.Second)
	tty.Expect(other.key, 30*time.Second)
	tty.Expect("from there from now on?", 30*time.Second)
	tty.Type("n\r")
	if code := tty.Wait(30 * time.Second); code != 0 || s.installed() != "1.0" {
		t.Errorf("%d\n%s", code, tty.Output())
	}
	if r := s.user.Run("update", "-y", "--from", "other", "--accept-origin", "edit"); r.Code != 1 {
		t.Errorf("held, and yet: %+v", r)
	}
	if s.installed() != "1.0" { // the publisher's key is another one as well
		t.Error(s.installed())
	}
	s.user.ok("update", "-y", "--from", "other", "--accept-origin", "--accept-publisher", "edit")
	if s.installed() != "9.0" {
		t.Error(s.installed())
	}
}

// One file goes to a machine without a network: installed from, and run.
func TestCarriedToAnotherMachine(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", asksForDocuments)
	s.add()
	s.user.ok("download", "edit")
	s.user.fails(1, "there already", "download", "edit")
	there := newPackager(t)
	if err := os.Rename(s.user.Dir+"/edit.sandbox", there.Dir+"/edit.sandbox"); err != nil {
		t.Fatal(err)
	}
	there.fails(2, "is a file", "install", "edit.sandbox")
	there.fails(1, "nobody vouches", "install", "-y", "--file", "edit.sandbox")
	there.fails(1, "another one", "install", "-y", "--file", "edit.sandbox", "--key", "sha256:"+strings.Repeat("0", 64))
	there.fails(125, "nobody vouches", "run", "./edit.sandbox")

	tty := there.Pty("run", "./edit.sandbox")
	tty.Expect(s.key, 30*time.Second)
	tty.Expect("Is that what its operator says?", 30*time.Second)
	tty.Type("y\r")
	tty.Expect("edit your documents", 30*time.Second)
	tty.Expect("Run it?", 30*time.Second)
	tty.Type("y\r")
	tty.Wait(30 * time.Second)
	if left, _ := filepath.Glob(there.Dir + "/.local/share/sandbox/store/deploy/app/*"); len(left) != 0 {
		t.Errorf("running a file installed it: %v", left)
	}
	if out := there.ok("install", "-y", "--file", "edit.sandbox", "--key", s.key); out != "org.example.Edit 1.0 1" {
		t.Errorf("%q", out)
	}
}

// What was made ready to run a file goes with gc, unless an instance runs from it:
// also one in the background, which is a program of its own.
func TestGCClearsFilesThatWereRun(t *testing.T) {
	testenv.NeedUserNS(t)
	s := newShop(t)
	b := e2e.Bundle(t, "id = \"org.example.Probe\"\nversion = \"1\"\ncommand = \"probe\"\nsummary = \"A probe\"\n", map[string]string{"files/bin/probe": e2e.Probe(t)})
	s.ok("publish", "--repo", "repo", "--key", "release", b)
	s.add()
	s.user.ok("download", "probe")
	there := newPackager(t)
	if err := os.Rename(s.user.Dir+"/probe.sandbox", there.Dir+"/probe.sandbox"); err != nil {
		t.Fatal(err)
	}
	accept := func() {
		t.Helper()
		tty := there.Pty("run", "./probe.sandbox", "fds")
		if _, err := os.Stat(there.Dir + "/.cache/sandbox/files/state"); err != nil {
			tty.Expect("Is that what its operator says?", 30*time.Second)
			tty.Type("y\r")
		}
		tty.Expect("Run it?", 30*time.Second)
		tty.Type("y\r")
		tty.Wait(30 * time.Second)
		if !regexp.MustCompile(`ok 0 1 2\s`).MatchString(tty.Output()) { // no lock of ours among them
			t.Errorf("%s", tty.Output())
		}
	}
	gc := func() (doc gcDoc) {
		t.Helper()
		if err := json.Unmarshal([]byte(there.ok("gc", "--json")), &doc); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	cached := func() int {
		left, _ := filepath.Glob(there.Dir + "/.cache/sandbox/files/objects/*/*")
		return len(left)
	}
	if doc := gc(); doc.Files.Bytes != 0 {
		t.Errorf("%+v", doc)
	}
	accept()
	instance := there.ok("run", "--detach", "./probe.sandbox", "hold")
	if doc := gc(); doc.Files.Busy != 1 || doc.Files.Bytes != 0 || cached() == 0 {
		t.Errorf("an instance runs from it: %+v, %d contents", doc, cached())
	}
	there.ok("stop", instance)
	if doc := gc(); doc.Files.Busy != 0 || doc.Files.Bytes < 1<<20 || len(doc.Files.Unused) != 1 || cached() != 0 {
		t.Errorf("none runs: %+v, %d contents", doc, cached())
	}
	there.fails(125, "have not been accepted", "run", "./probe.sandbox", "fds")
	accept()
	if r := there.Run("gc"); r.Code != 0 || !strings.Contains(r.Stdout, " MB freed: 1 content, ") || !strings.Contains(r.Stderr, "org.example.Probe/") {
		t.Errorf("%+v", r)
	}
}

// While one command downloads, others read, install and clear up without waiting. It
// waits itself for whoever changes the store when it has all, and says for whom.
func TestNothingWaitsForADownload(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", "")
	slow := e2e.Bundle(t, "id = \"org.example.Slow\"\nversion = \"1\"\ncommand = \"main\"\n", map[string]string{"files/bin/main": "=slow\n"})
	before, _ := filepath.Glob(s.Dir + "/repo/pack/*/*")
	s.ok("publish", "--repo", "repo", "--key", "release", slow)
	asked, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	files := http.FileServer(http.Dir(s.Dir + "/repo"))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/pack/") && !slices.Contains(before, s.Dir+"/repo"+r.URL.Path) {
			once.Do(func() { close(asked) })
			<-goOn
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	s.user.ok("remote", "add", "main", web.URL, "--key", s.key)
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	download := s.user.Begin(e2e.Cmd{Args: []string{"install", "-y", "slow"}, Stderr: said})
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatal("it is not downloading")
	}
	s.user.ok("list")
	s.user.ok("info", "slow")
	if out := s.user.ok("install", "-y", "edit"); out != "org.example.Edit 1.0 1" || s.installed() != "1.0" {
		t.Errorf("%q", out)
	}
	if r := s.user.Run("gc"); r.Code != 0 || !strings.Contains(r.Stderr, "a download goes on") || strings.Contains(r.Stderr, "waiting") {
		t.Errorf("%+v", r)
	}
	own, err := store.Open(s.user.Dir + "/.local/share/sandbox/store")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	l, err := own.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	waits := regexp.MustCompile("waiting: `sandbox .*` \\(pid \\d+, since [0-9:]+\\) is changing the store")
	if !e2e.Within(30*time.Second, func() bool { return waits.MatchString(e2e.Read(said.Name())) }) {
		t.Errorf("it does not say that it waits: %s", e2e.Read(said.Name()))
	}
	l.Unlock()
	if r := download.Wait(); r.Code != 0 || r.Stdout != "org.example.Slow 1 1\n" {
		t.Errorf("%+v", r)
	}
}
