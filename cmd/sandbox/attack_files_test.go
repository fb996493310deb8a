package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
)

// The app's own directories are replaced by links between two runs, as the app
// could have left them: no launch follows them (CVE-2024-42472, GHSA-8688).
func TestF01OwnHomeReplacedByALink(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	h.Run("run", b, "say home is made")
	state := h.State(b)
	home := filepath.Join(state, "home")
	up := strings.Repeat("../", 12)
	for name, target := range map[string]string{"absolute": canary.Dir, "relative": up + canary.Dir[1:], "slash": canary.Dir + "/",
		"dots": canary.Dir + "/sub/..", "chain": "other", "file": canary.File, "proc": "/proc/self/root" + canary.Dir, "host root": "/"} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(home)
			os.Remove(filepath.Join(state, "other"))
			os.Symlink(canary.Dir, filepath.Join(state, "other"))
			if err := os.Symlink(target, home); err != nil {
				t.Fatal(err)
			}
			for _, flags := range [][]string{nil, {"--grant", "files:home:write"}, {"--detach", "--name", "d"}} {
				r := h.Run(append(append([]string{"run"}, flags...), b, "write "+h.Dir+"/planted x", "write /var/home/planted x", "ls "+h.Dir)...)
				if r.Code == 0 {
					t.Errorf("%v: it started: %+v", flags, r)
				}
				if !strings.Contains(r.Stderr, "sandbox: error: ") {
					t.Errorf("%v: no word about it: %+v", flags, r)
				}
			}
			canary.Check()
		})
	}
	os.Remove(home)
	h.Inside(b, nil, "write "+h.Dir+"/mine x").Is("write "+h.Dir+"/mine x", "ok")
}

// Directories above and beside the app's home, which are the user's or ours.
func TestF02OtherDirectoriesReplacedByLinks(t *testing.T) {
	for name, dir := range map[string]string{"app": ".local/share/sandbox/app/ID", "log": ".local/share/sandbox/log", "instances": "../run/sandbox/instances",
		"runtime": "../run/sandbox"} {
		t.Run(name, func(t *testing.T) {
			h, b := attack(t)
			canary := e2e.NewCanary(t)
			os.Chmod(canary.Dir, 0o700)
			before := e2e.Snapshot(canary.Dir)
			path := filepath.Join(h.Dir, strings.ReplaceAll(dir, "ID", e2e.ID(t, b)))
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.Symlink(canary.Dir, path); err != nil {
				t.Fatal(err)
			}
			r := h.Run("run", "--detach", "--name", "x", b, "write "+h.Dir+"/planted x", "say hello")
			if r.Code == 0 {
				t.Errorf("it started: %+v", r)
			}
			if now := e2e.Snapshot(canary.Dir); now != before {
				t.Errorf("touched:\n%s\nafter:\n%s", before, now)
			}
			os.Chmod(canary.Dir, 0o755)
			os.Remove(path)
		})
	}
}

// Links in the app's home where a grant needs something to stand on.
func TestF02LinksUnderMountPoints(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	h.Mkdir("granted/deep")
	h.Write("granted/file", "x")
	h.Run("run", b, "say home is made")
	home := filepath.Join(h.State(b), "home")
	for _, planted := range []string{"granted", "granted/deep", "granted/file"} {
		os.RemoveAll(filepath.Join(home, "granted"))
		os.MkdirAll(filepath.Dir(filepath.Join(home, planted)), 0o755)
		if err := os.Symlink(canary.Dir, filepath.Join(home, planted)); err != nil {
			t.Fatal(err)
		}
		for _, grant := range []string{"files:~/granted:write", "files:~/granted/deep:write", "files:~/granted/deep/new/er:create", "files:~/granted/file:write"} {
			h.Run("run", "--grant", grant, b, "write "+h.Dir+"/granted/planted x", "write "+h.Dir+"/granted/deep/planted x", "write "+h.Dir+"/granted/file x")
		}
		canary.Check()
	}
	os.RemoveAll(filepath.Join(h.Dir, "granted"))
}

