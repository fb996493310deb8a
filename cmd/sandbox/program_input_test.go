package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/internal/testenv"
)

// refused runs what must fail before anything is started: with the status and
// the words, and with the home as it was.
func refused(t *testing.T, h *e2e.Home, code int, words, way string, line ...string) {
	t.Helper()
	before := e2e.Snapshot(h.Root)
	says(t, h.Run(line...), code, words, way)
	if now := e2e.Snapshot(h.Root); now != before {
		t.Errorf("something was left half made:\n%s\nbefore:\n%s", now, before)
	}
}

func TestBundlesThatCannotBeRun(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	probe := e2e.Probe(t)
	bundle := func(manifest string) string {
		return e2e.Bundle(t, manifest, map[string]string{"files/bin/probe": probe})
	}
	const good = "id = \"org.example.Input\"\nname = \"Input\"\nversion = \"1\"\ncommand = \"probe\"\n"
	fine := bundle(good)
	fifo := e2e.Bundle(t, good, nil)
	os.Remove(fifo + "/sandbox.toml")
	unix.Mkfifo(fifo+"/sandbox.toml", 0o644)
	link := e2e.Bundle(t, good, nil)
	os.Rename(link+"/sandbox.toml", link+"/real.toml")
	os.Symlink("real.toml", link+"/sandbox.toml")
	none := e2e.Bundle(t, good, nil)
	os.Remove(none + "/sandbox.toml")
	circle := filepath.Join(h.Dir, "circle")
	os.Symlink("circle", circle)

	cases := []struct{ name, dir, words, way string }{
		{"no such directory", h.Dir + "/nothing", "no such file", "directory"},
		{"an id", "org.gnu.Nano", "not installed", "./org.gnu.Nano"},
		{"a file", fine + "/sandbox.toml", "not a directory", "directory"},
		{"links in a circle", circle, "circle", ""},
		{"a NUL", "a\\x00", "cannot", ""},
		{"no manifest", none, "sandbox.toml", "sandbox init"},
		{"manifest is a FIFO", fifo, "not a regular file", ""},
		{"manifest is a link", link, "symbolic link", "itself"},
		{"manifest is empty", bundle(""), "sandbox.toml:", ""},
		{"not TOML", bundle("id = \n"), "sandbox.toml:1:", ""},
		{"not UTF-8", bundle("id = \"\xff\"\n"), "sandbox.toml:1", ""},
		{"a NUL in it", bundle("id = \"a\x00b\"\n"), "sandbox.toml:1", ""},
		{"unknown key", bundle(good + "comand = \"x\"\n"), `sandbox.toml:5:1: unknown key "comand"`, "command"},
		{"wrong case", bundle(good + "Summary = \"x\"\n"), `sandbox.toml:5:1: unknown key "Summary"`, "summary"},
		{"wrong type", bundle(good + "args = \"x\"\n"), "sandbox.toml:5:", ""},
		{"unknown permission", bundle(good + "[permissions]\n\"netwrok:host\" = \"x\"\n"), "sandbox.toml:6:", "network"},
		{"bad limit", bundle(good + "[limits]\nmemory = \"lots\"\n"), "sandbox.toml:6:", ""},
		{"huge", bundle(good + "summary = \"" + strings.Repeat("x", 2<<20) + "\"\n"), "larger than", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.words, "sandbox.toml:") {
				problem(t, h.Run("run", c.dir), c.words, c.way)
				return
			}
			refused(t, h, 125, c.words, c.way, "run", c.dir)
		})
	}
	t.Run("all mistakes at once", func(t *testing.T) {
		r := h.Run("run", bundle("id = \"bad id\"\nname = 3\nfoo = 1\n"))
		if n := strings.Count(r.Stderr, ": error: "); n != 5 || r.Code != 125 {
			t.Errorf("%d errors, status %d:\n%s", n, r.Code, r.Stderr)
		}
	})
	if _, err := os.Lstat(h.Dir + "/.local"); err == nil {
		t.Error("something was left half made")
	}
	if r := h.Run("run", fine, "say hi"); r.Code != 0 {
		t.Errorf("the good one: %+v", r)
	}
}

// problem checks how a mistake in a manifest is shown: with its place.
func problem(t *testing.T, r e2e.Result, words, way string) {
	t.Helper()
	at, text, found := strings.Cut(r.Stderr, ": error: ")
	_, hint, _ := strings.Cut(text, "  hint: ")
	if r.Code != 125 || !found || !strings.Contains(at+": "+text, words) || !strings.Contains(hint, way) {
		t.Errorf("got status %d and %q, want %q and a hint of %q", r.Code, r.Stderr, words, way)
	}
}

