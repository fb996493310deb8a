package cgroup

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// planFor plans on this very machine and skips where no group would hold the
// limits.
func planFor(t *testing.T, l Limits, modes ...Mode) Plan {
	t.Helper()
	p, err := Decide(Probe(), uniqueName(t), l)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modes {
		if p.Mode == m && len(p.Degraded) == 0 {
			return p
		}
	}
	testenv.Skip(t, "this session offers no group for it (mode %s, %v)", p.Mode, p.Degraded)
	return p
}

var grouped = []Mode{V2, Scope, V1}

// G02: memory by any means is counted, and running out of it stays inside.
func TestOutOfMemoryStaysInside(t *testing.T) {
	for _, what := range []string{"allocate", "shared"} {
		t.Run(what, func(t *testing.T) {
			l := Unlimited()
			l.Memory = 64 << 20
			p := planFor(t, l, grouped...)
			g, a := start(t, p, what+" 200")
			if got := a.signal(t); got != syscall.SIGKILL {
				t.Errorf("200 MiB in a group of 64: ended by %v, output %q; want SIGKILL", got, a.out)
			}
			if p.Mode != V1 && !g.OutOfMemory() {
				t.Error("the group does not tell why it was killed")
			}
			s, err := g.Stats()
			if p.Mode == Scope && (err != nil || s.OOMKills < 0) {
				return // systemd was quick to remove it, or is about it
			}
			// The peak counter may overshoot by what is charged in batches.
			if err != nil || s.OOMKills < 1 || s.MemoryPeak > l.Memory+1<<20 || s.MemoryPeak < l.Memory/2 {
				t.Errorf("Stats = %+v, %v; want a kill and a peak near the limit", s, err)
			}
		})
		t.Run(what+" within the limit", func(t *testing.T) {
			l := Unlimited()
			l.Memory = 128 << 20
			g, a := start(t, planFor(t, l, grouped...), what+" 20")
			if g.OutOfMemory() {
				t.Error("killed for want of memory, says the group, and was not")
			}
			if got := a.signal(t); got != 0 || !a.ProcessState.Success() {
				t.Errorf("20 MiB in a group of 128: ended by %v, %v, output %q", got, a.ProcessState, a.out)
			}
		})
	}
}

func TestReadingIsSlowedDown(t *testing.T) {
	exe, _ := os.Executable()
	if disk := Probe().Disk; disk == "" || system().disk(exe) != disk {
		testenv.Skip(t, "the test program is not on the disk of the home directory")
	}
	for _, tc := range []struct {
		name     string
		rate     int64
		min, max int64 // milliseconds for 3 MiB
	}{{"2 MiB a second", 2 << 20, 900, 4000}, {"1 GiB a second", 1 << 30, 0, 890}} {
		t.Run(tc.name, func(t *testing.T) {
			l := Unlimited()
			l.IORead = tc.rate
			g, a := start(t, planFor(t, l, grouped...), "read 3")
			a.signal(t)
			ms := number(a.out.String())
			if ms < tc.min || ms > tc.max {
				t.Errorf("3 MiB took %d ms (%s)", ms, a.out)
			}
			if s, err := g.Stats(); err != nil || s.IORead < 3<<20 {
				t.Errorf("Stats = %+v, %v", s, err)
			}
		})
	}
}

// On v1 the kernel kills one process; the caller is told, to end the others.
func TestOOMIsTold(t *testing.T) {
	for _, tc := range []struct {
		name, victim string
		told         bool
	}{{"a child takes too much", "child allocate 200", true}, {"a child takes little", "child allocate 5", false}} {
		t.Run(tc.name, func(t *testing.T) {
			l := Unlimited()
			l.Memory = 64 << 20
			g, a := start(t, planFor(t, l, V1), "sleep")
			oom, err := g.OOM()
			if err != nil || oom == nil {
				t.Fatalf("OOM: %v", err)
			}
			child := newApp(t, strings.TrimPrefix(tc.victim, "child "))
			child.run(t, g.FD())
			if err := g.Add(child.Process.Pid); err != nil {
				t.Fatal(err)
			}
			child.open(t)
			child.signal(t)
			select {
			case <-oom:
				if !tc.told {
					t.Error("told of nothing")
				}
			case <-time.After(500 * time.Millisecond):
				if tc.told {
					t.Error("not told within half a second")
				}
			}
			a.Process.Kill()
			a.Wait()
		})
	}
}