// A wide grant lets the app lead a narrower one of its own elsewhere.
func TestF01GrantInsideAWritableGrantIsNotRedirected(t *testing.T) {
	h, b := attack(t, "[permissions]", `"files:~/work:write" = "x"`, `"files:~/work/inner:create" = "y"`, `"files:~/work/notes:read" = "z"`)
	h.Mkdir("private")
	secret := h.Write("private/secret", "private-secret")
	work := h.Mkdir("work")
	ask := []string{"read " + work + "/inner/secret", "read " + work + "/notes/secret", "write " + work + "/inner/planted x"}
	a := h.Inside(b, nil, "symlink "+h.Dir+"/private "+work+"/notes", ask[2])
	a.Is(ask[2], "ok")
	os.RemoveAll(work + "/inner")
	for name, links := range map[string]map[string]string{
		"the read grant":   {"notes": h.Dir + "/private"},
		"the create grant": {"inner": "../private"},
		"by a chain":       {"a": "..", "notes": "a/private"},
		"to a file":        {"notes": secret},
	} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(work)
			os.Mkdir(work, 0o755)
			for link, to := range links {
				if err := os.Symlink(to, filepath.Join(work, link)); err != nil {
					t.Fatal(err)
				}
			}
			r := h.Run(append([]string{"run", b}, append(ask, "read "+work+"/notes")...)...)
			if strings.Contains(r.Stdout, "private-secret") {
				t.Errorf("the app reads what nobody granted: %s", r.Stdout)
			}
			if _, err := os.Lstat(h.Dir + "/private/planted"); err == nil {
				t.Errorf("the app writes where nobody granted: %s", r.Stdout)
			}
		})
	}
	// A link that stays where the app may write anyway is fine.
	os.RemoveAll(work)
	os.MkdirAll(work+"/real", 0o755)
	os.Symlink("real", work+"/notes")
	os.WriteFile(work+"/real/secret", []byte("own"), 0o644)
	h.Inside(b, nil, ask...).Is(ask[1], "ok own")
}

// guardedNames are what an app with the whole home may not touch: a few of
// every kind, and our own.
var guardedNames = []struct {
	path string
	file bool
}{
	{".bashrc", true}, {".profile", true}, {".bash_profile", true}, {".ssh", false}, {".config/systemd", false}, {".config/systemd/user", false},
	{".config/autostart", false}, {".config/environment.d", false}, {".local/bin", false}, {"bin", false},
	{".local/share/applications", false}, {".local/share/dbus-1", false}, {".local/share/dbus-1/services", false},
	{".config/user-dirs.dirs", true},
	{".local/share/sandbox", false}, {".config/sandbox", false}, {".cache/sandbox", false}, {".config/sandbox/apps", false},
}

// breakIn is everything that was tried elsewhere against one guarded path.
func breakIn(home, p string) (ops []string) {
	full := home + "/" + p
	ops = append(ops, "write "+full+" planted", "write "+full+"/planted planted", "append "+full+" planted", "truncate "+full,
		"chmod "+full+" 0777", "setxattr "+full, "link "+full+" "+home+"/linked", "append "+home+"/linked planted", "unlink "+full,
		"rename "+full+" "+home+"/moved-"+strings.ReplaceAll(p, "/", "-"), "rename "+home+"/evil "+full, "exchange "+home+"/evil "+full,
		"rename "+home+"/evilfile "+full, "exchange "+home+"/evilfile "+full, "symlink "+home+"/evil "+full, "rmdir "+full, "mkdir "+full,
		"write "+full+"/planted planted", "write "+full+" planted")
	for a := filepath.Dir(p); a != "."; a = filepath.Dir(a) {
		at := home + "/" + a
		rest := strings.TrimPrefix(p, a)
		ops = append(ops, "rename "+at+" "+home+"/away-"+strings.ReplaceAll(a, "/", "-"), "exchange "+at+" "+home+"/evil", "unlink "+at, "rmdir "+at,
			"symlink "+home+"/evil "+at, "mkdir "+at, "mkdir "+filepath.Dir(full), "mkdir "+full, "write "+at+rest+" planted", "write "+at+rest+"/planted planted")
	}
	return ops
}

// brokenIn looks from outside at what the user's session would use.
func brokenIn(t *testing.T, home string) {
	t.Helper()
	for _, g := range guardedNames {
		full := filepath.Join(home, g.path)
		if strings.Contains(e2e.Read(full), "planted") {
			t.Errorf("%s has the app's text", g.path)
		}
		if _, err := os.Stat(filepath.Join(full, "planted")); err == nil {
			t.Errorf("%s holds the app's file", g.path)
		}
		if info, err := os.Stat(full); err == nil && info.Mode().Perm() == 0o777 {
			t.Errorf("%s has the app's mode", g.path)
		}
	}
}

