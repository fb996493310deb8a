package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// tmux is a person's terminal, which can be looked at. The shell in it writes
// the pid of the command to a file and at the end tells its status.
type tmux struct {
	t    *testing.T
	home *e2e.Home
	path string
}

func newTmux(t *testing.T, h *e2e.Home, w, rows int, command ...string) *tmux {
	t.Helper()
	x := &tmux{t, h, testenv.NeedCommand(t, "tmux")}
	conf := h.Write("tmux.conf", "set -g default-terminal screen-256color\nset -s escape-time 10\n")
	script := h.Write("shell", "sh -c 'echo $$ >\"$HOME/pid\"; exec \"$@\"' sh \"$@\"\necho \"status $?\"\nread wait\n")
	t.Cleanup(func() { x.try("kill-server") })
	x.do(append([]string{"-f", conf, "new-session", "-d", "-s", "s", "-x", fmt.Sprint(w), "-y", fmt.Sprint(rows), "--", "sh", script}, command...)...)
	return x
}

func (x *tmux) try(args ...string) (string, error) {
	c := exec.Command(x.path, append([]string{"-u", "-S", filepath.Join(x.home.Runtime, "tmux")}, args...)...)
	c.Env = append(append([]string{}, x.home.Env...), "PATH=/usr/local/bin:/usr/bin:/bin")
	out, err := c.CombinedOutput()
	return string(out), err
}

func (x *tmux) do(args ...string) string {
	x.t.Helper()
	out, err := x.try(args...)
	if err != nil {
		x.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return out
}

func (x *tmux) press(keys ...string) {
	x.t.Helper()
	x.do(append([]string{"send-keys", "-t", "s"}, keys...)...)
}

func (x *tmux) screen() string { return x.do("capture-pane", "-p", "-t", "s") }

// sees waits for text on the screen.
func (x *tmux) sees(text string) {
	x.t.Helper()
	if !e2e.Within(15*time.Second, func() bool { return strings.Contains(x.screen(), text) }) {
		x.t.Fatalf("no %q on\n%s", text, x.screen())
	}
}

func (x *tmux) is(format, want string) {
	x.t.Helper()
	var got string
	if !e2e.Within(15*time.Second, func() bool {
		got = strings.TrimSpace(x.do("display-message", "-p", "-t", "s", format))
		return got == want
	}) {
		x.t.Errorf("%s is %q, want %q\n%s", format, got, want, x.screen())
	}
}

// ended checks that the program is gone and the terminal as it was.
func (x *tmux) ended(status string) {
	x.t.Helper()
	x.sees("status " + status)
	x.is("#{alternate_on} #{mouse_any_flag} #{cursor_flag}", "0 0 1")
}

// state is what `sandbox ps` says of an instance, "" when there is none.
func state(t *testing.T, h *e2e.Home, name string) string {
	t.Helper()
	var rows []struct{ Instance, State string }
	if err := json.Unmarshal([]byte(h.Run("ps", "--json").Stdout), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Instance == name {
			return r.State
		}
	}
	return ""
}

// A person watches an app that runs in the background, reads what it may do,
// pauses it, lets it go on, reads its log and stops it.
func TestSession(t *testing.T) {
	program := e2e.Program(t, "sandbox")
	e2e.Program(t, "sandbox-tui") // beside it
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			h := e2e.NewHome(t)
			bundle := e2e.ProbeBundle(t, "[permissions]", `"network:host" = "to be dangerous"`, `"env:PAGER" = "to be harmless"`)
			x := newTmux(t, h, size[0], size[1], program, "tui")
			x.sees("Nothing is running.")

			if r := h.Run("run", "--detach", "--name", "sleeper", bundle, "getcwd", "sleep 300s"); r.Code != 0 {
				t.Fatal(r.Stderr)
			}
			x.sees("> sleeper")
			x.sees("HIGH    use the host's own network")
			x.sees("1 running")

			x.press("p")
			x.sees("sleeper is paused")
			x.sees("1 paused")
			if got := state(t, h, "sleeper"); got != "paused" {
				t.Errorf("it is %q", got)
			}
			x.press("p")
			x.sees("sleeper goes on")
			if got := state(t, h, "sleeper"); got != "running" {
				t.Errorf("it is %q", got)
			}

			x.press("l")
			x.sees("getcwd = ok")
			x.press("Escape")
			x.press("Enter")
			x.sees("Running > sleeper")
			x.press("q")

			x.press("s")
			x.sees("Stop sleeper?")
			x.press("Escape")
			x.sees("Enter open")
			if got := state(t, h, "sleeper"); got != "running" {
				t.Errorf("it is %q, nobody said yes", got)
			}
			x.press("s")
			x.sees("Stop sleeper?")
			x.press("y")
			x.sees("Nothing is running.")
			if got := state(t, h, "sleeper"); got != "" {
				t.Errorf("it is %q", got)
			}
			x.press("q")
			x.ended("0")
		})
	}
}

func TestSignalsGiveTheTerminalBack(t *testing.T) {
	program := e2e.Program(t, "sandbox-tui")
	for signal, status := range map[syscall.Signal]string{syscall.SIGTERM: "143", syscall.SIGHUP: "129", syscall.SIGINT: "130"} {
		t.Run(signal.String(), func(t *testing.T) {
			h := e2e.NewHome(t)
			x := newTmux(t, h, 80, 24, program, "tui")
			x.sees("Nothing is running.")
			x.is("#{alternate_on}", "1")
			pid, err := strconv.Atoi(strings.TrimSpace(e2e.Read(filepath.Join(h.Dir, "pid"))))
			if err == nil {
				err = syscall.Kill(pid, signal)
			}
			if err != nil {
				t.Fatal(err)
			}
			x.ended(status)
		})
	}
}

func TestNoTerminal(t *testing.T) {
	h := e2e.NewHome(t)
	program := e2e.Program(t, "sandbox")
	e2e.Program(t, "sandbox-tui")
	if r := h.Run("tui"); r.Code != 2 || !strings.Contains(r.Stderr, "this is not a terminal") || !strings.Contains(r.Stderr, "'sandbox ps'") {
		t.Errorf("%d: %s", r.Code, r.Stderr)
	}
	if r := h.Run("tui", "--colour"); r.Code != 2 || !strings.Contains(r.Stderr, "--colour") {
		t.Errorf("%d: %s", r.Code, r.Stderr)
	}
	if r := h.Run("tui", "--help"); r.Code != 0 || !strings.Contains(r.Stdout, "sandbox tui - ") {
		t.Errorf("%d: %s", r.Code, r.Stdout)
	}
	p := h.OnPty(e2e.Cmd{Program: program, Args: []string{"tui"}, Env: []string{"TERM=dumb"}})
	p.Expect(`type "dumb"`, 10*time.Second)
	if code := p.Wait(10 * time.Second); code != 2 {
		t.Errorf("%d: %q", code, p.Output())
	}
}
