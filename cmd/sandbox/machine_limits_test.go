package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
)

// Memory runs out inside: the app dies of SIGKILL, and with less it lives.
func TestMachineHoldsMemory(t *testing.T) {
	eachStart(t, func(t *testing.T, h *e2e.Home, s start) {
		flags := []string{"--strict", "--limit", "memory=64M"}
		r := s.probe(t, h, flags, "alloc 20000000", "say alive")
		if r.Code != 0 || !strings.Contains(r.Stdout, "say alive = ok") {
			t.Errorf("20 MB of 64 MiB: %+v", r)
		}
		r = s.probe(t, h, flags, "alloc 300000000", "say alive")
		if r.Code != 137 || strings.Contains(r.Stdout, "say alive") {
			t.Errorf("300 MB of 64 MiB: %+v", r)
		}
		if !strings.Contains(r.Stderr, "memory") {
			t.Errorf("why it ended is not said: %q", r.Stderr)
		}
	})
}

// The number of processes is held by the group, for the app as a whole.
func TestMachineHoldsPids(t *testing.T) {
	eachStart(t, func(t *testing.T, h *e2e.Home, s start) {
		for limit, want := range map[string]bool{"pids=40": false, "pids=1000": true} {
			r := s.probe(t, h, []string{"--strict", "--limit", limit}, "forks 50")
			if r.Code != 0 || strings.Contains(r.Stdout, "forks 50 = ok 50\n") != want {
				t.Errorf("50 processes with %s: %+v", limit, r)
			}
		}
	})
}

// holding starts the probe in the background with limits on everything that
// the session's manager may hand on. It returns the entry in the list, and the
// control group that the app is in.
func (s start) holding(t *testing.T, h *e2e.Home, name string) (*e2e.Process, listed, string) {
	t.Helper()
	p := s.begin(t, h, "run", "--strict", "--name", name, "--limit", "memory=256M", "--limit", "pids=50", "--limit", "cpu=0.5",
		e2e.ProbeBundle(t), "say up", "hold")
	p.Expect("say up = ok", time.Minute)
	for _, e := range list(t, h) {
		if e.Instance == name {
			return p, e, group(t, e.PID)
		}
	}
	t.Fatalf("%s is not listed", name)
	return nil, listed{}, ""
}

// What was asked for stands in the group's files, and ps, pause, stats and stop
// work on the group. Afterwards neither a group nor a unit is left.
func TestMachineSteersTheGroup(t *testing.T) {
	eachStart(t, func(t *testing.T, h *e2e.Home, s start) {
		p, e, g := s.holding(t, h, "steered")
		scope := strings.HasSuffix(g, ".scope")
		if !strings.HasPrefix(filepath.Base(g), "sandbox-steered.") || !scope && !strings.HasSuffix(filepath.Dir(g), ".service") || scope && s.mode == byDelegated || !scope && s.mode == byScope {
			t.Errorf("the app is in %s, want a %s", g, s.mode)
		}
		for file, want := range map[string]string{"memory.max": "268435456", "pids.max": "50", "cpu.max": "50000 100000"} {
			if got := control(g, file); got != want {
				t.Errorf("%s = %q, want %q", file, got, want)
			}
		}
		if e.Usage.Memory <= 0 || e.Usage.Pids < 2 {
			t.Errorf("usage %+v", e.Usage)
		}
		wants(t, h.Run("pause", "steered"), 0, "")
		if frozen := control(g, "cgroup.events"); !strings.Contains(frozen, "frozen 1") {
			t.Errorf("paused, but %q", frozen)
		}
		wants(t, h.Run("resume", "steered"), 0, "")
		if frozen := control(g, "cgroup.events"); !strings.Contains(frozen, "frozen 0") {
			t.Errorf("resumed, but %q", frozen)
		}
		if r := h.Run("stop", "steered"); r.Code != 0 {
			t.Errorf("stop: %+v", r)
		}
		p.Wait()
		gone(t, g)
	})
}

// gone waits until a control group and every unit of an instance are.
func gone(t *testing.T, g string) {
	t.Helper()
	var left []string
	if !e2e.Within(soon, func() bool {
		_, err := os.Stat(g)
		left = units(t)
		return os.IsNotExist(err) && len(left) == 0
	}) {
		t.Errorf("left: %s with %q, units %q", g, control(g, "cgroup.procs"), left)
	}
}

// A bomb in the background is ended as a whole, and while it explodes the
// session still answers.
func TestMachineEndsAForkBomb(t *testing.T) {
	h := machine(t)
	wants(t, h.Run(bash(t, "b() { b | b & sleep 1; }; while :; do b; done 2>/dev/null",
		"--strict", "--detach", "--name", "bomb", "--limit", "pids=100", "--limit", "memory=256M")...), 0, "bomb\n")
	t.Cleanup(func() { h.Run("kill", "bomb") })
	g := group(t, list(t, h)[0].PID)
	e2e.Within(soon, func() bool { return control(g, "pids.current") == "100" })
	begin := time.Now()
	if r := h.Run("kill", "bomb"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	gone(t, g)
	t.Logf("gone after %v", time.Since(begin))
}

// A supervisor that is killed takes all of its instance with it.
func TestMachineSupervisorKilled(t *testing.T) {
	eachStart(t, func(t *testing.T, h *e2e.Home, s start) {
		p, e, g := s.holding(t, h, "orphan")
		if err := unix.Kill(e.Supervisor, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.Wait()
		if !e2e.Within(soon, func() bool { return control(g, "cgroup.procs") == "" }) {
			t.Errorf("still in %s: %q", g, control(g, "cgroup.procs"))
		}
		if all := list(t, h); len(all) != 0 {
			t.Errorf("still listed: %+v", all)
		}
	})
}

// The managers of users get no disk controller: that is said, and it is an
// error for those who insist.
func TestMachineSaysThatDiskTrafficIsNotLimited(t *testing.T) {
	h := machine(t)
	flags := []string{"--limit", "io=10M"}
	r := starts[0].probe(t, h, flags, "say up")
	if r.Code != 0 || !strings.Contains(r.Stderr, "DEGRADED") || !strings.Contains(r.Stderr, "io") {
		t.Errorf("%+v", r)
	}
	says(t, starts[0].probe(t, h, append(flags, "--strict"), "say up"), 125, "io", "")
}

// A unit that systemd itself delegated has the disk controller: writing 8 MB
// at 2 MB a second takes its time, which a fast machine cannot show by chance.
// Directly: what goes through the page cache is charged to whoever made it dirty
// first, even to a group that is gone.
func TestMachineHoldsDiskTraffic(t *testing.T) {
	t.Setenv("TMPDIR", os.Getenv("HOME")) // on a disk; /tmp need not be
	h := machine(t)
	system := starts[len(starts)-1]
	write := func(flags ...string) time.Duration {
		begin := time.Now()
		r := system.begin(t, h, bash(t, "dd if=/dev/zero of=$HOME/written bs=1M count=8 oflag=direct 2>/dev/null && echo written",
			append(flags, "--strict")...)...).Wait()
		wants(t, r, 0, "written\n")
		return time.Since(begin)
	}
	without, with := write(), write("--limit", "io=2M")
	if with < 3*time.Second {
		t.Errorf("8 MB at 2 MB a second took %v", with)
	}
	t.Logf("%v without a limit, %v with one", without, with)
}
