package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// Whatever the caller has open stays with the caller.
func TestI01OpenDescriptorsOfTheCaller(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	var files []*os.File
	open := func(path string, flags int) {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), path))
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for len(files) < 197 {
		open(canary.Dir, unix.O_RDONLY|unix.O_DIRECTORY)
		open(canary.File, unix.O_RDWR)
		open(canary.Dir, unix.O_PATH)
		open("/", unix.O_PATH)
		files = append(files, os.NewFile(uintptr(pair[0]), "socket"))
	}
	defer unix.Close(pair[1])
	ops := []string{"fds", "openat 7 ..", "openat 3 secret", "ls /proc/self/fd/3", "read /proc/self/fd/4", "ls /proc/1/fd", "openat 6 etc/passwd"}
	check := func(who string, r e2e.Result) {
		a := h.Answers(r)
		a.Is("fds", "ok 0 1 2")
		for _, op := range ops[1:] {
			if got := a.Of(op); strings.HasPrefix(got, "ok") {
				t.Errorf("%s: %s = %s", who, op, got)
			}
		}
	}
	check("the app", h.Do(e2e.Cmd{Args: append([]string{"run", b}, ops...), Files: files}))
	h.Do(e2e.Cmd{Args: append(append([]string{"run", "--detach", "--name", "d", b}, ops...), "hold"), Files: files})
	log := ""
	e2e.Within(5*time.Second, func() bool { log = h.Run("logs", "d").Stdout; return strings.Contains(log, "passwd = ") })
	check("detached", e2e.Result{Stdout: log})
	check("what enters", h.Do(e2e.Cmd{Args: append([]string{"enter", "d", "/app/bin/probe"}, ops...), Files: files}))
	h.Run("kill", "d")
	for _, f := range files {
		f.Close()
	}
}

// --pass-fd gives that descriptor and no other, and only in the way it was
// opened; and never one of ours or a directory.
func TestI01PassedDescriptors(t *testing.T) {
	h, b := attack(t)
	path := h.Write("file", "content")
	r, _ := os.Open(path)
	defer r.Close()
	w, _ := os.OpenFile(h.Write("out", ""), os.O_WRONLY, 0)
	defer w.Close()
	dir, _ := os.Open(h.Dir)
	defer dir.Close()
	files := []*os.File{r, w, dir}
	a := h.Answers(h.Do(e2e.Cmd{Args: []string{"run", "--pass-fd", "3", b, "fds", "read /proc/self/fd/3", "open /proc/self/fd/3 rw", "open /proc/self/fd/3 trunc", "openat 3 .."}, Files: files}))
	a.Is("fds", "ok 0 1 2 3")
	if os.Getuid() != 0 {
		a.Is("read /proc/self/fd/3", "ok content")
	}
	if descriptorsAreHeld(t) {
		a.Is("open /proc/self/fd/3 rw", "EACCES")
		a.Is("open /proc/self/fd/3 trunc", "EACCES")
	}
	a.Is("openat 3 ..", "ENOTDIR")
	if e2e.Read(path) != "content" {
		t.Error("the file was changed")
	}
	refused := [][]string{{"5"}, {"3", "5"}, {"0"}, {"1"}, {"-1"}, {"900"}, {"990"}, {"991"}, {"x"}, {""}, {"3.0"}, {"0x3"}, {"99999999999999999999"}}
	for n := 6; n < 40; n++ {
		if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			refused = append(refused, []string{format("%d", n)})
		}
	}
	for _, fds := range refused {
		args := []string{"run"}
		for _, fd := range fds {
			args = append(args, "--pass-fd", fd)
		}
		if r := h.Do(e2e.Cmd{Args: append(args, b, "fds"), Files: files}); r.Code != 2 {
			t.Errorf("--pass-fd %v: %+v", fds, r)
		}
	}
	if r := h.Do(e2e.Cmd{Args: []string{"run", "--pass-fd", "3", "--pass-fd", "3", b, "fds"}, Files: files}); r.Code != 0 && r.Code != 2 {
		t.Errorf("the same twice: %+v", r)
	}
}

// descriptorsAreHeld says whether this kernel's Landlock holds apps to the way
// their descriptors were opened. Where it does not, doctor says so.
func descriptorsAreHeld(t *testing.T) bool {
	t.Helper()
	if level := testenv.Landlock(t); level < 2 && os.Getuid() != 0 {
		t.Logf("Landlock level %d does not hold descriptors to their mode", level)
		return false
	}
	return true
}