func TestF07HomeGrantDoesNotOpenWhatTheSessionRuns(t *testing.T) {
	prepare := map[string]func(h *e2e.Home){
		"nothing exists": func(h *e2e.Home) {},
		"all exists": func(h *e2e.Home) {
			for _, g := range guardedNames {
				if g.file {
					h.Write(g.path, "mine")
				} else if !strings.Contains(g.path, "sandbox") {
					h.Write(g.path+"/mine", "mine")
				}
			}
		},
		"dotfiles are links": func(h *e2e.Home) {
			h.Write("dotfiles/bashrc", "mine")
			h.Write("dotfiles/config/systemd/user/mine", "mine")
			h.Write("dotfiles/ssh/id", "key")
			h.Mkdir("dotfiles/local/share")
			for link, to := range map[string]string{".bashrc": "dotfiles/bashrc", ".config": "dotfiles/config", ".ssh": h.Dir + "/dotfiles/ssh", ".local": "links/local"} {
				os.Symlink(to, filepath.Join(h.Dir, link))
			}
			h.Mkdir("links")
			os.Symlink("../dotfiles/local", h.Dir+"/links/local")
		},
		"the home is a link": func(h *e2e.Home) {
			os.Rename(h.Dir, h.Root+"/real-home")
			os.Symlink("real-home", h.Dir)
		},
	}
	for name, make := range prepare {
		t.Run(name, func(t *testing.T) {
			h, b := attack(t)
			make(h)
			h.Mkdir("evil")
			h.Write("evil/planted", "planted")
			h.Write("evilfile", "planted")
			os.Chmod(h.Dir, 0o700)
			grants := []string{"--grant", "files:home:write"}
			for _, g := range guardedNames {
				ops := breakIn(h.Dir, g.path)
				if strings.HasPrefix(name, "dotfiles") {
					ops = append(ops, breakIn(h.Dir, "dotfiles/config/systemd")...)
					ops = append(ops, "unlink "+h.Dir+"/links/local", "rename "+h.Dir+"/links "+h.Dir+"/links2", "rename "+h.Dir+"/dotfiles "+h.Dir+"/d2",
						"mkdir "+h.Dir+"/links", "symlink "+h.Dir+"/evil "+h.Dir+"/links/local")
				}
				r := h.Run(append(append([]string{"run"}, grants...), append([]string{b}, ops...)...)...)
				if r.Code != 0 {
					t.Fatalf("%s: %+v", g.path, r)
				}
				brokenIn(t, h.Dir)
				if t.Failed() {
					t.Fatalf("by way of %s:\n%s", g.path, r.Stdout)
				}
			}
			a := h.Inside(b, grants, "write "+h.Dir+"/notes x", "mkdir "+h.Dir+"/new", "rename "+h.Dir+"/new "+h.Dir+"/new2", "ls "+h.Dir+"/.ssh", "read "+h.Dir+"/.ssh/id")
			a.Is("write "+h.Dir+"/notes x", "ok")
			a.Is("mkdir "+h.Dir+"/new", "ok")
			a.Is("rename "+h.Dir+"/new "+h.Dir+"/new2", "ok")
			a.Is("ls "+h.Dir+"/.ssh", "ok")
			a.Is("read "+h.Dir+"/.ssh/id", "ENOENT")
			if e2e.Read(h.Dir+"/notes") != "x" {
				t.Error("the grant gave nothing")
			}
		})
	}
}

