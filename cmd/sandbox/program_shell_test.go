package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// shell starts an interactive bash in the sandbox, on a terminal.
func shell(t *testing.T, h *e2e.Home, flags ...string) *e2e.Pty {
	t.Helper()
	p := h.Pty(app(t, "org.gnu.Bash", flags, "--norc", "-i")...)
	p.Type("PS1=in\\>\\ \r") // spelt so that the echo is not the prompt
	p.Expect("in> ", soon)
	return p
}

// hostShell starts an interactive bash outside, in which s starts the
// sandbox.
func hostShell(t *testing.T, h *e2e.Home, line ...string) *e2e.Pty {
	t.Helper()
	quoted := make([]string, len(line))
	for i, word := range line {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	// A program of its own, since a job that is a shell function is two processes.
	s := h.Write("bin/s", "#!/bin/sh\nexec \"$SANDBOX\" "+strings.Join(quoted, " ")+" \"$@\"\n")
	os.Chmod(s, 0o755)
	rc := h.Write(".try", "PS1='out> '\nbind 'set enable-bracketed-paste off' 2>/dev/null\nPATH=~/bin:$PATH\n")
	p := h.OnPty(e2e.Cmd{Program: testenv.NeedCommand(t, "bash"), Args: []string{"--rcfile", rc, "-i"},
		Env: []string{"SANDBOX=" + e2e.Program(t, "sandbox"), "HISTFILE=/dev/null"}})
	p.Expect("out> ", soon)
	return p
}

func TestShellJobControl(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := shell(t, h)
	say := func(line, want string) {
		t.Helper()
		p.Type(line + "\r")
		p.Expect(want, soon)
		p.Expect("in> ", soon)
	}
	say("sleep 100 &", "[1] ")
	say("jobs", "Running")
	p.Type("fg\r")
	p.Expect("sleep 100", soon)
	time.Sleep(200 * time.Millisecond)
	p.Type("\x1a")
	p.Expect("Stopped", soon)
	p.Expect("in> ", soon)
	say("bg", "[1]+ sleep 100 &")
	say("jobs -r", "Running")
	say("kill %1; wait; echo done", "done")
	p.Type("sleep 100\r")
	time.Sleep(300 * time.Millisecond)
	p.Type("\x03")
	p.Expect("in> ", soon)
	say("echo $?", "130")
	p.Type("cat | cat\r")
	time.Sleep(200 * time.Millisecond)
	p.Type("line\r")
	p.Expect("line\r\nline", soon)
	p.Type("\x04")
	p.Expect("in> ", soon)
	p.Type("sleep 100\r")
	time.Sleep(300 * time.Millisecond)
	p.Type("\x1c") // ^\: quit, without a core file
	p.Expect("in> ", soon)
	say("echo $?; ls core* 2>/dev/null | wc -l", "131\r\n0")
	say("tty; test -t 0 && echo yes", "/dev/pts/0")
	p.Type("exit 9\r")
	if code := p.Wait(soon); code != 9 {
		t.Errorf("ended with %d", code)
	}
}

// The whole sandbox is one job of the shell that started it.
func TestSandboxIsAJobOfTheShellOutside(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := hostShell(t, h, app(t, "org.gnu.Bash", nil)...)
	cooked := p.Termios()
	p.Type("s --norc -i\r")
	p.Expect("$ ", soon)
	p.Type("PS1=in\\>\\ ; X=kept\r")
	p.Expect("in> ", soon)
	p.Type("suspend -f\r")
	p.Expect("Stopped", soon)
	p.Expect("out> ", soon)
	if now := p.Termios(); now.Lflag&(unix.ISIG|unix.IXON) != cooked.Lflag&(unix.ISIG|unix.IXON) || now.Oflag != cooked.Oflag {
		t.Errorf("the terminal is left in modes %+v, was %+v", now, cooked)
	}
	p.Type("echo al''ive\r")
	p.Expect("alive", soon)
	p.Type("fg\r")
	p.Expect("in> ", soon)
	p.Type("echo $X\r")
	p.Expect("kept", soon)
	p.Expect("in> ", soon)
	p.Type("exit 6\r")
	p.Expect("out> ", soon)
	p.Type("echo =$?=\r")
	p.Expect("=6=", soon)
	p.Type("exit\r")
	p.Wait(soon)
}

// ^Z stops a plain program with its sandbox; kill, bg and fg work on it as on
// any other job.
func TestPlainProgramIsAJobOfTheShellOutside(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := hostShell(t, h, app(t, "org.gnu.Bash", nil)...)
	p.Expect("", soon)
	p.Type("s -c 'echo up; sleep 100; echo over'\r")
	p.Expect("up\r\n", soon)
	p.Type("\x1a")
	p.Expect("Stopped", soon)
	p.Expect("out> ", soon)
	p.Type("bg\r")
	p.Expect("&", soon)
	p.Expect("out> ", soon)
	p.Type("jobs\r")
	p.Expect("Running", soon)
	p.Expect("out> ", soon)
	p.Type("fg\r")
	time.Sleep(300 * time.Millisecond)
	p.Type("\x03")
	p.Expect("out> ", soon)
	p.Type("echo =$?=\r")
	p.Expect("=130=", soon)
	p.Expect("out> ", soon)
	p.Type("s -c 'sleep 100' & sleep 0.5; kill %1; wait %1; echo =$?=\r")
	p.Expect("=143=", soon)
	p.Type("exit\r")
	p.Wait(soon)
}

// A sandbox in the background leaves the keyboard to the shell: what it prints
// arrives, and what it wants to read stops it.
func TestBackgroundSandboxDoesNotStealTheTerminal(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := hostShell(t, h, app(t, "org.gnu.Bash", nil)...)
	p.Type("s -c 'echo from''inside; sleep 1; echo la''ter' &\r")
	p.Expect("frominside", soon)
	p.Type("echo ke''ys\r")
	p.Expect("keys", soon)
	p.Expect("later", soon)
	p.Type("wait; echo =$?=\r")
	p.Expect("=0=", soon)
	p.Type("s -c 'read x; echo got $x' &\r")
	p.Expect("out> ", soon)
	time.Sleep(500 * time.Millisecond)
	p.Type("echo mi''ne\r")
	p.Expect("mine", soon)
	p.Type("jobs\r")
	p.Expect("Stopped", soon)
	p.Expect("out> ", soon)
	p.Type("fg\r")
	time.Sleep(500 * time.Millisecond)
	p.Type("typed\r")
	p.Expect("got typed", soon)
	p.Expect("out> ", soon)
	p.Type("exit\r")
	p.Wait(soon)
}

func TestTrapHearsStop(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Start(bash(t, `trap 'echo bye; exit 17' TERM; echo up; while :; do sleep 0.05; done`, "--name", "trapper")...)
	p.Expect("up", soon)
	if r := h.Run("stop", "trapper"); r.Code != 0 || r.Stderr != "" {
		t.Errorf("stop: %+v", r)
	}
	if r := p.Wait(); r.Code != 17 || !strings.Contains(r.Stdout, "bye") {
		t.Errorf("the app: %+v", r)
	}
}

func TestShellLimits(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	// What a shell can lower for itself holds, and nothing can be raised above
	// what it was given.
	wants(t, h.Run(bash(t, `ulimit -c; ulimit -n 20; ulimit -n; ulimit -n 30 2>/dev/null || echo kept`)...), 0, "0\n20\nkept\n")
	wants(t, h.Run(bash(t, `ulimit -n`, "--limit", "files=123")...), 0, "123\n")
	r := h.Run(bash(t, `ulimit -v 100000; x=$(head -c 200000000 /dev/zero | tr '\0' x); echo alive`)...)
	if strings.Contains(r.Stdout, "alive") && !strings.Contains(r.Stderr, "xrealloc") && r.Code == 0 {
		t.Errorf("the shell's own limit does not hold: %+v", r)
	}
	if r := h.Run(bash(t, `while :; do :; done`, "--limit", "time=1s")...); r.Code != 124 || !strings.Contains(r.Stderr, "time limit of 1s") {
		t.Errorf("time limit: %+v", r)
	}
}

// With every stream redirected there is no pty, and the keys of the terminal
// outside still reach the app: all of its job, as without a sandbox.
func TestKeysReachAnAppWithoutATerminal(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := hostShell(t, h, app(t, "org.gnu.Bash", nil)...)
	out := h.Dir + "/out"
	p.Type("s -c 'echo up; sleep 100; echo over' </dev/null >out 2>&1\r")
	up := func() bool { return strings.Contains(e2e.Read(out), "up\n") }
	if !e2e.Within(soon, up) {
		t.Fatal("the app does not start")
	}
	p.Type("\x03")
	p.Expect("out> ", soon)
	p.Type("echo =$?=\r")
	p.Expect("=130=", soon)
	p.Expect("out> ", soon)

	os.Remove(out)
	p.Type("s -c 'echo up; sleep 1; echo over' </dev/null >out 2>&1\r")
	if !e2e.Within(soon, up) {
		t.Fatal("the app does not start")
	}
	p.Type("\x1a")
	p.Expect("Stopped", soon)
	p.Expect("out> ", soon)
	p.Type("fg\r")
	p.Expect("out> ", soon)
	p.Type("echo =$?=\r")
	p.Expect("=0=", soon)
	if got := quiet(e2e.Read(out)); got != "up\nover\n" {
		t.Errorf("the app wrote %q", got)
	}
	p.Type("exit\r")
	p.Wait(soon)
}

// A job that was stopped with ^Z can be ended from another terminal.
func TestStopReachesAStoppedJob(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"s -c 'echo up; sleep 100'", "s -c 'echo up >&2; sleep 100' </dev/null >out 2>out"} {
		h := e2e.NewHome(t)
		p := hostShell(t, h, app(t, "org.gnu.Bash", []string{"--name", "job"})...)
		p.Type(line + "\r")
		if !e2e.Within(soon, func() bool { return len(list(t, h)) == 1 }) {
			t.Fatal("the app does not start")
		}
		time.Sleep(200 * time.Millisecond)
		p.Type("\x1a")
		p.Expect("Stopped", soon)
		p.Expect("out> ", soon)
		start := time.Now()
		wants(t, h.Run("stop", "job"), 0, "")
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("stopping took %s", took)
		}
		wants(t, h.Run("ps", "--json"), 0, "[]\n")
		p.Type("wait %1; echo =$?=\r")
		p.Expect("=143=", soon)
		p.Type("exit\r")
		p.Wait(soon)
	}
}