// A file that is given to be read is not given to be written, nor the other
// way round, by opening it again.
func TestI01StreamsAreNotOpenedAgain(t *testing.T) {
	testenv.NeedUser(t) // to root's apps the caller's files are another's anyway
	h, b := attack(t)
	if !descriptorsAreHeld(t) {
		return
	}
	in, out := h.Write("in", "the input"), h.Write("out", "old secret\n")
	stdin, _ := os.Open(in)
	stdout, _ := os.OpenFile(out, os.O_WRONLY|os.O_APPEND, 0)
	defer stdin.Close()
	defer stdout.Close()
	ops := []string{"open /proc/self/fd/0 w", "open /dev/stdin rw", "open /proc/self/fd/0 trunc", "truncate /proc/self/fd/0", "write /dev/stdin planted", "chmod /proc/self/fd/0 0777",
		"read /dev/stdin", "read /proc/self/fd/1", "open /dev/stdout w", "link /proc/self/fd/0 /tmp/x"}
	if testenv.Landlock(t) < 3 {
		ops[3] = "say nothing" // before that level files can be emptied
	}
	h.Do(e2e.Cmd{Args: append([]string{"run", b}, ops...), Stdin: stdin, Stdout: stdout})
	if got := e2e.Read(in); got != "the input" {
		t.Errorf("the input is %q now", got)
	}
	got := strings.TrimPrefix(e2e.Read(out), "old secret\n")
	a := h.Answers(e2e.Result{Stdout: got})
	for _, op := range ops[:5] {
		if op != "say nothing" {
			a.Is(op, "EACCES")
		}
	}
	a.Is("read /dev/stdin", "ok the input")
	a.Is("read /proc/self/fd/1", "EACCES")
	a.Is("open /dev/stdout w", "ok")
	// Outside they can be opened again, so it is the sandbox that refuses.
	h.Write("in2", "x")
	f, _ := os.Open(h.Dir + "/in2")
	defer f.Close()
	o := h.Answers(h.Do(e2e.Cmd{Program: e2e.Probe(t), Args: []string{"open /proc/self/fd/0 w"}, Stdin: f}))
	o.Is("open /proc/self/fd/0 w", "ok")
}

// Directories as standard streams are ways to all that lies around them.
func TestI01DirectoryAsStream(t *testing.T) {
	h, b := attack(t)
	for name, flags := range map[string]int{"open": unix.O_RDONLY, "path": unix.O_PATH} {
		fd, err := unix.Open(h.Dir, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		dir := os.NewFile(uintptr(fd), "dir")
		for _, c := range []e2e.Cmd{{Stdin: dir}, {Stdout: dir}, {Stderr: dir}} {
			c.Args = []string{"run", b, "openat 0 ..", "openat 1 ..", "openat 2 ..", "exit 9"}
			if r := h.Do(c); r.Code != 125 {
				t.Errorf("%s: it started: %+v", name, r)
			}
		}
		dir.Close()
	}
	for _, script := range []string{`"$1" run "$2" fds <&-`, `"$1" run "$2" fds 2>&-`, `"$1" run "$2" fds <&- 2>&-`} {
		r := h.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", script, "sh", e2e.Program(t, "sandbox"), b}})
		h.Answers(r).Is("fds", "ok 0 1 2")
	}
}

var secretVariables = []string{"GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "GPG_AGENT_INFO", "XAUTHORITY", "DISPLAY",
	"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONPATH", "PERL5LIB", "GIO_EXTRA_MODULES", "TMPDIR", "BASH_ENV", "ENV", "PS4", "BASH_FUNC_x%%", "XDG_DATA_HOME_X", "NOTIFY_SOCKET"}

func TestI07VariablesOfTheCaller(t *testing.T) {
	h, b := attack(t)
	const secret = "do-not-leak-me"
	var env []string
	for _, name := range secretVariables {
		env = append(env, name+"="+secret)
	}
	a := h.Answers(h.Do(e2e.Cmd{Env: env, Args: []string{"run", "--env", "PASSED", "--env", "GITHUB_TOKEN", "--env", "GIVEN=yes", b, "environ", "env GITHUB_TOKEN", "env GIVEN"}}))
	if n := strings.Count(a.Of("environ"), secret); n != 1 {
		t.Errorf("%d secrets inside: %s", n, a.Of("environ"))
	}
	a.Is("env GITHUB_TOKEN", "ok "+secret)
	a.Is("env GIVEN", "ok yes")
	// Nothing is kept: not for this run, nor for the next.
	h.Do(e2e.Cmd{Env: env, Args: []string{"run", "--detach", "--name", "d", "--env", "GITHUB_TOKEN", b, "say up", "hold"}})
	filepath.WalkDir(h.Root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(e2e.Read(path), secret) {
			t.Errorf("%s holds a secret of the environment", path)
		}
		return nil
	})
	h.Run("kill", "d")
	h.Inside(b, nil, "environ").Lacks("environ", secret)
}

