package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/internal/testenv"
)

// soon bounds what takes milliseconds on a machine that does nothing else.
const soon = 10 * time.Second

// app is the command line that runs one of testdata/apps: flags of `run` come
// first, what follows is the app's.
func app(t testing.TB, id string, flags []string, args ...string) []string {
	t.Helper()
	bundle, runtime := testapps.Bundle(t, id)
	line := append([]string{"run"}, flags...)
	if runtime != "" {
		line = append(line, "--runtime", runtime)
	}
	return append(append(line, bundle), args...)
}

// bash is the command line that runs a script in the example bundle of bash.
func bash(t testing.TB, script string, flags ...string) []string {
	t.Helper()
	return app(t, "org.gnu.Bash", flags, "-c", script)
}

// outside runs a program of the machine in the home, without a sandbox.
func outside(t testing.TB, h *e2e.Home, name string, args ...string) e2e.Result {
	t.Helper()
	return h.Do(e2e.Cmd{Program: testenv.NeedCommand(t, name), Args: args})
}

// script runs a shell script of the host, in which $SANDBOX is the program and
// $1… are args.
func script(t testing.TB, h *e2e.Home, text string, args ...string) e2e.Result {
	t.Helper()
	return h.Do(e2e.Cmd{Program: testenv.NeedCommand(t, "bash"), Args: append([]string{"-c", text, "script"}, args...),
		Env: []string{"SANDBOX=" + e2e.Program(t, "sandbox")}})
}

// wants checks how a command ended and what it wrote.
func wants(t testing.TB, r e2e.Result, code int, stdout string) {
	t.Helper()
	if r.Code != code || r.Stdout != stdout {
		t.Errorf("got status %d and %q, want %d and %q\nstderr: %s", r.Code, r.Stdout, code, stdout, r.Stderr)
	}
}

// screen is a program in a terminal emulator, of which one can see the screen.
type screen struct {
	t      testing.TB
	h      *e2e.Home
	socket string
}

// onScreen starts a command line of sandbox in tmux, 80 columns by 24 rows.
func onScreen(t testing.TB, h *e2e.Home, line ...string) *screen {
	t.Helper()
	return commandOnScreen(t, h, append([]string{e2e.Program(t, "sandbox")}, line...)...)
}

func commandOnScreen(t testing.TB, h *e2e.Home, line ...string) *screen {
	t.Helper()
	testenv.NeedCommand(t, "tmux")
	s := &screen{t, h, filepath.Join(h.Root, "tmux")}
	config := filepath.Join(h.Root, "tmux.conf")
	const options = "set -g default-terminal tmux-256color\nset -g status off\nset -g escape-time 0\n"
	if err := os.WriteFile(config, []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.command("kill-server").Run() })
	// tmux forgets to collect a program now and then, so a shell tells how it ended.
	const tell = `"$@"; echo $? >"$0.new"; mv "$0.new" "$0"; sleep 100`
	s.tmux(append([]string{"-f", config, "new-session", "-d", "-x", "80", "-y", "24", "-c", h.Dir, "sh", "-c", tell, s.status()}, line...)...)
	return s
}

func (s *screen) command(args ...string) *exec.Cmd {
	c := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
	c.Env = s.h.Env
	c.Dir = s.h.Dir
	return c
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// text is what the screen shows now.
func (s *screen) text() string {
	s.t.Helper()
	return s.tmux("capture-pane", "-p")
}

// until waits for a screen on which ok is true.
func (s *screen) until(what string, ok func(text string) bool) string {
	s.t.Helper()
	text := ""
	if !e2e.Within(soon, func() bool { text = s.text(); return ok(text) }) {
		s.t.Fatalf("the screen does not show %s:\n%s", what, text)
	}
	return text
}

// shows waits for text on the screen.
func (s *screen) shows(want string) string {
	s.t.Helper()
	return s.until(want, func(text string) bool { return strings.Contains(text, want) })
}

// keys presses keys by tmux's names for them: C-o, Enter, text.
func (s *screen) keys(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

func (s *screen) resize(columns, rows string) {
	s.t.Helper()
	s.tmux("resize-window", "-x", columns, "-y", rows)
}

// ended waits for the end of the program and returns its exit status.
func (s *screen) ended() string {
	s.t.Helper()
	if !e2e.Within(soon, func() bool { return e2e.Read(s.status()) != "" }) {
		s.t.Fatalf("the program has not ended:\n%s", s.text())
	}
	return strings.TrimSpace(e2e.Read(s.status()))
}

func (s *screen) status() string { return filepath.Join(s.h.Root, "status") }

// quiet is what was said on standard error, without the warnings that limits of
// a manifest, or walls, are not to be had on this machine.
func quiet(stderr string) string {
	var b strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "sandbox: warning: DEGRADED: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
