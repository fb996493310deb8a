package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// The same program, the probe, by `sandbox run` and by `flatpak run` in the
// session that flatpak is made for: what each of them lets it see.

const (
	besideApp     = "org.example.Beside"
	besideRuntime = "org.example.BesidePlatform"
)

// asFlatpak installs the probe for the user of the home, on a runtime that
// holds nothing: the probe needs nothing.
func asFlatpak(t *testing.T, h *e2e.Home) {
	t.Helper()
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[goruntime.GOARCH]
	dir := filepath.Join(h.Root, "flatpak")
	base := fmt.Sprintf("runtime=%s/%s/stable\nsdk=%[1]s/%s/stable\n", besideRuntime, arch)
	for _, d := range []string{"app/files/bin", "app/export", "app/var", "platform/files", "platform/usr", "platform/var"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"app/metadata":      "[Application]\nname=" + besideApp + "\ncommand=probe\n" + base,
		"platform/metadata": "[Runtime]\nname=" + besideRuntime + "\n" + base,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	repo := filepath.Join(dir, "repo")
	for _, line := range [][]string{
		{"cp", e2e.Probe(t), filepath.Join(dir, "app/files/bin/probe")},
		{"flatpak", "build-export", "--runtime", repo, filepath.Join(dir, "platform"), "stable"},
		{"flatpak", "build-export", repo, filepath.Join(dir, "app"), "stable"},
		{"flatpak", "--user", "remote-add", "--no-gpg-verify", "beside", repo},
		{"flatpak", "--user", "install", "-y", "--noninteractive", "beside", besideRuntime + "//stable"},
		{"flatpak", "--user", "install", "-y", "--noninteractive", "beside", besideApp + "//stable"},
	} {
		r := h.Do(e2e.Cmd{Program: testenv.NeedCommand(t, line[0]), Args: line[1:], Timeout: 3 * time.Minute})
		if r.Code != 0 {
			t.Fatalf("%q: %+v", line, r)
		}
	}
}

// A side is one of the two ways to run the probe, with a file granted.
type side struct {
	name  string
	begin func(ops ...string) *e2e.Process
}

func sides(t *testing.T, h *e2e.Home, granted string) []side {
	bundle := e2e.ProbeBundle(t)
	start := func(program string, flags ...string) func(ops ...string) *e2e.Process {
		return func(ops ...string) *e2e.Process {
			return h.Begin(e2e.Cmd{Program: program, Args: append(append([]string{}, flags...), ops...), Timeout: time.Minute})
		}
	}
	return []side{
		{"sandbox", start(e2e.Program(t, "sandbox"), "run", "--strict", "--limit", "memory=256M", "--limit", "pids=50",
			"--grant", "files:"+granted, bundle)},
		{"flatpak", start(testenv.NeedCommand(t, "flatpak"), "run", "--filesystem="+granted+":ro", besideApp)},
	}
}

func TestMachineRunsBesideFlatpak(t *testing.T) {
	h := machine(t)
	asFlatpak(t, h)
	granted := h.Write("granted.txt", "granted")
	both := sides(t, h, granted)
	compareSights(t, h, both, granted)
	compareScopes(t, h, both)
}

// The same is granted and the same refused, but for a bus.
func compareSights(t *testing.T, h *e2e.Home, sides []side, granted string) {
	t.Helper()
	private := h.Write("private.txt", "private")
	manager := fmt.Sprintf("kill %d 0", os.Getpid())
	both := map[string]string{
		"say up":                   "ok",
		"read " + granted:          "ok granted",
		"append " + granted + " x": "EROFS",
		"read " + private:          "ENOENT",
		"read /etc/shadow":         "ENOENT",
		"interfaces":               "ok lo",
		manager:                    "ESRCH",
	}
	// What only flatpak's app can see: the session's bus, behind a filter.
	const bus = "sockets /run"
	ops := []string{bus, "ls /run", "pids"}
	for op := range both {
		ops = append(ops, op)
	}
	answers := map[string]e2e.Answers{}
	for _, s := range sides {
		a := h.Answers(s.begin(ops...).Wait(), ops...)
		for op, want := range both {
			if got := a.Of(op); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s: got %s, want %s", s.name, op, got, want)
			}
		}
		answers[s.name] = a
		t.Logf("%s: %q %q", s.name, a.Of("pids"), a.Of("ls /run"))
	}
	answers["flatpak"].Has(bus, "/bus")
	answers["sandbox"].Lacks(bus, "/bus")
}

// Both live in a scope of the session's manager while they run. Ours holds the
// limits, and nothing stays of it.
func compareScopes(t *testing.T, h *e2e.Home, sides []side) {
	t.Helper()
	for i, s := range sides {
		p := s.begin("say up", "hold")
		p.Expect("say up = ok", time.Minute)
		unit, limit, pid := "/app-flatpak-", "max", p.Process.Pid
		end := e2e.Cmd{Program: "/usr/bin/flatpak", Args: []string{"kill", besideApp}}
		if i == 0 {
			e := list(t, h)[0]
			unit, limit, pid = "/sandbox-", "268435456", e.PID
			end = e2e.Cmd{Args: []string{"stop", e.Instance}}
		}
		g := group(t, pid)
		if !strings.Contains(g, unit) || !strings.HasSuffix(g, ".scope") || !strings.Contains(g, "user@") {
			t.Errorf("%s: in %s", s.name, g)
		}
		if got := control(g, "memory.max"); got != limit {
			t.Errorf("%s: memory.max %q, want %q", s.name, got, limit)
		}
		if r := h.Do(end); r.Code != 0 {
			t.Errorf("%s: %+v", s.name, r)
		}
		p.Cmd.Wait()
		gone(t, g)
	}
}