// Environments that no shell would make.
func TestI08MalformedEnvironment(t *testing.T) {
	h, b := attack(t)
	long := strings.Repeat("x", 100<<10)
	environments := map[string][]string{
		"no equals sign": {"JUSTANAME"}, "no name": {"=value"}, "twice": {"TERM=one", "TERM=two"}, "line break in a name": {"A\nB=c"}, "long": {"LANG=" + long},
		"empty": {""}, "many": make([]string, 2000), "escape": {"LANG=\x1b[2J", "TERM=\xff\xfe"}, "no home": {"HOME="}, "no uid in passwd": {"HOME"},
	}
	for i := range environments["many"] {
		environments["many"][i] = format("V%d=%d", i, i)
	}
	for name, env := range environments {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			null, _ := os.OpenFile("/dev/null", os.O_RDWR, 0)
			defer null.Close()
			base := h.Env
			p, err := os.StartProcess(e2e.Program(t, "sandbox"), []string{"sandbox", "run", b, "environ", "read /etc/passwd"},
				&os.ProcAttr{Env: append(append([]string{}, env...), base...), Files: []*os.File{null, w, w}, Dir: h.Dir})
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			out := make([]byte, 1<<20)
			n := 0
			for {
				k, err := r.Read(out[n:])
				if n += k; err != nil {
					break
				}
			}
			st, _ := p.Wait()
			text := string(out[:n])
			if strings.Contains(text, "panic") || strings.Contains(text, "goroutine") || strings.Contains(text, "\x1b") {
				t.Errorf("%.400q", text)
			}
			if st.ExitCode() != 0 && st.ExitCode() != 125 {
				t.Errorf("status %d: %.400q", st.ExitCode(), text)
			}
		})
	}
}

