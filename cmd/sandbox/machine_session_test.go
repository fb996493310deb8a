package main_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// The machine is what these tests are about: a login on a terminal, outside the
// user's manager, with which systemd counts the session.
func TestMachineIsALoginSession(t *testing.T) {
	machine(t)
	g := group(t, os.Getpid())
	if !strings.Contains(g, "/session-") || !strings.HasSuffix(g, ".scope") || strings.Contains(g, "user@") {
		t.Errorf("the tests run in %s, not in the scope of a login", g)
	}
	if os.Geteuid() == 0 || os.Getenv("XDG_SESSION_ID") == "" {
		t.Errorf("uid %d, session %q", os.Geteuid(), os.Getenv("XDG_SESSION_ID"))
	}
}

// A terminal program on the bare console, whose terminal is not a pty.
func TestMachineRunsOnTheConsole(t *testing.T) {
	h := machine(t)
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	r := h.Do(e2e.Cmd{Args: []string{"run", e2e.ProbeBundle(t), "tty", "winsize"}, Stdin: tty})
	a := h.Answers(r, "tty", "winsize")
	a.Has("tty", "/dev/pts/")
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the console's settings were %+v and are %+v, %v", before, after, err)
	}
}

// diagnosis is what the tests read of `doctor --json`.
type diagnosis struct {
	OK       bool `json:"ok"`
	Findings []struct {
		ID    string `json:"id"`
		State string `json:"state"`
		Text  string `json:"text"`
		Cost  string `json:"cost"`
	} `json:"findings"`
}

// Doctor says what this kernel lacks, in words, and that limits are held.
func TestMachineIsJudgedByDoctor(t *testing.T) {
	h := machine(t)
	r := h.Run("doctor", "--json")
	var d diagnosis
	if err := json.Unmarshal([]byte(r.Stdout), &d); err != nil || r.Code != 0 || !d.OK {
		t.Fatalf("%v: %+v", err, r)
	}
	states := map[string]string{}
	for _, f := range d.Findings {
		states[f.ID] = f.State
		if f.State != "ok" && (f.Text == "" || f.Cost == "") {
			t.Errorf("%s is %s without a reason or a cost", f.ID, f.State)
		}
	}
	want := map[string]string{"limit-memory": "ok", "limit-swap": "ok", "limit-pids": "ok", "limit-cpu": "ok", "limit-io": "degraded",
		"user-namespaces": "ok", "mount-overlay": "ok", "seccomp": "ok", "landlock": "ok"}
	if testenv.Landlock(t) < 6 {
		want["landlock"] = "degraded"
	}
	for id, state := range want {
		if states[id] != state {
			t.Errorf("%s is %q, want %q", id, states[id], state)
		}
	}
}

// An app that has the host's network runs without the second wall, and the
// launch says so; with --strict it does not run. Without that grant the wall is not needed.
func TestMachineSaysWhatLandlockDoesNotHold(t *testing.T) {
	h := machine(t)
	level := testenv.Landlock(t)
	b := e2e.ProbeBundle(t)
	r := h.Run("run", "--grant", "network:host", b, "say up")
	if r.Code != 0 || strings.Contains(r.Stderr, "DEGRADED") != (level < 6) {
		t.Errorf("level %d: %+v", level, r)
	}
	strict := h.Run("run", "--strict", "--grant", "network:host", b, "say up")
	if (strict.Code == 0) != (level >= 6) {
		t.Errorf("level %d, strict: %+v", level, strict)
	}
}