func TestRuntimesThatDoNotFit(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	app, runtime := testapps.Bundle(t, "org.gnu.Bash")
	static := e2e.ProbeBundle(t)
	other := e2e.Bundle(t, "id = \"org.example.Platform\"\nname = \"Other\"\nversion = \"1\"\nkind = \"runtime\"\n", nil)
	channel := e2e.Bundle(t, "id = \"org.debian.Platform\"\nname = \"Old\"\nversion = \"1\"\nkind = \"runtime\"\nchannel = \"11\"\n", nil)
	cases := []struct {
		name  string
		line  []string
		words string
		way   string
	}{
		{"none", []string{app}, "needs the runtime org.debian.Platform/12", "--runtime"},
		{"absent", []string{"--runtime", "/nothing", app}, `cannot open runtime "/nothing"`, ""},
		{"no bundle", []string{"--runtime", h.Dir, app}, "sandbox.toml", ""},
		{"an app", []string{"--runtime", static, app}, `of kind "app"`, "org.debian.Platform"},
		{"another", []string{"--runtime", other, app}, "org.example.Platform", "--runtime"},
		{"another channel", []string{"--runtime", channel, app}, "org.debian.Platform/11", "--runtime"},
		{"not needed", []string{"--runtime", runtime, static}, "needs none", "drop --runtime"},
		{"not an app", []string{runtime}, `of kind "runtime"`, "app"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(t, h, 125, c.words, c.way, append([]string{"run"}, c.line...)...) })
	}
}

func TestCommandLinesThatAreWrong(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	cases := []struct {
		words, way string
		line       []string
	}{
		{"no bundle is named", "directory", []string{"run", ""}},
		{"--runtime needs a value", "", []string{"run", "--runtime=", b}},
		{"--command needs a value", "", []string{"run", "--command", "", b}},
		{"too few arguments", "", []string{"run"}},
		{`unknown verb "rnu"`, "sandbox run", []string{"rnu", b}},
		{`unknown verb ""`, "--help", []string{""}},
		{`unknown flag "-x"`, "follow the verb", []string{"-x", "run", b}},
		{"--grnt", "--grant", []string{"run", "--grnt", "network:host", b}},
		{"needs a value", "", []string{"run", "--grant"}},
		{"unexpected argument", "", []string{"ps", "x"}},
		{"--grant nonsense", "", []string{"run", "--grant", "nonsense", b}},
		{"--grant netwrok:host", "network", []string{"run", "--grant", "netwrok:host", b}},
		{"--deny files:/x:all", "", []string{"run", "--deny", "files:/x:all", b}},
		{"--limit limit:memory=lots", "", []string{"run", "--limit", "memory=lots", b}},
		{"--env 1x=y", "", []string{"run", "--env", "1x=y", b}},
		{"--pass-fd 9: it is not open", "3<FILE", []string{"run", "--pass-fd", "9", b}},
		{"--pass-fd x", "from 3", []string{"run", "--pass-fd", "x", b}},
		{"--pass-fd 1", "from 3", []string{"run", "--pass-fd", "1", b}},
		{"--json", "--dry-run", []string{"run", "--json", b}},
		{"--name is given twice", "", []string{"run", "--name", "a", "--name", "b", b}},
	}
	for _, path := range []string{"/", "/usr", "/etc/passwd", "/proc/1", "/dev/sda", "/run", "relative", "/x/../y", "/tmp/*"} {
		cases = append(cases, struct {
			words, way string
			line       []string
		}{"--grant files:" + path, "", []string{"run", "--grant", "files:" + path + ":read", b}})
	}
	for _, c := range cases {
		t.Run(strings.Join(c.line[:len(c.line)-1], " "), func(t *testing.T) { refused(t, h, 2, c.words, c.way, c.line...) })
	}
}