// The app has a terminal of its own: what it does to it does not happen to the
// caller's.
func TestI10TerminalIsTheAppsOwn(t *testing.T) {
	h, b := attack(t)
	p := h.OnPty(e2e.Cmd{Args: []string{"run", b, "tty", "stat /dev/tty", "tiocsti 0 0x5412", "tiocsti 0 0x12300005412", "raw", "setwinsize 33 44", "winsize", "pgrp",
		"foreground 1", "kill 0 0", "kill -1 0", "kill 1 9", "fds", "ptmx", "open /dev/console rw", "open /dev/tty1 rw", "say end", "line"}})
	before := p.Termios()
	_ = before
	p.Expect("say end", 20*time.Second)
	if w, err := unix.IoctlGetWinsize(int(p.Slave.Fd()), unix.TIOCGWINSZ); err != nil || w.Col != 80 || w.Row != 24 {
		t.Errorf("the app resized the caller's terminal: %+v %v", w, err)
	}
	if n := p.Queued(); n != 0 {
		t.Errorf("%d bytes were typed into the caller's terminal", n)
	}
	p.Type("x\r\n")
	p.Wait(10 * time.Second)
	a := h.Answers(e2e.Result{Stdout: p.Output()})
	a.Is("tiocsti 0 0x5412", "EPERM")
	a.Is("tiocsti 0 0x12300005412", "EPERM")
	a.Has("tty", "/dev/pts/0")
	a.Is("winsize", "ok 33x44")
	a.Is("fds", "ok 0 1 2")
	a.Is("open /dev/console rw", "ENOENT")
	a.Is("open /dev/tty1 rw", "ENOENT")
	a.Is("ptmx", "ok")
	own, _ := os.Readlink("/proc/self/fd/" + format("%d", p.Slave.Fd()))
	var st unix.Stat_t
	unix.Stat(own, &st)
	a.Lacks("tty", format("%d:%d:%d", st.Dev, unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	if after := p.Termios(); after.Lflag != before.Lflag && after.Lflag&unix.ECHO == 0 {
		t.Errorf("the caller's terminal was left changed: %+v", after)
	}
}

// Without a terminal there is none to be had.
func TestI10NoTerminalWithoutOne(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "open /dev/tty rw", "pgrp")
	a.Is("open /dev/tty rw", "ENXIO")
	// With a terminal of the caller's that is not among the streams, neither.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, _ := os.Open("/dev/null")
	defer null.Close()
	p := h.OnPty(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", `"$1" run "$2" "open /dev/tty rw" "tiocsti 2 0x5412" </dev/null 2>&1 | cat`, "sh", e2e.Program(t, "sandbox"), b}})
	_ = w
	w.Close()
	r.Close()
	p.Wait(20 * time.Second)
	p.Expect("open /dev/tty rw = ENXIO", time.Second)
	if p.Queued() != 0 {
		t.Error("something was typed")
	}
}

// The caller's process group and session are out of reach.
func TestI10SignalsStayInside(t *testing.T) {
	h, b := attack(t)
	var deadly []string
	for _, pid := range []string{"0", "-1", "1", "-2", format("%d", os.Getpid()), format("-%d", unix.Getpgrp())} {
		deadly = append(deadly, "kill "+pid+" 1")
	}
	script := `trap 'echo hurt' HUP; "$1" run "$2" "ignore" ` + `"kill -1 1" "kill 0 1" "kill 1 1" "kill 1 9"; echo survived`
	r := h.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", script, "sh", e2e.Program(t, "sandbox"), b}})
	if !strings.Contains(r.Stdout, "survived") || strings.Contains(r.Stdout, "hurt") {
		t.Errorf("%+v", r)
	}
	a := h.Inside(b, nil, "ignore", "kill "+format("%d", os.Getpid())+" 0", "kill 2147483647 0")
	if os.Getpid() > 100 {
		a.Is("kill "+format("%d", os.Getpid())+" 0", "ESRCH")
	}
	_ = deadly
}

// Signals that steer init do no more than the app could do to itself, and the
// instance can still be ended.
func TestI10SteeringSignals(t *testing.T) {
	h, b := attack(t)
	for _, sig := range []string{"40", "41", "42", "43", "19", "20", "17", "9", "64"} {
		p := h.Start("run", "--name", "s"+sig, b, "say up", "kill 1 "+sig, "hold")
		p.Expect("up", 10*time.Second)
		time.Sleep(30 * time.Millisecond)
		if r := h.Run("kill", "s"+sig); r.Code != 0 && !strings.Contains(r.Stderr, "no such instance") {
			t.Errorf("signal %s: %+v", sig, r)
		}
		if r := p.Wait(); r.Code < 128 {
			t.Errorf("signal %s: %+v", sig, r)
		}
	}
}

// What a terminal answers to an app does not become input of the next program.
func TestI11AnswersOfTheTerminalAreNotLeftOver(t *testing.T) {
	h, b := attack(t)
	p := h.OnPty(e2e.Cmd{Args: []string{"run", b, "raw", `print \e[c\e[6n\e]11;?\a`, "sleep 300ms"}})
	if e2e.Within(5*time.Second, func() bool { return strings.Contains(p.Output(), "\x1b[6n") || strings.Contains(p.Output(), "sleep") }) {
		p.Type("\x1b[?62c\x1b[24;80R")
	}
	p.Wait(10 * time.Second)
	if n := p.Queued(); n != 0 {
		t.Errorf("%d bytes wait for the caller's shell", n)
	}
	if p.Termios().Lflag&(unix.ECHO|unix.ICANON) != unix.ECHO|unix.ICANON {
		t.Error("the terminal was not restored")
	}
}

func TestI11ClipboardIsAPermission(t *testing.T) {
	h, b := attack(t)
	p := h.OnPty(e2e.Cmd{Args: []string{"run", b, `print \e]52;c;ZXZpbA==\a`, `print \e]0;title\a`, "say end"}})
	p.Expect("say end", 10*time.Second)
	p.Wait(10 * time.Second)
	if strings.Contains(p.Output(), "\x1b]52") {
		t.Errorf("the clipboard was written: %q", p.Output())
	}
}

// The terminal is given back however the app or its supervisor ends.
func TestI11TerminalIsRestored(t *testing.T) {
	h, b := attack(t)
	for name, end := range map[string]func(p *e2e.Pty){
		"killed from outside": func(p *e2e.Pty) { h.Run("kill", "--all") },
		"the app kills all":   func(p *e2e.Pty) { p.Type("x\r") },
		"supervisor is told":  func(p *e2e.Pty) { p.Process.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			p := h.OnPty(e2e.Cmd{Args: []string{"run", b, "say up", "line", "kill -1 9", "exit 3"}})
			p.Expect("up", 10*time.Second)
			if p.Termios().Lflag&unix.ICANON != 0 {
				t.Error("the caller's terminal is not raw while the app runs")
			}
			end(p)
			p.Wait(15 * time.Second)
			if p.Termios().Lflag&(unix.ECHO|unix.ICANON) != unix.ECHO|unix.ICANON {
				t.Error("the terminal was not restored")
			}
		})
	}
}

// Each switch does what it says, and only when it is given.
func TestI13Switches(t *testing.T) {
	h, b := attack(t)
	file := h.Dir + "/kept"
	h.Inside(b, []string{"--ephemeral"}, "write "+file+" x").Is("write "+file+" x", "ok")
	h.Inside(b, nil, "read "+file).Is("read "+file, "ENOENT")
	h.Inside(b, nil, "write "+file+" y").Is("write "+file+" y", "ok")
	h.Inside(b, nil, "read "+file).Is("read "+file, "ok y")
	h.Inside(b, []string{"--ephemeral"}, "read "+file).Is("read "+file, "ENOENT")
	before := e2e.Snapshot(h.Root)
	other := e2e.ProbeBundle(t)
	for _, flags := range [][]string{{"--dry-run"}, {"--dry-run", "--json"}, {"--dry-run", "--grant", "files:~/new/dir:create"}, {"-n", "--detach"}, {"--dry-run", "--grant", "files:home:write"}} {
		if r := h.Run(append(append([]string{"run"}, flags...), other, "say ran")...); r.Code != 0 || strings.Contains(r.Stdout, "say ran = ") {
			t.Errorf("%v: %+v", flags, r)
		}
	}
	if now := e2e.Snapshot(h.Root); now != before {
		t.Errorf("--dry-run did something:\n%s", now)
	}
	h.Run("run", "--grant", "files:~/new/dir:create", b, "write "+h.Dir+"/new/dir/x x")
	if e2e.Read(h.Dir+"/new/dir/x") != "x" {
		t.Error("without --dry-run nothing was made")
	}
	p := h.Pty("run", "--no-pty", b, "say up")
	if code := p.Wait(10 * time.Second); code != 125 {
		t.Errorf("--no-pty on a terminal would hand it over: %d", code)
	}
}

func TestI14NoCoreDumps(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "rlimits", "open /proc/1/mem r", "open /proc/1/mem rw", "readlink /proc/1/cwd", "ls /proc/1/fd", "readlink /proc/1/root", "read /proc/1/environ", "read /proc/1/stack", "read /proc/1/syscall", "ls /proc/1/map_files")
	a.Has("rlimits", "Max core file size        0                    0")
	for _, op := range []string{"open /proc/1/mem r", "open /proc/1/mem rw", "readlink /proc/1/cwd", "ls /proc/1/fd", "readlink /proc/1/root", "read /proc/1/environ", "ls /proc/1/map_files"} {
		a.Is(op, "EACCES", "EPERM")
	}
}

// The abstract sockets of the host are not the app's, not even with the
// host's network; its own are.
func TestI01AbstractSocketsOfTheHost(t *testing.T) {
	h, b := attack(t)
	name := "@" + filepath.Base(h.Root)
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := "connect unix " + name
	h.Outside(connect).Is(connect, "ok")
	h.Inside(b, nil, connect).Is(connect, "ECONNREFUSED")
	own := []string{"listen unix " + name + "-own", "connect unix " + name + "-own"}
	a := h.Inside(b, []string{"--grant", "network:host"}, append([]string{connect}, own...)...)
	a.Is(own[1], "ok")
	plan := h.Run("run", "--dry-run", b)
	if !strings.Contains(plan.Stdout, "abstract sockets and signals stay inside") {
		testenv.Skip(t, "needs Landlock scopes (Linux 6.12)")
	}
	a.Is(connect, "EPERM")
}