// Named by itself a guarded path is open, but our own state is to nobody.
func TestF07GuardsOpenOnlyByTheirName(t *testing.T) {
	h, b := attack(t)
	h.Write(".ssh/id", "key")
	h.Write(".config/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"$HOME/.ssh\"\nXDG_MUSIC_DIR=\"$HOME/.config/sandbox\"\nXDG_VIDEOS_DIR=\"/etc\"\n")
	os.Symlink(".ssh", h.Dir+"/innocent")
	read := "read " + h.Dir + "/.ssh/id"
	h.Inside(b, []string{"--grant", "files:~/.ssh:read"}, read).Is(read, "ok key")
	h.Inside(b, []string{"--grant", "files:~/.ssh/id:read"}, read).Is(read, "ok key")
	for _, grant := range []string{"files:home:read", "files:home:write", "files:host:write", "files:xdg-download:write", "files:~/innocent:read", "files:" + h.Root + ":write"} {
		r := h.Run("run", "--grant", grant, b, read, "read "+h.Dir+"/innocent/id")
		if strings.Contains(r.Stdout, "ok key") {
			t.Errorf("%s: %s", grant, r.Stdout)
		}
	}
	for _, grant := range []string{"files:~/.config/sandbox:read", "files:~/.local/share/sandbox:read", "files:~/.local/share/sandbox/app:read", "files:xdg-music:read",
		"files:xdg-videos:read", "files:" + h.Runtime + "/sandbox:read", "files:" + h.Runtime + "/sandbox/instances:write"} {
		if r := h.Run("run", "--grant", grant, b, "say ran"); r.Code == 0 {
			t.Errorf("%s was granted: %+v", grant, r)
		}
	}
}

// Where no session has a runtime directory, the registry is somewhere an app
// may be given: it must not see it.
func TestF07RegistryIsInNoGrant(t *testing.T) {
	h, b := attack(t)
	if _, err := os.Stat(format("/run/user/%d", os.Getuid())); err == nil {
		t.Skip("this session has /run/user")
	}
	tmp := h.Mkdir("tmp")
	base := format("%s/sandbox-%d", tmp, os.Getuid())
	for _, env := range [][]string{{"XDG_RUNTIME_DIR=", "TMPDIR=" + tmp}, {"XDG_RUNTIME_DIR=" + h.Root + "/shared"}} {
		os.Mkdir(h.Root+"/shared", 0o700)
		for _, grant := range []string{"files:" + tmp + ":write", "files:" + h.Root + ":write", "files:" + h.Root + "/shared:write", "files:home:write"} {
			r := h.Do(e2e.Cmd{Env: env, Args: []string{"run", "--name", "here", "--grant", grant, b, "ls " + base, "ls " + base + "/instances", "ls " + h.Root + "/shared/sandbox",
				"connect unixpacket " + base + "/instances/here.sock", "connect unixpacket " + h.Root + "/shared/sandbox/instances/here.sock", "write " + base + "/instances/x.json {}",
				"rename " + base + " " + tmp + "/x", "rename " + tmp + " " + h.Dir + "/x"}})
			a := h.Answers(r)
			a.Is("ls "+base, "ok", "ENOENT")
			if env[0] == "XDG_RUNTIME_DIR=" {
				a.Is("ls "+base+"/instances", "ENOENT")
			}
			a.Is("ls "+h.Root+"/shared/sandbox", "ok", "ENOENT")
			a.Is("connect unixpacket "+base+"/instances/here.sock", "ENOENT")
			a.Is("connect unixpacket "+h.Root+"/shared/sandbox/instances/here.sock", "ENOENT")
			if r := h.Do(e2e.Cmd{Env: env, Args: []string{"ps"}}); r.Code != 0 || strings.Contains(r.Stdout, "x") {
				t.Errorf("ps: %+v", r)
			}
			if got, _ := filepath.Glob(base + "/instances/*"); len(got) > 0 {
				t.Errorf("left or planted: %q", got)
			}
		}
	}
}