func TestPidsLimit(t *testing.T) {
	for _, tc := range []struct {
		name     string
		pids     int64
		children int
		all      bool
	}{{"refused beyond the limit", 30, 60, false}, {"free below it", 100, 20, true}} {
		t.Run(tc.name, func(t *testing.T) {
			l := Unlimited()
			l.Pids = tc.pids
			_, a := start(t, planFor(t, l, grouped...), "fork "+strconv.Itoa(tc.children))
			a.signal(t)
			n, err := strconv.Atoi(strings.TrimSpace(a.out.String()))
			if err != nil || n < 5 || int64(n) >= tc.pids || tc.all != (n == tc.children) {
				t.Errorf("%d children started, %v; limit %d", n, a.out, tc.pids)
			}
		})
	}
}

// G03: whatever forks, changes its session or loses its parent dies with the group.
func TestKillForkBomb(t *testing.T) {
	l := Unlimited()
	l.Pids, l.Memory = 150, 1<<30
	g, a := start(t, planFor(t, l, grouped...), "bomb")
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	go a.Wait() // or the victim itself stays a zombie
	if err := g.Kill(context10(t)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("the kill took %v", d)
	}
	if g.populated() {
		t.Error("something is left in the group")
	}
}

func TestFreezeThaw(t *testing.T) {
	l := Unlimited()
	l.Pids = 100
	g, a := start(t, planFor(t, l, grouped...), "count")
	freezeThaw(t, g, a)
}

func freezeThaw(t *testing.T, g *Group, a *app) {
	t.Helper()
	ctx := context10(t)
	time.Sleep(100 * time.Millisecond)
	if err := g.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	before := cpu(t, a.Process.Pid)
	time.Sleep(100 * time.Millisecond)
	if after := cpu(t, a.Process.Pid); after != before {
		t.Errorf("%d context switches while frozen", after-before)
	}
	if err := g.Thaw(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if cpu(t, a.Process.Pid) == before {
		t.Error("nothing ran after the thaw")
	}
	if err := g.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	go a.Wait()
	if err := g.Kill(ctx); err != nil {
		t.Errorf("kill while frozen: %v", err)
	}
}

// cpu is the number of times the process's main thread has been switched to.
func cpu(t *testing.T, pid int) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(data))
	return number(f[len(f)-1])
}

func TestCPULimit(t *testing.T) {
	l := Unlimited()
	l.CPU = 0.25
	_, a := start(t, planFor(t, l, grouped...), "spin 800")
	a.signal(t)
	if used := time.Duration(number(a.out.String())) * time.Millisecond; used <= 0 || used > 450*time.Millisecond {
		t.Errorf("%v of processor time in 800 ms at a quarter of a core (%s)", used, a.out)
	}
}

func TestUpdateReachesARunningInstance(t *testing.T) {
	l := Unlimited()
	l.Memory, l.Pids = 64<<20, 100
	g, a := start(t, planFor(t, l, grouped...), "sleep")
	for _, memory := range []int64{256 << 20, 48 << 20, Unset, 96 << 20} {
		l.Memory = memory
		if err := g.Update(l); err != nil {
			t.Fatalf("memory %d: %v", memory, err)
		}
	}
	l.Pids = 7
	if err := g.Update(l); err != nil {
		t.Fatal(err)
	}
	for _, d := range g.dirs {
		if has(d.Controllers, "pids") {
			if got := d.number("pids.max"); got != 7 {
				t.Errorf("pids.max = %d after the update", got)
			}
		}
		if has(d.Controllers, "memory") && !d.Unified {
			if got := d.number("memory.limit_in_bytes"); got != 96<<20 {
				t.Errorf("memory.limit_in_bytes = %d after the update", got)
			}
		}
	}
	l.Files = 100
	if g.Update(l) == nil {
		t.Error("a changed limit of open files was accepted")
	}
	a.Process.Kill()
	a.Wait()
}

