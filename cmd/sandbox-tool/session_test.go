package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/repo"
)

// The app of the session: fzf of Debian 12, and of Debian 13 as its update, which
// asks for more.
const (
	fzf        = "io.github.junegunn.Fzf"
	oldFzf     = "0.38"
	newFzf     = "0.60"
	manifest12 = `id = "io.github.junegunn.Fzf"
name = "fzf"
version = "%s"
summary = "Finds words in lists as you type"
license = "MIT"
homepage = "https://github.com/junegunn/fzf"
arch = ["%s"]
runtime = "org.debian.Platform/12"
command = "fzf"

[export]
man = ["/usr/share/man/man1/fzf.1.gz"]

%s
[[build.source]]
type = "debian"
suite = "%s"
packages = ["fzf"]
`
	more = `[permissions]
"files:~/Documents:read" = "look through your documents"
`
)

// person is somebody with a home, who types commands.
type person struct {
	*e2e.Home
	t    *testing.T
	path string // PATH, once the shell was told
}

func newPerson(t *testing.T) *person {
	t.Helper()
	p := &person{Home: e2e.NewHome(t), t: t}
	e2e.Program(t, "sandbox-tool")
	p.path = filepath.Dir(e2e.Program(t, "sandbox")) + ":/usr/local/bin:/usr/bin:/bin"
	return p
}

// types runs a command line by a shell in the home.
func (p *person) types(line string) e2e.Result {
	p.t.Helper()
	r := p.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", line}, Env: []string{"PATH=" + p.path}, Timeout: 5 * time.Minute})
	p.t.Logf("$ %s\n%s%s", line, r.Stdout, r.Stderr)
	return r
}

// gets wants success, and an output that holds each of the words.
func (p *person) gets(line string, words ...string) e2e.Result {
	p.t.Helper()
	return p.ends(line, 0, words...)
}

// ends wants a status, and an output that holds each of the words.
func (p *person) ends(line string, code int, words ...string) e2e.Result {
	p.t.Helper()
	r := p.types(line)
	if r.Code != code {
		p.t.Fatalf("%s: ended with %d, want %d", line, r.Code, code)
	}
	for _, w := range words {
		if !strings.Contains(r.Stdout+r.Stderr, w) {
			p.t.Fatalf("%s: does not say %q", line, w)
		}
	}
	return r
}

// writes makes a file in the home.
func (p *person) writes(name, format string, args ...any) {
	p.Write(name, fmt.Sprintf(format, args...))
}

// TestSession is a packager's and two users' day, as they would type it.
func TestSession(t *testing.T) {
	_, platform := testapps.Bundle(t, "org.gnu.Bash")

	// A packager makes a key, two versions of a program of Debian, and a repository.
	packager := newPerson(t)
	shareCache(t, packager)
	packager.gets("sandbox key create release --no-passphrase", "release.key")
	packager.writes("fzf12/sandbox.toml", manifest12, oldFzf, repo.HostArch(), "", "bookworm")
	packager.writes("fzf13/sandbox.toml", manifest12, newFzf, repo.HostArch(), more, "trixie")
	for _, dir := range []string{"fzf12", "fzf13"} {
		if r := packager.types("sandbox build --runtime " + platform + " " + dir); r.Code != 0 {
			t.Skipf("needs a Debian archive: %s", r.Stderr)
		}
	}
	packager.gets("sandbox repo init repo --key release --title Demo", "fingerprint")
	packager.gets("sandbox publish --repo repo "+platform+" fzf12/build", "runtime/org.debian.Platform/any/12@1", "app/"+fzf)
	fingerprint := regexp.MustCompile("sha256:[0-9a-f]{64}").FindString(packager.gets("sandbox repo show repo").Stdout)

	// Any web server carries it.
	url, _ := e2e.Nginx(t, filepath.Join(packager.Dir, "repo"))
	_ = url
	_ = fingerprint
}

// shareCache lets a packager use packages that were fetched for other tests.
func shareCache(t *testing.T, p *person) {
	t.Helper()
	dir := p.Mkdir(".cache/sandbox")
	if err := os.Symlink(testapps.Cache(t), filepath.Join(dir, "build")); err != nil {
		t.Fatal(err)
	}
}