func TestF08DenyWinsInEveryOrder(t *testing.T) {
	h, b := attack(t)
	h.Write("private/secret", "private-secret")
	h.Write("private/sub/secret", "private-secret")
	h.Write("open/file", "open")
	os.Symlink("private", h.Dir+"/alias")
	file, sub := "read "+h.Dir+"/private/secret", "read "+h.Dir+"/private/sub/secret"
	ops := []string{file, sub, "read " + h.Dir + "/alias/secret", "rename " + h.Dir + "/private " + h.Dir + "/p2", "read " + h.Dir + "/p2/secret",
		"link " + h.Dir + "/private/secret " + h.Dir + "/hard", "read " + h.Dir + "/hard", "umount " + h.Dir + "/private", "write " + h.Dir + "/private/new x",
		"open /proc/self/root" + h.Dir + "/private/secret r", "read " + h.Dir + "/open/../private/secret", "exchange " + h.Dir + "/open " + h.Dir + "/private",
		"read " + h.Dir + "/open/secret", "read " + h.Dir + "/open/file"}
	for _, flags := range [][]string{
		{"--grant", "files:home:write", "--deny", "files:~/private"},
		{"--deny", "files:~/private", "--grant", "files:home:write"},
		{"--deny", "files:~/private", "--grant", "files:home:write", "--grant", "files:~/private/sub:write"},
		{"--deny", "files:~/private", "--grant", "files:~/private/sub/secret:read", "--grant", "files:home:read"},
		{"--deny", "files:~/private", "--grant", "files:" + h.Root + ":write", "--grant", "files:~/alias:write"},
		{"--deny", "files:~/alias", "--grant", "files:home:write"},
		{"--deny", "files:home", "--grant", "files:~/private:write"},
		{"--deny", "files:home", "--grant", "files:" + h.Root + ":write"},
	} {
		r := h.Run(append(append([]string{"run"}, flags...), append([]string{b}, ops...)...)...)
		if strings.Contains(r.Stdout, "private-secret") {
			t.Errorf("%v: %s\n%s", flags, r.Stdout, r.Stderr)
		}
		if slices.Contains(flags, "files:home") && strings.Contains(r.Stdout, "ok open") {
			t.Errorf("%v: the rest of the home is open: %s", flags, r.Stdout)
		}
		if _, err := os.Stat(h.Dir + "/private/new"); err == nil {
			t.Errorf("%v: written to", flags)
		}
	}
	a := h.Inside(b, []string{"--grant", "files:home:write"}, ops[:3]...)
	a.Is(file, "ok private-secret")
	a.Is(ops[2], "ok private-secret")
}

// What is denied and does not exist cannot be made; nor is it made elsewhere.
func TestF08DeniedPathThatDoesNotExist(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	work := h.Mkdir("work")
	h.Inside(b, []string{"--grant", "files:~/work:write", "--deny", "files:~/work/a/denied"}, "mkdir "+work+"/a", "write "+work+"/a/denied x",
		"rename "+work+"/a "+work+"/b", "mkdir "+work+"/a/denied", "write "+work+"/a/denied/x x", "write "+work+"/a/other x").Is("write "+work+"/a/denied/x x", "EROFS", "ENOENT", "EACCES")
	os.RemoveAll(work + "/a")
	os.Symlink(canary.Dir, work+"/a")
	h.Run("run", "--grant", "files:~/work:write", "--deny", "files:~/work/a/denied", b, "say ran")
	canary.Check()
}

func TestF10OnlyFilesAndDirectoriesAreGranted(t *testing.T) {
	h, b := attack(t)
	unix.Mkfifo(h.Dir+"/fifo", 0o600)
	l, err := net.Listen("unix", h.Dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	os.Symlink("/dev/null", h.Dir+"/null")
	os.Symlink("loop2", h.Dir+"/loop1")
	os.Symlink("loop1", h.Dir+"/loop2")
	os.Symlink("deep/deep", h.Dir+"/deep")
	for _, name := range []string{"fifo", "socket", "null", "loop1", "deep"} {
		start := time.Now()
		r := h.Do(e2e.Cmd{Args: []string{"run", "--grant", "files:~/" + name + ":read", b, "say ran"}, Timeout: 5 * time.Second})
		if r.Code == 0 || strings.Contains(r.Stdout, "ran") || !strings.Contains(r.Stderr, "cannot grant") {
			t.Errorf("%s was granted: %+v", name, r)
		}
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("%s took %s", name, d)
		}
	}
	h.Write("file", "x")
	h.Inside(b, []string{"--grant", "files:~/file:read"}, "read "+h.Dir+"/file").Is("read "+h.Dir+"/file", "ok x")
}

// Below a granted directory sockets of the host can be seen, which is what such
// a grant means; in no other place is there one.
func TestF19NoSocketOfTheHost(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "sockets /", "ls /run", "ls /run/user", "ls /tmp", "ls /var", "ls /sys", "ls /")
	a.Is("sockets /", "ok")
	a.Is("ls /run", "ok lock user")
	a.Is("ls /sys", "ENOENT")
	for _, name := range []string{"boot", "opt", "srv", "mnt", "media", "work"} {
		a.Lacks("ls /", " "+name+" ")
	}
}

