package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
	"sandbox/repo/publish"
)

// packager is a home with both programs, and bundles to publish.
type packager struct {
	*e2e.Home
	t testing.TB
}

func newPackager(t testing.TB) packager {
	h := e2e.NewHome(t)
	e2e.Program(t, "sandbox-tool")
	return packager{h, t}
}

// ok runs a command that must succeed and returns what it printed.
func (p packager) ok(args ...string) string {
	p.t.Helper()
	r := p.Run(args...)
	if r.Code != 0 {
		p.t.Fatalf("sandbox %q: status %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(r.Stdout)
}

// fails runs a command that must fail, with these words and a hint.
func (p packager) fails(code int, want string, args ...string) {
	p.t.Helper()
	r := p.Run(args...)
	if r.Code != code || !strings.Contains(r.Stderr, want) || !strings.Contains(r.Stderr, "sandbox: hint: ") {
		p.t.Errorf("sandbox %q: status %d, want %d and %q\n%s", args, r.Code, code, want, r.Stderr)
	}
}

func bundleOf(t testing.TB, id, version string) string {
	return e2e.Bundle(t, fmt.Sprintf("id = %q\nversion = %q\ncommand = \"main\"\nsummary = \"An example\"\n", id, version),
		map[string]string{"files/bin/main": "=#!/bin/sh\necho " + version + "\n"})
}

// A packager's first day, as a session.
func TestPackagerSession(t *testing.T) {
	p := newPackager(t)
	one, two := bundleOf(t, "org.example.Edit", "1.0"), bundleOf(t, "org.example.Edit", "2.0")
	p.ok("key", "create", "release", "--no-passphrase")
	if out := p.ok("key", "list"); !strings.Contains(out, "release") || !strings.Contains(out, "no passphrase") {
		t.Errorf("key list: %s", out)
	}
	if out := p.ok("key", "show", "release"); !strings.HasPrefix(out, "ssh-ed25519 ") {
		t.Errorf("key show: %s", out)
	}
	fingerprint := p.ok("repo", "init", "--key", "release", "--url", "https://apps.example.org/", "--title", "Example", "repo")
	if !strings.HasPrefix(fingerprint, "sha256:") {
		t.Errorf("repo init printed %q", fingerprint)
	}
	if out := p.ok("publish", "--repo", "repo", "--channel", "beta", one); !strings.HasPrefix(out, "app/org.example.Edit/any/beta@1\t1.0\t") {
		t.Errorf("publish printed %q", out)
	}
	p.Env = append(p.Env, "SANDBOX_REPO="+p.Dir+"/repo")
	var rows []publishedRow
	if err := json.Unmarshal([]byte(p.ok("publish", "--json", "--channel", "beta", one, bundleOf(t, "org.example.Write", "1"))), &rows); err != nil || len(rows) != 2 || !rows[0].Unchanged || rows[1].Unchanged || rows[1].N != 1 {
		t.Errorf("publish --json: %+v, %v", rows, err)
	}
	if out := p.ok("promote", "org.example.Edit", "stable"); !strings.HasPrefix(out, "app/org.example.Edit/any/stable@1") {
		t.Errorf("promote printed %q", out)
	}
	p.ok("publish", "--repo", "file://"+p.Dir+"/repo", two)
	p.ok("eol", "app/org.example.Edit/any/beta", "-m", "use stable", "--replaced-by", "org.example.Write")
	var show struct {
		Fingerprint string
		Roles       []roleRow
		Releases    []publishedRow
	}
	if err := json.Unmarshal([]byte(p.ok("repo", "show", "--json")), &show); err != nil || show.Fingerprint != fingerprint || len(show.Roles) != 5 || len(show.Releases) != 4 {
		t.Errorf("repo show: %+v, %v", show, err)
	}
	if out := p.ok("repo", "show"); !strings.Contains(out, "end of life: use stable") || !strings.Contains(out, "timestamp  1 of 1") {
		t.Errorf("repo show:\n%s", out)
	}
	if out := p.ok("retract", "app/org.example.Edit/any/stable"); !strings.HasPrefix(out, "app/org.example.Edit/any/stable@2") {
		t.Errorf("retract printed %q", out)
	}
	if out := p.ok("promote", "app/org.example.Edit/any/stable@1", "stable"); !strings.HasPrefix(out, "app/org.example.Edit/any/stable@3\t1.0") {
		t.Errorf("promote of an older one printed %q", out)
	}
	if out := p.ok("repo", "refresh"); !strings.HasPrefix(out, "20") {
		t.Errorf("refresh printed %q", out)
	}
	p.ok("repo", "gc", "-n", "--now")
	if out := p.ok("repo", "gc", "--now"); !strings.Contains(out, "man/") {
		t.Errorf("gc printed %q", out)
	}
	if out := p.ok("repo", "set", "--title", "Another", "--keep", "3"); out != p.Dir+"/repo/repo.sandboxremote" || !strings.Contains(e2e.Read(out), "Another") {
		t.Errorf("repo set printed %q", out)
	}
	p.ok("repo", "rotate")
	if _, err := os.Stat(filepath.Join(p.Dir, "repo/2.root.json")); err != nil {
		t.Error(err)
	}
}

func TestPassphraseOnATerminal(t *testing.T) {
	p := newPackager(t)
	const secret = "correct horse"
	tty := p.Pty("key", "create", "k")
	tty.Expect("Passphrase for the new key: ", 20*time.Second)
	tty.Type(secret + "\r")
	tty.Expect("The same again: ", 20*time.Second)
	tty.Type(secret + "\r")
	if code := tty.Wait(30 * time.Second); code != 0 || strings.Contains(tty.Output(), secret) {
		t.Errorf("status %d; the terminal shows %q", code, tty.Output())
	}
	if tty.Termios().Lflag&unix.ECHO == 0 {
		t.Error("the terminal stays silent")
	}
	for _, c := range []struct{ name, first, second, want string }{
		{"two that differ", "a\r", "b\r", "differ"},
		{"an empty one", "\r", "", "--no-passphrase"},
	} {
		tty := p.Pty("key", "create", "other")
		tty.Expect("Passphrase for the new key: ", 20*time.Second)
		tty.Type(c.first)
		if c.second != "" {
			tty.Expect("The same again: ", 20*time.Second)
			tty.Type(c.second)
		}
		if code := tty.Wait(30 * time.Second); code != 1 || !strings.Contains(tty.Output(), c.want) {
			t.Errorf("%s: status %d, %q", c.name, code, tty.Output())
		}
	}
	// A wrong one is asked for again, and standard input is not the terminal's.
	tty = p.Pty("repo", "init", "--key", "k", "repo")
	tty.Expect(`Passphrase of key "k": `, 20*time.Second)
	tty.Type("wrong\r")
	tty.Expect("that is not the passphrase", 20*time.Second)
	tty.Expect(`Passphrase of key "k": `, 20*time.Second)
	tty.Type(secret + "\r")
	tty.Expect("sha256:", 30*time.Second)
	if code := tty.Wait(30 * time.Second); code != 0 || strings.Count(tty.Output(), "Passphrase of key") != 2 {
		t.Errorf("status %d; asked %q", code, tty.Output())
	}
	// Interrupted, it leaves the terminal as it was.
	tty = p.Pty("repo", "refresh", "repo")
	tty.Expect("Passphrase of key", 20*time.Second)
	tty.Type("\x03")
	if code := tty.Wait(20 * time.Second); code != 130 || tty.Termios().Lflag&unix.ECHO == 0 {
		t.Errorf("interrupted: status %d, the terminal is silent: %v", code, tty.Termios().Lflag&unix.ECHO == 0)
	}

	// Without a terminal.
	p.fails(1, "cannot ask for the passphrase", "repo", "refresh", "repo")
	p.Env = append(p.Env, "SANDBOX_KEY_PASSPHRASE=wrong")
	p.fails(1, "the passphrase is wrong", "repo", "refresh", "repo")
	p.Env = append(p.Env, "SANDBOX_KEY_PASSPHRASE="+secret)
	p.ok("repo", "refresh", "repo")
	file := p.Write("pass", secret+"\n")
	p.Env = append(p.Env, "SANDBOX_KEY_PASSPHRASE=wrong")
	p.ok("repo", "refresh", "--passphrase-file", file, "repo")
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if r := p.Do(e2e.Cmd{Args: []string{"repo", "refresh", "--passphrase-file", "-", "repo"}, Stdin: in}); r.Code != 0 {
		t.Errorf("from standard input: %s", r.Stderr)
	}
}

// Signed by a key that never leaves its ssh-agent, from root to release.
func TestAgentSignsARepository(t *testing.T) {
	p := newPackager(t)
	agent, keygen, add := testenv.NeedCommand(t, "ssh-agent"), testenv.NeedCommand(t, "ssh-keygen"), testenv.NeedCommand(t, "ssh-add")
	socket := filepath.Join(p.Runtime, "agent")
	c := exec.Command(agent, "-D", "-a", socket)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if !e2e.Within(10*time.Second, func() bool { _, err := os.Stat(socket); return err == nil }) {
		t.Fatal("the agent does not start")
	}
	secret := filepath.Join(p.Dir, "id")
	for _, c := range []*exec.Cmd{exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-C", "me@laptop", "-f", secret), exec.Command(add, "-q", secret)} {
		c.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	os.Remove(secret)
	p.Env = append(p.Env, "SSH_AUTH_SOCK="+socket)
	if out := p.ok("key", "list"); !strings.Contains(out, "ssh:me@laptop") {
		t.Errorf("key list: %s", out)
	}
	p.ok("repo", "init", "--key", "ssh:me@laptop", "repo")
	p.ok("publish", "--repo", "repo", "--key", secret+".pub", bundleOf(t, "org.example.Edit", "1"))
	p.ok("publish", "--repo", "repo", bundleOf(t, "org.example.Edit", "2")) // found by itself
	p.Env = append(p.Env, "SSH_AUTH_SOCK=/nowhere")
	p.fails(1, "cannot sign as", "publish", "--repo", "repo", bundleOf(t, "org.example.Edit", "3"))
	p.fails(1, "cannot use the ssh-agent", "publish", "--repo", "repo", "--key", "ssh:me@laptop", bundleOf(t, "org.example.Edit", "3"))
}

// Three people, two of whom it takes to change the root.
func TestOfflineRootSession(t *testing.T) {
	p := newPackager(t)
	for _, name := range []string{"a", "b", "c", "online"} {
		p.ok("key", "create", name, "--no-passphrase")
	}
	p.ok("repo", "init", "--key", "a", "--key", "b", "--key", "online", "--role", "root=a", "--role", "root=b", "--role", "root=c", "--root-threshold", "2",
		"--role", "targets=online", "--role", "snapshot=online", "--role", "timestamp=online", "--role", "bins=online", "repo")
	// From now on the root keys are elsewhere.
	keys := filepath.Join(p.Dir, ".config/sandbox/keys")
	away := filepath.Join(p.Dir, "away")
	if err := os.Mkdir(away, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.key", "b.key", "c.key"} {
		if err := os.Rename(filepath.Join(keys, name), filepath.Join(away, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.fails(1, "still takes 2 of", "repo", "rotate", "repo")
	p.ok("key", "create", "cron", "--no-passphrase")
	var online keyRow
	json.Unmarshal([]byte(p.ok("key", "show", "online", "--json")), &online)
	p.ok("repo", "rotate", "--add", "timestamp=cron", "--remove", "timestamp="+online.Fingerprint, "--out", "root.json", "repo")
	p.fails(1, "lacks signatures", "repo", "rotate", "--from", "root.json", "repo")
	if out := p.ok("repo", "sign", "root.json", "--key", "away/a.key"); !strings.Contains(out, "root 2, until") || !strings.Contains(out, "timestamp\t1 of ") {
		t.Errorf("what is signed is not shown: %s", out)
	}
	p.ok("repo", "sign", "root.json", "--key", "away/c.key", "--json")
	p.ok("repo", "rotate", "--from", "root.json", "repo")
	p.ok("publish", "--repo", "repo", bundleOf(t, "org.example.Edit", "1"))
	if out := p.ok("repo", "show", "repo"); !strings.Contains(out, "root       2 of 3") {
		t.Errorf("%s", out)
	}
	p.ok("repo", "publisher", "add", "--repo", "repo", "acme", "--pattern", "com.acme.*", "--public", "cron")
	p.fails(1, "cannot publish", "publish", "--repo", "repo", "--publisher", "acme", bundleOf(t, "org.example.Edit", "2"))
	p.ok("publish", "--repo", "repo", "--publisher", "acme", bundleOf(t, "com.acme.App", "1"))
	if out := p.ok("repo", "publisher", "remove", "--repo", "repo", "acme"); !strings.HasPrefix(out, "app/com.acme.App/any/stable@1") {
		t.Errorf("publisher remove printed %q", out)
	}
}

func TestPublishVerbsRefuse(t *testing.T) {
	p := newPackager(t)
	b := bundleOf(t, "org.example.Edit", "1")
	p.fails(2, "which repository?", "publish", b)
	p.fails(1, "takes nothing", "publish", "--repo", "https://apps.example.org/", b)
	p.fails(1, "there is no sandbox-repo.json", "publish", "--repo", ".", b)
	p.fails(1, "no sandbox-repo.json", "repo", "serve", ".")
	p.fails(2, "a repository needs a key", "repo", "init", "repo")
	p.fails(1, "no such file", "repo", "init", "--key", "nobody", "repo")
	p.fails(2, "exclude each other", "key", "create", "--no-passphrase", "--passphrase-file", "x", "k")
	p.fails(2, "cannot call a key", "key", "create", "--no-passphrase", "../k")
	p.fails(1, "cannot ask for the passphrase", "key", "create", "k")
	p.ok("key", "create", "--no-passphrase", "k")
	p.fails(1, "there is one of that name", "key", "create", "--no-passphrase", "k")
	p.fails(2, "has no verb", "key", "craete")
	p.fails(2, "no role", "repo", "init", "--key", "k", "--role", "bin-00=k", "repo")
	p.fails(2, "ROLE=KEY", "repo", "init", "--key", "k", "--role", "root", "repo")
	p.fails(1, "7 bins", "repo", "init", "--key", "k", "--bins", "7", "repo")
	p.ok("repo", "init", "--key", "k", "repo")
	p.fails(1, "there is a repository already", "repo", "init", "--key", "k", "repo")
	p.fails(2, "HOST:PORT", "repo", "serve", "--listen", "nowhere", "repo")
	p.fails(1, "there is no release", "retract", "--repo", "repo", "org.example.None")
	p.fails(2, "--message", "eol", "--repo", "repo", "org.example.None")
	p.fails(1, "there is none of that name", "repo", "publisher", "remove", "--repo", "repo", "acme")
	p.fails(2, "cannot use pattern", "repo", "publisher", "add", "--repo", "repo", "acme", "--pattern", "*", "--public", "k")
	p.fails(1, "cannot read the root", "repo", "sign", "--key", "k", b+"/sandbox.toml")
	os.Chmod(filepath.Join(p.Dir, ".config/sandbox/keys/k.key"), 0o644)
	p.fails(1, "others have access", "publish", "--repo", "repo", "--key", "k", b)
}

func TestRepoServe(t *testing.T) {
	p := newPackager(t)
	p.ok("key", "create", "--no-passphrase", "k")
	p.ok("repo", "init", "--key", "k", "repo")
	s := p.Start("repo", "serve", "--listen", "127.0.0.1:0", "repo")
	s.Expect("/\n", 20*time.Second)
	url := strings.TrimSpace(s.Output())
	for name, want := range map[string]int{"timestamp.json": 200, "2.root.json": 404, "": 404, ".publish/config.json": 404} {
		a, err := http.Get(url + name)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%s%s: %s", url, name, a.Status)
		}
	}
	s.Process.Signal(syscall.SIGTERM)
	if r := s.Wait(); r.Code != 0 {
		t.Errorf("status %d: %s", r.Code, r.Stderr)
	}
}

// The page names every verb and flag that one needs to begin with.
func TestPublishingPage(t *testing.T) {
	for _, word := range []string{"key create", "repo init", "repo refresh", "repo gc", "repo serve", "repo rotate", "repo sign", "repo show", "repo set",
		"repo publisher add", "repo publisher remove", "publish --repo", "promote", "retract", "eol", "--passphrase-file", passphraseVariable, "--author", "--keep", "--timestamp-days"} {
		if !strings.Contains(publish.Reference, word) {
			t.Errorf("PUBLISH.md does not name %q", word)
		}
	}
}
