package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// degraded skips a test of a limit that this machine cannot hold, which the
// launch must have said.
func degraded(t *testing.T, h *e2e.Home, b, limit string) {
	t.Helper()
	r := h.Run("run", "--limit", limit, b, "say up")
	if strings.Contains(r.Stderr, "DEGRADED") {
		if s := h.Run("run", "--strict", "--limit", limit, b, "say up"); s.Code != 125 || strings.Contains(s.Stdout, "up") {
			t.Errorf("--strict starts where a limit is not to be had: %+v", s)
		}
		testenv.Skip(t, "needs a control group for limit:%s", limit)
	}
}

// Memory is counted however it is taken, and the app ends as a whole.
func TestG02MemoryIsLimitedHoweverItIsTaken(t *testing.T) {
	h, b := attack(t)
	degraded(t, h, b, "memory=48M")
	for name, op := range map[string]string{"anonymous": "alloc 200000000", "memfd": "memfd 200000000", "shm": "fill /dev/shm 200000000", "tmp": "fill /tmp 200000000"} {
		r := h.Run("run", "--limit", "memory=48M", b, "daemon hold", op, "say survived")
		if strings.Contains(r.Stdout, "survived") && !strings.Contains(r.Stdout, "ENOMEM") && !strings.Contains(r.Stdout, "ENOSPC") || r.Code != 137 && r.Code != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	h.Inside(b, []string{"--limit", "memory=400M"}, "alloc 200000000").Is("alloc 200000000", "ok")
}

// Whatever an app leaves behind ends with it, however it ends.
func TestG03NothingSurvivesTheApp(t *testing.T) {
	h, b := attack(t)
	h.Mkdir("beat")
	beat := h.Dir + "/beat/"
	// The daemon has a session of its own, ignores signals, and writes a file when
	// a second has passed.
	daemon := func(name string) string {
		return "daemon ignore, write " + beat + name + "-alive x, sleep 1500ms, write " + beat + name + "-survived x, hold"
	}
	grant := []string{"run", "--grant", "files:~/beat:write"}
	alive := func(name string) {
		t.Helper()
		if !e2e.Within(10*time.Second, func() bool { _, err := os.Stat(beat + name + "-alive"); return err == nil }) {
			t.Fatalf("%s: the daemon never ran", name)
		}
	}
	h.Run(append(grant, b, daemon("exit"), "sleep 300ms")...)
	p := h.Start(append(grant, "--name", "k", b, daemon("kill"), "hold")...)
	alive("kill")
	h.Run("kill", "k")
	p.Wait()
	p = h.Start(append(grant, "--name", "s", b, "ignore", daemon("stop"), "hold")...)
	alive("stop")
	h.Run("stop", "-t", "0", "s")
	p.Wait()
	p = h.Start(append(grant, "--name", "x", b, "ignore", daemon("supervisor"), "hold")...)
	alive("supervisor")
	p.Process.Kill()
	p.Wait()
	h.Run("ps")
	time.Sleep(1800 * time.Millisecond)
	if left, _ := filepath.Glob(beat + "*-survived"); len(left) > 0 {
		t.Errorf("survived: %q", left)
	}
}

// The supervisor dies at any moment of the launch: nothing goes on without it.
func TestG03SupervisorDiesDuringTheLaunch(t *testing.T) {
	h, b := attack(t)
	for i := range 25 {
		p := h.Start("run", b, "hold")
		time.Sleep(time.Duration(i) * 400 * time.Microsecond)
		p.Process.Kill()
		p.Wait() // complains when its output is still open
	}
	// What the dead left is cleared when it is too old to be a launch under way.
	time.Sleep(2500 * time.Millisecond)
	h.Run("ps")
}

func TestG05AppIsInItsGroup(t *testing.T) {
	h, b := attack(t)
	degraded(t, h, b, "pids=30")
	p := h.Start("run", "--name", "grouped", "--limit", "pids=30", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	found := false
	names, _ := os.ReadDir("/proc")
	for _, n := range names {
		dir := "/proc/" + n.Name()
		if strings.Contains(e2e.Read(dir+"/environ"), "SANDBOX_ID="+e2e.ID(t, b)) {
			found = true
			if group := e2e.Read(dir + "/cgroup"); !strings.Contains(group, "sandbox-grouped") && !strings.Contains(h.Run("run", "--dry-run", b).Stdout, "nproc") {
				t.Logf("limited without a group of its own: %s", group)
			}
		}
	}
	if !found && os.Getuid() == 0 {
		t.Error("the app is not to be seen")
	}
	r := h.Run("enter", "grouped", "/app/bin/probe", "forks 60", "write /sys/fs/cgroup/cgroup.procs 1")
	if !strings.Contains(r.Stdout, "then an error") && r.Code == 0 {
		t.Errorf("what enters is not limited: %+v", r)
	}
	h.Run("kill", "grouped")
	p.Wait()
}

func TestG05Pids(t *testing.T) {
	h, b := attack(t)
	degraded(t, h, b, "pids=30")
	a := h.Inside(b, []string{"--limit", "pids=60"}, "forks 4")
	a.Is("forks 4", "ok 4")
	r := h.Run("run", "--limit", "pids=30", b, "forks 100")
	if r.Code == 0 && !strings.Contains(r.Stdout, "then an error") {
		t.Errorf("%+v", r)
	}
}

// A terminal that nobody reads: the app waits, the supervisor does not grow.
func TestG06StalledReader(t *testing.T) {
	h, b := attack(t)
	master, slave, err := e2e.OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	p := h.Begin(e2e.Cmd{Args: []string{"run", "--name", "flood", b, "flood 30s"}, Stdin: slave, Stdout: slave, Stderr: slave})
	if !e2e.Within(5*time.Second, func() bool { return strings.Contains(h.Run("ps").Stdout, "flood") }) {
		t.Fatal("it does not run")
	}
	pid := p.Process.Pid
	first := resident(pid)
	time.Sleep(1500 * time.Millisecond)
	if now := resident(pid); now-first > 16<<20 {
		t.Errorf("the supervisor grew from %d to %d bytes", first, now)
	}
	if r := h.Do(e2e.Cmd{Args: []string{"kill", "flood"}, Timeout: 10 * time.Second}); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	go func() { // somebody reads again
		buf := make([]byte, 1<<16)
		for {
			if _, err := master.Read(buf); err != nil {
				return
			}
		}
	}()
	p.Wait()
}

// Nobody reads the log of a detached instance either; it has a limit.
func TestG06DetachedFlood(t *testing.T) {
	h, b := attack(t)
	if r := h.Run("run", "--detach", "--name", "flood", b, "flood 1s", "hold"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	time.Sleep(1200 * time.Millisecond)
	var size int64
	logs, _ := filepath.Glob(h.Dir + "/.local/share/sandbox/log/*")
	for _, l := range logs {
		if info, err := os.Stat(l); err == nil {
			size += info.Size()
		}
	}
	if size == 0 || size > 9<<20 {
		t.Errorf("the log has %d bytes in %q", size, logs)
	}
	h.Run("kill", "flood")
}

func resident(pid int) int {
	for line := range strings.Lines(e2e.Read(format("/proc/%d/status", pid))) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.Atoi(f[1])
			return n << 10
		}
	}
	return 0
}

// What the kernel counts for a user, an app may not use up.
func TestG09ResourcesOfTheUserAreLeft(t *testing.T) {
	h, b := attack(t)
	ops := []string{"inotify 3000", "queues 3000", "timers 300000", "watches 3000 /tmp", "say up", "hold"}
	p := h.Start(append([]string{"run", "--name", "hog", b}, ops...)...)
	p.Expect("say up", 25*time.Second)
	a := h.Answers(e2e.Result{Stdout: p.Output()})
	for _, op := range ops[:2] {
		if !strings.Contains(a.Of(op), "then E") {
			t.Errorf("%s is not bounded: %s", op, a.Of(op))
		}
	}
	out := h.Outside("inotify 5", "queues 2", "unqueue", "timers 50", "watches 5 "+h.Mkdir("watched"))
	out.Is("inotify 5", "ok 5")
	out.Is("timers 50", "ok 50")
	out.Is("watches 5 "+h.Dir+"/watched", "ok 5")
	if got := out.Of("queues 2"); got != "ok 2" && !strings.Contains(got, "EACCES") && !strings.Contains(got, "EEXIST") {
		t.Errorf("message queues are used up outside: %s; inside: %s", got, a.Of("queues 3000"))
	}
	h.Run("kill", "hog")
	p.Wait()
}

// The time limit holds against an app that ignores it, or that stops itself.
func TestG10TimeLimit(t *testing.T) {
	h, b := attack(t)
	start := time.Now()
	r := h.Run("run", "--limit", "time=1s", b, "hold")
	if r.Code != 124 || time.Since(start) > 5*time.Second {
		t.Errorf("%+v after %s", r, time.Since(start))
	}
	r = h.Run("run", "--limit", "time=10s", b, "say done")
	if r.Code != 0 {
		t.Errorf("%+v", r)
	}
	if r := h.Run("run", "--detach", "--name", "stopped", "--limit", "time=1s", b, "kill 0 19", "hold"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	if !e2e.Within(9*time.Second, func() bool { return !strings.Contains(h.Run("ps").Stdout, "stopped") }) {
		t.Error("an app that stopped itself outlives its time")
		h.Run("kill", "stopped")
	}
}

func TestG14DegradedIsSaid(t *testing.T) {
	h, b := attack(t)
	for _, limit := range []string{"memory=64M", "pids=50", "cpu=1", "io=50M"} {
		r := h.Run("run", "--limit", limit, b, "say up")
		s := h.Run("run", "--strict", "--limit", limit, b, "say up")
		if said := strings.Contains(r.Stderr, "DEGRADED"); r.Code != 0 || said != (s.Code == 125) {
			t.Errorf("%s: said %v, but --strict: %+v", limit, said, s)
		}
	}
}

// Limits that make no sense are refused before anything is done.
func TestG14SenselessLimits(t *testing.T) {
	h, b := attack(t)
	for _, limit := range []string{"memory=0", "memory=-1", "memory=1", "memory=99999999999999999999", "pids=0", "pids=-5", "cpu=0", "cpu=NaN", "cpu=Inf", "time=-1s", "time=0", "files=0", "memory", "=1", "nonsense=1", "memory=1M\n", "pids=1e3"} {
		if r := h.Run("run", "--limit", limit, b, "say ran"); r.Code == 0 || strings.Contains(r.Stdout, "ran") || strings.Contains(r.Stderr, "panic") {
			t.Errorf("%q: %+v", limit, r)
		}
	}
}