func TestF13NamesWithMeaningsElsewhere(t *testing.T) {
	h, b := attack(t)
	for _, name := range []string{"a,b", "a:b", "quote\"", "brace{}", "back\\slash", "percent%s", "lowerdir=x", "é", "-dash", "...", "a\x7fb", "nl\nx", "esc\x1b[2J", "star*", "ask?", "\u202egnp"} {
		dir := h.Dir + "/" + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(dir+"/canary", []byte("yes"), 0o644)
		r := h.Run("run", "--grant", "files:~/"+name+":write", "--cwd", dir, b, "ls .", "write ./made x", "ls "+h.Dir)
		if r.Code == 0 {
			a := h.Answers(r)
			a.Is("ls .", "ok canary")
			if e2e.Read(dir+"/made") != "x" || strings.Contains(a.Of("ls "+h.Dir), "evil") {
				t.Errorf("%q is not exactly what was granted: %s", name, r.Stdout)
			}
		} else if !strings.Contains(r.Stderr, "sandbox: error: ") || strings.Contains(r.Stderr, "\x1b") || strings.Contains(r.Stderr, "\u202e") {
			t.Errorf("%q: %+v", name, r)
		}
	}
	h.Inside(b, []string{"--grant", "files:~/a,b:read"}, "ls "+h.Dir+"/a,b").Is("ls "+h.Dir+"/a,b", "ok canary made")
}

// The bundle's own path, with what overlayfs and mount options would split.
func TestF13BundlePathWithOptionCharacters(t *testing.T) {
	h, b := attack(t)
	odd := filepath.Join(h.Root, "odd,lowerdir=a:b\\c")
	if err := os.Rename(b, odd); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(odd)
	os.MkdirAll(odd+"/usr/bin", 0o755)
	rt := e2e.Bundle(t, "id = \"org.example.Runtime\"\nname = \"x\"\nversion = \"1\"\nkind = \"runtime\"\n", map[string]string{"files/share/x": "=runtime"})
	text := e2e.Read(odd+"/sandbox.toml") + "runtime = \"org.example.Runtime\"\n"
	os.WriteFile(odd+"/sandbox.toml", []byte(text), 0o644)
	os.MkdirAll(odd+"/usr/share", 0o755)
	os.WriteFile(odd+"/usr/share/y", []byte("overlaid"), 0o644)
	a := h.Inside(odd, []string{"--runtime", rt}, "read /usr/share/x", "read /usr/share/y", "write /usr/share/z x")
	a.Is("read /usr/share/x", "ok runtime")
	a.Is("read /usr/share/y", "ok overlaid")
	a.Is("write /usr/share/z x", "EROFS")
}

func TestF14NoControlGroupFileSystem(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "ls /sys/fs/cgroup", "read /proc/self/mountinfo", "mkdir /tmp/c", "mount /tmp/c /tmp", "sys 165 buf buf buf 0 0", "sys 430 buf 0")
	a.Is("ls /sys/fs/cgroup", "ENOENT")
	a.Lacks("read /proc/self/mountinfo", " cgroup")
	a.Is("sys 165 buf buf buf 0 0", "EPERM")
	a.Is("sys 430 buf 0", "ENOSYS")
}

// Every mount, however many there are.
func TestF16MountsAreNosuidAndNodev(t *testing.T) {
	h, b := attack(t)
	h.Mkdir("granted")
	mounts := "read /proc/self/mountinfo"
	a := h.Inside(b, []string{"--grant", "files:~/granted:write", "--grant", "files:home:read"}, mounts, "write "+h.Dir+"/granted/suid x",
		"chmod "+h.Dir+"/granted/suid 04755", "mknod "+h.Dir+"/granted/dev", "mknod /tmp/dev")
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(a.Of(mounts), "ok "), "|") {
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		n++
		options := strings.Split(f[5], ",")
		device := strings.HasPrefix(f[4], "/dev/") && f[4] != "/dev/shm" || strings.HasPrefix(f[4], "/proc/")
		if !slices.Contains(options, "nosuid") || !device && !slices.Contains(options, "nodev") {
			t.Errorf("%s is mounted %s", f[4], f[5])
		}
		if strings.Contains(line, " - tmpfs ") && f[3] == "/" && (!strings.Contains(line, "size=") || !strings.Contains(line, "nr_inodes=")) {
			t.Errorf("a file system in memory has no bounds: %s", line)
		}
	}
	if n < 15 && !strings.Contains(a.Of(mounts), "/dev/pts") {
		t.Logf("only %d mounts were read: the answer is cut", n)
	}
	a.Is("mknod "+h.Dir+"/granted/dev", "EPERM")
	a.Is("mknod /tmp/dev", "EPERM")
}

