package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A session: a bundle runs, its answers come back, nothing is left.
func TestProbeAnswersInsideAndOutside(t *testing.T) {
	h := NewHome(t)
	b := ProbeBundle(t)
	h.Write("hello", "outside")
	in := h.Inside(b, nil, "read "+h.Dir+"/hello", "hostname", "sys 9999 -1", "say hello")
	in.Is("read "+h.Dir+"/hello", "ENOENT")
	in.Is("hostname", "ok sandbox")
	in.Is("say hello", "ok hello")
	h.Outside("read "+h.Dir+"/hello").Is("read "+h.Dir+"/hello", "ok outside")
}

func TestExitStatusIsTheAppsOwn(t *testing.T) {
	h := NewHome(t)
	if r := h.Run("run", ProbeBundle(t), "exit 7"); r.Code != 7 {
		t.Errorf("got %+v", r)
	}
}

func TestPtyShowsWhatTheAppPrints(t *testing.T) {
	h := NewHome(t)
	p := h.Pty("run", ProbeBundle(t), "winsize", "line", "say bye")
	p.Expect("80x24", 10*time.Second)
	p.Type("typed\r")
	p.Expect("line = ok typed", 10*time.Second)
	if code := p.Wait(10 * time.Second); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// What a command says last is there when Wait returns, however busy the machine is.
func TestPtyHoldsTheLastWords(t *testing.T) {
	h := NewHome(t)
	for range 25 {
		p := h.Pty("run", h.Dir+"/nothing")
		if code := p.Wait(10 * time.Second); code != 125 || !strings.Contains(p.Output(), "nothing") || strings.Contains(p.Output(), endMark) {
			t.Fatalf("status %d, %q", code, p.Output())
		}
	}
}

// The watchdog must bark: a process that is there, a file, a mount point.
func TestLeftoversAreSeen(t *testing.T) {
	h := NewHome(t)
	p := h.Start("run", ProbeBundle(t), "say up", "hold")
	p.Expect("up", 10*time.Second)
	left := strings.Join(h.leftovers(), "\n")
	for _, want := range []string{"process ", "registry file "} {
		if !strings.Contains(left, want) {
			t.Errorf("%q is not among what is running: %s", want, left)
		}
	}
	p.Process.Signal(os.Interrupt)
	p.Wait()
}

func TestCanaryNoticesEverything(t *testing.T) {
	for name, touch := range map[string]func(dir string) error{
		"content":  func(dir string) error { return os.WriteFile(dir+"/secret", []byte("x"), 0) },
		"mode":     func(dir string) error { return os.Chmod(dir+"/secret", 0o666) },
		"new file": func(dir string) error { return os.WriteFile(dir+"/new", nil, 0o600) },
		"hardlink": func(dir string) error { return os.Link(dir+"/secret", dir+"/../linked") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/d"
			os.Mkdir(dir, 0o755)
			os.WriteFile(dir+"/secret", nil, 0o600)
			before := Snapshot(dir)
			if err := touch(dir); err != nil {
				t.Fatal(err)
			}
			if Snapshot(dir) == before {
				t.Error("nothing noticed")
			}
		})
	}
}