func TestGrantsThatCannotBeGiven(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	h.Write("file", "x")
	unix.Mkfifo(h.Dir+"/fifo", 0o644)
	l, err := net.Listen("unix", h.Dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	os.Symlink("circle", h.Dir+"/circle")
	os.Symlink("/usr", h.Dir+"/system")
	os.Symlink("/proc/self/root/etc", h.Dir+"/magic")
	os.Symlink("/dev/null", h.Dir+"/null")
	h.Mkdir(".local/share/sandbox/app")
	os.Symlink(".local/share/sandbox", h.Dir+"/own")
	cases := []struct{ path, words, way string }{
		{"~/absent:read", "no such file", ":create"},
		{"~/absent/deeper:write", "no such file", ":create"},
		{"~/file/below:read", "not a directory", ""},
		{"~/file/below:create", "not a directory", ""},
		{"~/fifo:read", "FIFO", "directories and regular files"},
		{"~/socket:write", "socket", "socket:"},
		{"~/null:write", "device", "device:"},
		{"~/circle:read", "circle", "directory itself"},
		{"~/system:read", "reserved", "/run/host"},
		{"~/magic:read", "reserved", ""},
		{"~/.local/share/sandbox:read", "sandbox", ""},
		{"~/.local/share/sandbox/app:write", "sandbox itself", "no app"},
		{"~/own:write", "sandbox itself", "no app"},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			before := e2e.Snapshot(h.Root)
			r := h.Run("run", "--grant", "files:"+c.path, b)
			if r.Code != 125 && r.Code != 2 {
				t.Errorf("status %d", r.Code)
			}
			says(t, r, r.Code, c.words, c.way)
			if now := e2e.Snapshot(h.Root); now != before {
				t.Errorf("something was left half made:\n%s\nbefore:\n%s", now, before)
			}
		})
	}
	// Every mistake is told, not only the first.
	r := h.Run("run", "--grant", "files:~/absent:read", "--grant", "files:~/fifo:read", "--grant", "files:~/file:read", b)
	if n := strings.Count(r.Stderr, "sandbox: error: "); n != 2 {
		t.Errorf("%d errors for two mistakes:\n%s", n, r.Stderr)
	}
	h.Inside(b, []string{"--grant", "files:~/file:read"}, "read "+h.Dir+"/file").Is("read "+h.Dir+"/file", "ok x")
}

// A file system that does not answer is not waited for.
func TestGrantOfAHungMount(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		testenv.Skip(t, "needs /dev/fuse")
	}
	testenv.NeedCommand(t, "unshare")
	h := e2e.NewHome(t)
	hung := h.Mkdir("hung")
	start := time.Now()
	r := h.Do(e2e.Cmd{Program: testenv.NeedCommand(t, "unshare"), Env: []string{"SANDBOX=" + e2e.Program(t, "sandbox")},
		Args: []string{"-m", "bash", "-c", `exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none "$0" || exit 99; "$SANDBOX" "$@" 3<&-`,
			hung, "run", "--grant", "files:" + hung + "/x:read", e2e.ProbeBundle(t)}})
	if r.Code == 99 {
		testenv.Skip(t, "needs a FUSE mount: %s", r.Stderr)
	}
	says(t, r, 125, "does not answer", "FUSE")
	if took := time.Since(start); took > soon {
		t.Errorf("it took %s", took)
	}
}

// unprivileged prepares a namespace in which setup is run with privileges over
// it, and then sandbox with a command line and without them.
func unprivileged(t *testing.T, h *e2e.Home, flags, setup string, line ...string) e2e.Result {
	t.Helper()
	testenv.NeedCommand(t, "unshare")
	testenv.NeedCommand(t, "setpriv")
	text := fmt.Sprintf(`exec unshare %s bash -c '{ %s; } || exit 99; exec setpriv --ambient-caps=-all --inh-caps=-all -- "$SANDBOX" "$@"' "$0" "$@"`, flags, setup)
	r := script(t, h, text, line...)
	if r.Code == 99 || strings.HasPrefix(r.Stderr, "unshare: ") {
		testenv.Skip(t, "needs namespaces made by unshare(1): %s", r.Stderr)
	}
	return r
}

const ownUserNS = "-U --map-current-user --keep-caps"

func TestWithoutUserNamespaces(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	r := unprivileged(t, h, ownUserNS, "echo 0 >/proc/sys/user/max_user_namespaces", "run", "--ephemeral", e2e.ProbeBundle(t))
	says(t, r, 125, "namespaces", "max_user_namespaces")
}

// tmpfs mounts a small file system over $XDG_DATA_HOME in a namespace of its
// own: as root in a mount namespace, else in a user namespace too.
func tmpfs(options string) (flags, setup string) {
	flags = "-m"
	if os.Geteuid() != 0 {
		flags = ownUserNS + " -m"
	}
	return flags, "mount -t tmpfs -o mode=0700,uid=$(id -u)," + options + ` none "$XDG_DATA_HOME"`
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	data := h.Mkdir("data")
	h.Env = append(h.Env, "XDG_DATA_HOME="+data)
	b := e2e.ProbeBundle(t)
	flags, setup := tmpfs("nr_inodes=1")
	says(t, unprivileged(t, h, flags, setup, "run", b, "say hi"), 125, "no space left on device", "space")
	// Without a home of its own on that disk an app runs all the same.
	if r := unprivileged(t, h, flags, setup, "run", "--ephemeral", b, "say hi"); r.Code != 0 || !strings.Contains(r.Stdout, "hi") {
		t.Errorf("--ephemeral: %+v", r)
	}
	flags, setup = tmpfs("ro")
	says(t, unprivileged(t, h, flags, setup, "run", b, "say hi"), 125, "read-only file system", "")
}