func TestStatsAndOpen(t *testing.T) {
	l := Unlimited()
	l.Memory, l.Pids = 256<<20, 100
	g, a := start(t, planFor(t, l, grouped...), "sleep")
	again, err := Open(g.Ref())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	time.Sleep(50 * time.Millisecond)
	s, err := again.Stats()
	if err != nil || s.Memory <= 0 || s.MemoryPeak < s.Memory || s.Pids < 1 || s.OOMKills != 0 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	if err := again.Verify(a.Process.Pid); err != nil {
		t.Error(err)
	}
	if again.Verify(os.Getpid()) == nil {
		t.Error("Verify takes a process outside for one inside")
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	l := Unlimited()
	l.Pids = 100
	p := planFor(t, l, V2, V1)
	g, a := start(t, p, "sleep")
	go a.Wait()
	if err := g.Remove(context10(t)); err != nil {
		t.Fatal(err)
	}
	for _, d := range p.Groups {
		if _, err := os.Stat(d.Path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", d.Path, err)
		}
	}
	if _, err := Open(g.Ref()); err == nil && len(p.Groups) > 0 && len(g.Ref().Dirs) > 0 {
		t.Error("a removed group can be opened")
	}
}

// Root can make a v2 group on this kind of host even where v2 has none of the
// controllers: clone, freeze, kill, removal are real.
func TestUnifiedLeaf(t *testing.T) {
	h := Probe()
	if !h.V2.Usable {
		testenv.Skip(t, "no unified hierarchy to write: %s", h.V2.Why)
	}
	p, err := Decide(h, uniqueName(t), Unlimited())
	if err != nil || p.Mode != V2 || len(p.Groups) != 1 {
		t.Fatalf("plan %+v, %v", p, err)
	}
	g, a := start(t, p, "count")
	if g.Waits() {
		t.Error("a child cloned into its group has nothing to wait for")
	}
	if s, err := g.Stats(); err != nil || s.Pids < 1 || s.CPU < 0 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	freezeThaw(t, g, a)
}

// The freezer hierarchy, as on hosts where v2 is not to be had.
func TestV1WithoutUnified(t *testing.T) {
	h := Probe().Without(V2)
	l := Unlimited()
	l.Pids, l.Memory = 100, 512<<20
	p, err := Decide(h, uniqueName(t), l)
	if err != nil {
		t.Fatal(err)
	}
	if p.Mode != V1 || len(p.Degraded) > 0 {
		testenv.Skip(t, "no v1 hierarchies to write (mode %s)", p.Mode)
	}
	t.Run("freeze", func(t *testing.T) {
		g, a := start(t, p, "count")
		if g.FD() != -1 || !g.Waits() {
			t.Error("v1 groups are entered by Add")
		}
		freezeThaw(t, g, a)
	})
	t.Run("fork bomb", func(t *testing.T) {
		g, a := start(t, p, "bomb")
		time.Sleep(300 * time.Millisecond)
		go a.Wait()
		if err := g.Kill(context10(t)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSweep(t *testing.T) {
	h := Probe()
	if len(h.bases()) == 0 {
		testenv.Skip(t, "no hierarchy to write")
	}
	p := Plan{Name: prefix + uniqueName(t), Limits: Unlimited()}
	dead := h.bases()[0] + "/" + p.Name
	if err := unix.Mkdir(dead, 0o755); err != nil {
		testenv.Skip(t, "%v", err)
	}
	defer unix.Rmdir(dead)
	ours := func(name string) bool { return name != strings.TrimPrefix(p.Name, prefix) }
	if got := Sweep(h, ours); len(got) != 0 {
		t.Errorf("a group just made was swept: %v", got)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dead, long, long); err != nil {
		testenv.Skip(t, "%v", err)
	}
	if got := Sweep(h, func(string) bool { return true }); len(got) != 0 {
		t.Errorf("a living instance's group was swept: %v", got)
	}
	if got := Sweep(h, ours); len(got) != 1 || got[0] != dead {
		t.Errorf("Sweep = %v, want %s", got, dead)
	}
}