// Input from a pipe, and the terminal beside it.
func TestPipeInAndTerminalOut(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := hostShell(t, h, app(t, "org.gnu.Bash", nil)...)
	p.Type("echo piped | s -c 'cat; test -t 1 && echo on a terminal; read x </dev/tty; echo got $x'\r")
	p.Expect("piped\r\non a terminal\r\n", soon)
	p.Type("keys\r")
	p.Expect("got keys\r\n", soon)
	p.Expect("out> ", soon)
	p.Type("s -c 'read x; echo out $x; echo err $x >&2' >out\r")
	time.Sleep(300 * time.Millisecond)
	p.Type("typed\r")
	p.Expect("err typed\r\n", soon)
	p.Expect("out> ", soon)
	if got := e2e.Read(h.Dir + "/out"); got != "out typed\n" {
		t.Errorf("the file holds %q", got)
	}
	p.Type("exit\r")
	p.Wait(soon)
}

// The other ways in which scripts and tools start programs.
func TestStartedByOtherTools(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	line := app(t, "org.gnu.Bash", nil, "-c")
	wants(t, script(t, h, `x=$("$SANDBOX" "$@" 'echo a; echo b'); echo "<$x>"`, line...), 0, "<a\nb>\n")
	wants(t, script(t, h, `seq 3 | xargs -n 1 "$SANDBOX" "$@" 'echo got $0'`, line...), 0, "got 1\ngot 2\ngot 3\n")
	wants(t, script(t, h, `seq 3 | while read -r i; do "$SANDBOX" "$@" 'echo got $0' "$i"; done`, line...), 0, "got 1\ngot 2\ngot 3\n")
	wants(t, script(t, h, `timeout 1 "$SANDBOX" "$@" 'sleep 100'; echo $?`, line...), 0, "124\n")
	wants(t, script(t, h, `timeout -s KILL 1 "$SANDBOX" "$@" 'sleep 100'; echo $?; "$SANDBOX" ps --json`, line...), 0, "137\n[]\n")
	wants(t, script(t, h, `setsid -w "$SANDBOX" "$@" 'exit 6'; echo $?`, line...), 0, "6\n")
	// What the caller ignores does not reach the app: nohup, and a script's
	// background, which ^C leaves alone.
	const ignoring = `rm -f out; "$SANDBOX" "$@" 'echo up; sleep 1; echo alive' >out & until grep -qs up out; do sleep 0.05; done; kill -%s $!; wait $!; echo $?; cat out`
	wants(t, script(t, h, "trap '' HUP; "+fmt.Sprintf(ignoring, "HUP"), line...), 0, "0\nup\nalive\n")
	wants(t, script(t, h, fmt.Sprintf(ignoring, "INT"), line...), 0, "0\nup\nalive\n")
	wants(t, script(t, h, fmt.Sprintf(ignoring, "QUIT"), line...), 0, "0\nup\nalive\n")
	wants(t, script(t, h, strings.Replace(fmt.Sprintf(ignoring, "TERM"), "sleep 1", "sleep 30", 1), line...), 0, "143\nup\n")
	wants(t, script(t, h, `ln -s "$SANDBOX" sandbox-link; ./sandbox-link "$@" 'echo linked'; cd /; "${SANDBOX#/}" "$@" 'echo relative'`, line...), 0, "linked\nrelative\n")

	p := hostShell(t, h, line...)
	p.Type("x=$(s 'echo a; echo b; test -t 0 && echo tty'); echo \"<${x//$'\\n'/,}>\"\r")
	p.Expect("<a,b,tty>", soon)
	p.Expect("out> ", soon)
	p.Type("timeout 1 s 'sleep 100'; echo =$?=\r")
	p.Expect("=124=", soon)
	p.Expect("out> ", soon)
	p.Type("s 'printf \"one\\ntwo\\n\"'\r")
	p.Expect("one\r\ntwo\r\nout> ", soon)
	p.Type("exit\r")
	p.Wait(soon)
}

// A window that is closed ends what runs in it.
func TestClosedWindowEndsTheApp(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := onScreen(t, h, bash(t, `trap 'echo >~/hung; exit' HUP; (trap '' HUP; sleep 100) & echo ready; while :; do sleep 0.05; done`)...)
	s.shows("ready")
	s.tmux("kill-server")
	if !e2e.Within(soon, func() bool { return len(list(t, h)) == 0 }) {
		t.Error("the app outlives its window")
	}
	wants(t, h.Run(bash(t, "ls ~")...), 0, "hung\n")
}

// Everything that is pasted arrives, however slowly the app reads.
func TestLongPasteArrives(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("out")
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "line %d of a text that someone pastes\n", i)
	}
	p := h.Pty(bash(t, "stty -echo; echo rea''dy; sleep 0.5; cat >~/out/f", "--grant", "files:~/out:write")...)
	p.Expect("ready", soon)
	go p.Master.WriteString(text.String() + "\x04")
	if code := p.Wait(3 * soon); code != 0 {
		t.Errorf("ended with %d", code)
	}
	if got := e2e.Read(dir + "/f"); got != text.String() {
		t.Errorf("%d of %d bytes arrived", len(got), text.Len())
	}
}
