package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/cli"
	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }

// TestDoctorAttacksARealSandbox: nothing gets through, most of it is proved,
// and nothing is left behind.
func TestDoctorAttacksARealSandbox(t *testing.T) {
	h := e2e.NewHome(t)
	e2e.Program(t, "sandbox-tool")
	r := h.Run("doctor", "--json")
	var d diagnosis
	if err := json.Unmarshal([]byte(r.Stdout), &d); err != nil || r.Code != 0 || !d.OK {
		t.Fatalf("%v: status %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
	if d.SelfTest == nil || d.SelfTest.Error != "" {
		t.Fatalf("%+v", d.SelfTest)
	}
	// What only root may do shows nothing when an ordinary user tries it.
	mayBeUnclear := map[string]bool{"write-sysctl": true, "bpf": true, "write-usr": true, "typing": true, "keys": true, "io-uring": true, "trace": true}
	for _, a := range d.SelfTest.Attacks {
		if a.Verdict == blocked || a.Verdict == unclear && mayBeUnclear[a.ID] {
			continue
		}
		t.Errorf("%+v", a)
	}
	if len(d.SelfTest.Attacks) < len(attacks()) {
		t.Errorf("%d attacks, want %d", len(d.SelfTest.Attacks), len(attacks()))
	}
	noTraces(t, h.Dir)
	if r := h.Run("doctor"); r.Code != 0 || !strings.Contains(r.Stdout, "blocked   read a file in your home") || !strings.Contains(r.Stdout, "\nApps can run here") {
		t.Errorf("status %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func noTraces(t *testing.T, home string) {
	t.Helper()
	for _, pattern := range []string{".sandbox-doctor-*", ".cache/sandbox/doctor-*", ".local/share/sandbox/app/org.sandbox.Doctor"} {
		if left, _ := filepath.Glob(filepath.Join(home, pattern)); left != nil {
			t.Errorf("left behind: %q", left)
		}
	}
}

// launcher is a stand-in for the launcher: a shell script.
func launcher(t *testing.T, script string) doctorOptions {
	t.Helper()
	testenv.NeedUserNS(t)
	testenv.NeedCommand(t, "sh")
	lean := filepath.Join(testenv.ShortDir(t), "sandbox")
	if err := os.WriteFile(lean, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return doctorOptions{json: true, lean: lean, self: e2e.Program(t, "sandbox-tool")}
}

func doctor(t *testing.T, o doctorOptions) (diagnosis, error) {
	t.Helper()
	home := testenv.TempXDG(t)
	var b bytes.Buffer
	err := runDoctor(t.Context(), o, &b)
	var d diagnosis
	if e := json.Unmarshal(b.Bytes(), &d); e != nil {
		t.Fatalf("%v, %v: %s", err, e, b.String())
	}
	noTraces(t, home)
	return d, err
}

// TestDoctorNoticesASandboxThatIsNone: a launcher that only runs the app.
func TestDoctorNoticesASandboxThatIsNone(t *testing.T) {
	o := launcher(t, `for last; do bundle=$before; before=$last; done
exec "$bundle/files/bin/probe" doctor __probe "$last"
`)
	d, err := doctor(t, o)
	if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.Failed || d.OK {
		t.Errorf("%v, ok %v", err, d.OK)
	}
	verdicts := map[string]string{}
	for _, a := range d.SelfTest.Attacks {
		verdicts[a.ID] = a.Verdict
		if a.Verdict == blocked {
			t.Errorf("%+v", a)
		}
	}
	for _, id := range []string{"read-home", "inherited-fd", "environment", "see-processes", "kill", "tcp", "abstract-socket", "user-namespace", "mount", "setuid"} {
		if verdicts[id] != open {
			t.Errorf("%s: %q, want %q", id, verdicts[id], open)
		}
	}
}

func TestDoctorWithoutAWorkingLauncher(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"it refuses", "echo 'sandbox: error: cannot do it' >&2; exit 125", "cannot do it"},
		{"it says nothing", "exit 3", "exit status 3"},
		{"it prints nonsense", "echo '[]'", "printed no report"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := doctor(t, launcher(t, c.script))
			if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.Failed || d.OK {
				t.Errorf("%v, ok %v", err, d.OK)
			}
			if !strings.Contains(d.SelfTest.Error, c.want) {
				t.Errorf("%q", d.SelfTest.Error)
			}
		})
	}
	t.Run("there is none", func(t *testing.T) {
		o := launcher(t, "")
		o.lean += "-missing"
		if d, err := doctor(t, o); err == nil || !strings.Contains(d.SelfTest.Error, "cannot find the launcher") {
			t.Errorf("%v: %+v", err, d.SelfTest)
		}
	})
}