// With room for names but not for content, the log of a detached app is lost
// and the app is not.
func TestFullDiskDoesNotHangADetachedApp(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	data := h.Mkdir("data")
	h.Env = append(h.Env, "XDG_DATA_HOME="+data)
	flags, setup := tmpfs("size=16k")
	r := unprivileged(t, h, flags, setup+` && dd if=/dev/zero of="$XDG_DATA_HOME/fill" bs=4k count=3 status=none`,
		bash(t, "head -c 1000000 /dev/zero; touch ~/x && exit 3; exit 4", "--detach", "--name", "writer")...)
	wants(t, r, 0, "writer\n")
	if !e2e.Within(soon, func() bool { return len(list(t, h)) == 0 }) {
		t.Error("the app hangs")
		h.Run("kill", "writer")
	}
}

func TestRuntimeDirectories(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	run := func(dir string, line ...string) e2e.Result {
		return h.Do(e2e.Cmd{Args: line, Env: []string{"XDG_RUNTIME_DIR=" + dir}})
	}
	file := h.Write("file", "")
	open := h.Mkdir("open")
	os.Chmod(open, 0o777)
	os.Mkdir(open+"/sandbox", 0o777)
	os.Chmod(open+"/sandbox", 0o777)
	for name, dir := range map[string]string{"a file": file, "open to all": open, "below a file": file + "/x"} {
		t.Run(name, func(t *testing.T) {
			says(t, run(dir, "run", "--name", "x", b), 125, "cannot", "XDG_RUNTIME_DIR")
		})
	}
	says(t, run(file, "ps"), 1, "list of instances", "XDG_RUNTIME_DIR")
	// Deeper than a socket's address can say (107 bytes) is not too deep.
	wants(t, run(h.Mkdir(strings.Repeat("d", 120)), "run", "--name", "deep", b, "say hi"), 0, "say hi = ok hi\n")
	// Unset, empty and relative values stand for none: another place is found.
	for _, dir := range []string{"", "relative"} {
		if r := run(dir, "run", b, "say hi"); r.Code != 0 {
			t.Errorf("with XDG_RUNTIME_DIR=%q: %+v", dir, r)
		}
		if r := run(dir, "ps"); r.Code != 0 {
			t.Errorf("ps with XDG_RUNTIME_DIR=%q: %+v", dir, r)
		}
	}
}

func TestHomesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	for _, home := range []string{"/", "relative", "/etc", "/a:b", "/a\nb", "/proc/self/cwd"} {
		t.Run(home, func(t *testing.T) {
			says(t, h.Do(e2e.Cmd{Args: []string{"run", b}, Env: []string{"HOME=" + home}}), 125, "cannot", "HOME")
		})
	}
	// A home that is not there yet is only a name.
	if r := h.Do(e2e.Cmd{Args: []string{"run", b, "say hi"}, Env: []string{"HOME=" + h.Dir + "/new"}}); r.Code != 0 {
		t.Errorf("a missing home: %+v", r)
	}
}

// Serial lines and some editors' terminals have no size.
func TestTerminalWithoutASize(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	line := bash(t, `read x; stty size; tput cols`)
	p := h.Pty(line...)
	p.Resize(0, 0)
	time.Sleep(100 * time.Millisecond)
	p.Type("\r")
	p.Expect("24 80", soon)
	p.Expect("80", soon)
	if code := p.Wait(soon); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// The working directory may have been removed, or be closed to us.
func TestWorkingDirectoryThatIsGone(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	r := script(t, h, `mkdir gone && cd gone && rmdir ../gone && "$SANDBOX" "$@"`, "run", b, "getcwd")
	if r.Code != 0 || !strings.Contains(r.Stdout, "getcwd = ok "+h.Dir) {
		t.Errorf("got %+v", r)
	}
	says(t, h.Run("run", "--cwd", "/nowhere", b), 125, "working directory", "")
	for _, dir := range []string{"relative", "/proc", "/a/../b"} {
		says(t, h.Run("run", "--cwd", dir, b), 125, "cannot start in", "absolute")
	}
}
