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
	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/bundle"
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

func newPerson(t *testing.T) *person { return personAt(t, e2e.NewHome(t)) }

func personAt(t *testing.T, h *e2e.Home) *person {
	t.Helper()
	p := &person{Home: h, t: t}
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
	e2e.NeedNginx(t)
	table := sharedTable(t)
	var fingerprint string
	if !t.Run("online", func(t *testing.T) { fingerprint = online(t, table) }) || fingerprint == "" {
		return
	}
	// The web server is stopped by now.
	t.Run("offline", func(t *testing.T) { offline(t, table, fingerprint) })
}

// sharedTable is a directory where everybody may put something for others.
func sharedTable(t *testing.T) string {
	t.Helper()
	dir := testenv.ShortDir(t)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// online is the packager's day and a user's, who leaves a file on the table.
func online(t *testing.T, table string) (fingerprint string) {
	_, platform := testapps.Bundle(t, "org.gnu.Bash")

	// A packager makes a key, two versions of a program of Debian, and a repository.
	packager := newPerson(t)
	shareCache(t, packager)
	packager.gets("sandbox key create release --no-passphrase", "release.key")
	packager.writes("fzf12/sandbox.toml", manifest12, oldFzf, repo.HostArch(), "", "bookworm")
	packager.writes("fzf13/sandbox.toml", manifest12, newFzf, repo.HostArch(), more, "trixie")
	for _, dir := range []string{"fzf12", "fzf13"} {
		r := packager.types("sandbox build --runtime " + platform + " " + dir)
		if strings.Contains(r.Stderr, bundle.ErrUnreachable.Error()) {
			testenv.Skip(t, "needs a Debian archive: %s", r.Stderr)
		}
		if r.Code != 0 {
			t.Fatalf("cannot build %s", dir)
		}
	}
	packager.gets("sandbox repo init repo --key release --title Demo", "fingerprint")
	packager.gets("sandbox publish --repo repo "+platform+" fzf12/build", "runtime/org.debian.Platform/"+repo.HostArch()+"/12@1", "app/"+fzf)
	fingerprint = regexp.MustCompile("sha256:[0-9a-f]{64}").FindString(packager.gets("sandbox repo show repo").Stdout)

	// Any web server carries it.
	url, requests := e2e.Nginx(t, filepath.Join(packager.Dir, "repo"))

	// A user adds it, looks around and installs.
	user := newPerson(t)
	user.gets("sandbox remote add demo "+url+" --key "+fingerprint, "demo")
	user.gets("sandbox remote list", "demo", url)
	user.gets("sandbox search words lists", fzf, oldFzf)
	user.gets("sandbox info fzf", oldFzf, "MIT", "asks for nothing")
	user.ends("sandbox install fzf", 1, "there is no terminal", "-y goes ahead")
	user.gets("sandbox install -y fzf", fzf+" "+oldFzf, "org.debian.Platform", "is started by: fzf", "not in PATH")
	if n := strings.Count(e2e.Read(requests), "\n"); n > 40 {
		t.Errorf("%d requests were made", n)
	}

	// The program is started by its own name, in its sandbox.
	user.knowsShell()
	user.gets("fzf --version", oldFzf)
	user.writes("fruit", "apple\npear\ngrape\n")
	user.gets("fzf --filter=pe <fruit", "pear\n")
	user.ends("fzf --filter=none <fruit", 1)
	user.gets("man -w fzf", user.Dir)
	user.gets("sandbox run --command sh fzf -c 'echo of the old one >notes; cat notes'", "of the old one\n")
	user.gets("sandbox list", fzf, oldFzf)

	// Whoever has the runtime builds over it without naming where it is.
	shareCache(t, user)
	user.ends("sandbox build packager", 1, "is no directory")
	user.writes("mine/sandbox.toml", manifest12, oldFzf, repo.HostArch(), "", "bookworm")
	user.gets("sandbox build mine", "as it is installed", "mine/build\n")
	user.gets("sandbox run ./mine/build --version", oldFzf)

	// The update asks for more: it is held, whatever -y says.
	packager.gets("sandbox publish --repo repo fzf13/build", "app/"+fzf+"/"+repo.HostArch()+"/stable@2")
	user.ends("sandbox update -y", 1, "held", "look through your documents", "--accept-permissions")
	user.gets("fzf --version", oldFzf)
	user.gets("sandbox update -y --accept-permissions", oldFzf+" → "+newFzf)
	user.gets("fzf --version", newFzf)
	user.gets("sandbox run --command sh fzf -c 'cat notes; echo of the new one >notes'", "of the old one\n")

	// Back to the old version and the data of its day, with nobody to ask.
	user.gets("sandbox rollback --with-data fzf", oldFzf)
	user.gets("fzf --version", oldFzf)
	user.gets("sandbox run --command sh fzf -c 'cat notes'", "of the old one\n")
	user.gets("sandbox history", newFzf)
	user.gets("sandbox verify")

	// What is gone leaves nothing behind.
	user.gets("sandbox uninstall -y --delete-data fzf")
	user.ends("fzf --version", 127, "not found")
	user.ends("sandbox run fzf", 125, "is not installed")
	user.gets("sandbox list --json", "[]")
	for _, name := range []string{"bin", "command", "share", "app/" + fzf} {
		if _, err := os.Lstat(filepath.Join(user.Dir, ".local/share/sandbox", name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}

	// The file for somebody who has no network.
	user.gets("sandbox download --out "+table+"/fzf.sandbox fzf", "fzf.sandbox")
	return fingerprint
}

// offline is somebody else's day, with nothing but the file: another user without
// any network where that can be had. A file is never taken for granted (B50).
func offline(t *testing.T, table, fingerprint string) {
	other := personAt(t, e2e.OtherHome(t))
	file := table + "/fzf.sandbox"
	other.ends("sandbox install -y "+file, 2, "must be asked for")
	other.ends("sandbox install -y --file "+file, 1, "nobody vouches for it")
	other.ends("sandbox install -y --file "+file+" --key sha256:"+strings.Repeat("0", 64), 1, "cannot trust")
	other.gets("sandbox install -y --file "+file+" --key "+fingerprint, newFzf, "org.debian.Platform")
	other.knowsShell()
	other.writes("fruit", "apple\npear\n")
	other.gets("fzf --filter=pe <fruit", "pear\n")
	other.gets("sandbox list", fzf, newFzf)
	other.gets("sandbox verify")
	other.gets("sandbox run --command sh fzf -c 'echo kept >notes; cat notes'", "kept\n")
	if other.Other() {
		other.ends("touch "+file+" "+table+"/fzf.sandbox.new && rm "+file, 1) // the file is not theirs
		other.gets("cat /proc/net/dev | grep -vc '|'", "1\n")                 // nothing but lo
	}
	other.gets("sandbox uninstall -y --delete-data fzf")
	other.ends("fzf --version", 127, "not found")
	other.gets("sandbox list --json", "[]")
	for _, name := range []string{"bin", "command", "share", "app/" + fzf} {
		if _, err := os.Lstat(filepath.Join(other.Dir, ".local/share/sandbox", name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// knowsShell starts a login shell that reads what shell-init prints.
func (p *person) knowsShell() {
	p.t.Helper()
	r := p.gets(`eval "$(sandbox shell-init sh)"; echo "$PATH"`)
	p.path = strings.TrimSpace(r.Stdout)
}

// shareCache lets a packager use packages that were fetched for other tests.
func shareCache(t *testing.T, p *person) {
	t.Helper()
	dir := p.Mkdir(".cache/sandbox")
	if err := os.Symlink(testapps.Cache(t), filepath.Join(dir, "build")); err != nil {
		t.Fatal(err)
	}
}