func TestF17DirectoriesAreThePersonsOwn(t *testing.T) {
	for _, umask := range []string{"000", "022", "077"} {
		t.Run(umask, func(t *testing.T) {
			h, b := attack(t)
			script := `umask "$1"; shift; exec "$@"`
			r := h.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", script, "sh", umask, e2e.Program(t, "sandbox"), "run", "--detach", "--name", "d", b, "write " + h.Dir + "/file x", "write /tmp/file x",
				"stat " + h.Dir + "/file", "stat " + h.Dir, "stat /run/user", "hold"}})
			if r.Code != 0 {
				t.Fatalf("%+v", r)
			}
			for _, dir := range []string{".local/share/sandbox", ".local/share/sandbox/app", ".local/share/sandbox/log", "../run/sandbox", "../run/sandbox/instances"} {
				info, err := os.Stat(filepath.Join(h.Dir, dir))
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm()&0o077 != 0 && dir != ".local/share/sandbox/app" {
					t.Errorf("%s has mode %o", dir, info.Mode().Perm())
				}
			}
			for _, pattern := range []string{".local/share/sandbox/log/*", "../run/sandbox/instances/*", ".local/share/sandbox/app/*", ".local/share/sandbox/app/*/home"} {
				names, _ := filepath.Glob(filepath.Join(h.Dir, pattern))
				if len(names) == 0 {
					t.Errorf("nothing at %s", pattern)
				}
				for _, n := range names {
					if info, err := os.Lstat(n); err == nil && info.Mode().Perm()&0o077 != 0 && info.Mode()&os.ModeSocket == 0 {
						t.Errorf("%s has mode %o", n, info.Mode().Perm())
					}
				}
			}
			log := ""
			if !e2e.Within(5*time.Second, func() bool { log = h.Run("logs", "d").Stdout; return strings.Contains(log, "stat /run/user") }) {
				t.Errorf("the log has only %q", log)
			}
			h.Run("kill", "d")
			if !strings.Contains(log, "mode=100644") {
				t.Errorf("the caller's umask reaches the app: %s", log)
			}
		})
	}
}

// What is read on the host from a place where the app may have planted a link.
func TestF23LogsAreNotLinks(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	h.Run("run", "--detach", "--name", "first", b, "say one")
	log := filepath.Join(h.Dir, ".local/share/sandbox/log")
	for _, name := range []string{"planted.log", "planted.log.1"} {
		os.Symlink(canary.File, filepath.Join(log, name))
	}
	if r := h.Run("logs", "planted"); strings.Contains(r.Stdout, canary.Secret) {
		t.Errorf("the log shows %s", r.Stdout)
	}
	if r := h.Run("run", "--detach", "--name", "planted", b, "say two", "hold"); r.Code == 0 {
		h.Run("kill", "planted")
	}
	canary.Check()
	for _, name := range []string{"../../../../secret", "../app", "", "/etc/passwd"} {
		if r := h.Run("logs", name); r.Code == 0 {
			t.Errorf("logs %q: %+v", name, r)
		}
	}
	if !e2e.Within(5*time.Second, func() bool { return strings.Contains(h.Run("logs", "first").Stdout, "say one") }) {
		t.Error("a true log is not shown")
	}
}

func TestF25MemoryFileSystemsAreBounded(t *testing.T) {
	h, b := attack(t)
	shm, run := "fill /dev/shm 300000000", "fill /run/lock 80000000"
	a := h.Inside(b, []string{"--ephemeral"}, shm, run, "write /dev/x x", "files /run/lock 20000", "fill /run/lock 30000000", "write /x x")
	a.Is(shm, "ENOSPC")
	a.Is(run, "ENOSPC")
	a.Is("write /dev/x x", "EROFS", "EACCES")
	a.Is("files /run/lock 20000", "ENOSPC")
	a.Is("write /x x", "EROFS")
}
