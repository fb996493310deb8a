package cgroup

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"

	"golang.org/x/sys/unix"
)

// The hosts of the tables.
var (
	v2Host = Host{Kernel: [2]int{6, 1}, Home: "/home/u", Disk: "8:0", V2: Unified{
		Usable: true, Pure: true, Base: "/cg/unit", Controllers: []string{"cpu", "memory", "pids"}, Enabled: []string{"memory", "pids"}}}
	scopeHost = Host{Kernel: [2]int{6, 1}, Home: "/home/u", Disk: "8:0",
		Systemd: Manager{Usable: true, Socket: "/run/user/1000/bus", Bus: true, Controllers: []string{"cpu", "memory", "pids"}}}
	v1Host = Host{Kernel: [2]int{6, 1}, Home: "/root", Disk: "8:0", V1: []Hierarchy{
		{[]string{"memory"}, "/v1/memory", true}, {[]string{"pids"}, "/v1/pids", true},
		{[]string{"cpu", "cpuacct"}, "/v1/cpu,cpuacct/x", true}, {[]string{"freezer"}, "/v1/freezer", true},
		{[]string{"blkio"}, "/v1/blkio", true}}}
	bareHost = Host{Kernel: [2]int{6, 1}, Home: "/home/u", Disk: "8:0"}
)

func with(change func(*Limits)) Limits {
	l := Unlimited()
	change(&l)
	return l
}

var everything = with(func(l *Limits) {
	l.Memory, l.Swap, l.Pids, l.Files, l.CPU, l.Time = 512<<20, 64<<20, 100, 1024, 1.5, time.Minute
})

func TestDecide(t *testing.T) {
	occupied := v2Host
	occupied.V2.Occupied = true
	alone := occupied
	alone.V2.Alone = true
	occupiedWithScope := occupied
	occupiedWithScope.Systemd = scopeHost.Systemd
	hybrid := v1Host
	hybrid.V2 = Unified{Usable: true, Base: "/v1/unified", Controllers: []string{"hugetlb"}, Top: true}
	oldBare := bareHost
	oldBare.Kernel = [2]int{5, 10}
	locked := v1Host
	locked.V1 = []Hierarchy{{[]string{"memory"}, "/v1/memory", false}}
	io := with(func(l *Limits) { l.IORead, l.IOWrite = 1000, 2000 })
	memory := with(func(l *Limits) { l.Memory = 1 << 20 })
	pids := with(func(l *Limits) { l.Pids = 9 })

	for _, tc := range []struct {
		name   string
		host   Host
		limits Limits
		want   string
	}{
		{"v2, nothing asked", v2Host, Unlimited(), "limits by v2\nmake group /cg/unit/sandbox-x\n"},
		{"v2, everything", v2Host, everything, `limits by v2
write +cpu to /cg/unit/cgroup.subtree_control
make group /cg/unit/sandbox-x
  memory.max = 536870912
  memory.swap.max = 67108864
  memory.oom.group = 1
  pids.max = 100
  cpu.max = 150000 100000
rlimit nofile = 1024
`},
		{"v2, memory alone means no swap", v2Host, memory, `limits by v2
make group /cg/unit/sandbox-x
  memory.max = 1048576
  memory.swap.max = 0
  memory.oom.group = 1
`},
		{"v2, a shell in the unit, controller handed on", occupied, pids, `limits by v2
make group /cg/unit/sandbox-x
  pids.max = 9
`},
		{"v2, a shell in the unit, controller not handed on", occupied, everything, `limits by v2
make group /cg/unit/sandbox-x
  memory.max = 536870912
  memory.swap.max = 67108864
  memory.oom.group = 1
  pids.max = 100
rlimit nofile = 1024
DEGRADED cpu: no cpu controller here; not limited
`},
		{"v2, a shell in the unit, systemd at hand", occupiedWithScope, everything, "limits by scope\nask systemd"},
		{"v2, the unit is ours alone", alone, with(func(l *Limits) { l.CPU = 0.5 }), `limits by v2
move this process to /cg/unit/supervisor-x
write +cpu to /cg/unit/cgroup.subtree_control
make group /cg/unit/sandbox-x
  cpu.max = 50000 100000
`},
		{"scope, nothing asked", scopeHost, Unlimited(), "limits by none\n"},
		{"scope, everything", scopeHost, everything, `limits by scope
ask systemd at /run/user/1000/bus for sandbox-x.scope
  Description=sandbox x
  Delegate=true
  CollectMode=inactive-or-failed
  MemoryMax=536870912
  MemorySwapMax=67108864
  OOMPolicy=kill
  TasksMax=100
  CPUQuotaPerSecUSec=1500000
rlimit nofile = 1024
`},
		{"scope, io not delegated to the user", scopeHost, io, "limits by none\nDEGRADED io: no io controller here; not limited\n"},
		{"v1, nothing asked", v1Host, Unlimited(), "limits by none\n"},
		{"v1, only files", v1Host, with(func(l *Limits) { l.Files = 64 }), "limits by none\nrlimit nofile = 64\n"},
		{"v1, memory: with the freezer and processor time", v1Host, memory, `limits by v1
make group /v1/memory/sandbox-x
  memory.limit_in_bytes = 1048576
  memory.memsw.limit_in_bytes = 1048576
  memory.swappiness = 0
make group /v1/cpu,cpuacct/x/sandbox-x
make group /v1/freezer/sandbox-x
`},
		{"v1 beside v2: no freezer", hybrid, everything, `limits by v1
make group /v1/unified/sandbox-x
make group /v1/memory/sandbox-x
  memory.limit_in_bytes = 536870912
  memory.memsw.limit_in_bytes = 603979776
make group /v1/pids/sandbox-x
  pids.max = 100
make group /v1/cpu,cpuacct/x/sandbox-x
  cpu.cfs_period_us = 100000
  cpu.cfs_quota_us = 150000
rlimit nofile = 1024
`},
		{"v1 beside v2, nothing asked", hybrid, Unlimited(), "limits by v2\nmake group /v1/unified/sandbox-x\n"},
		{"v1, swap without memory", hybrid, with(func(l *Limits) { l.Swap = 5 }), "limits by v2\nmake group /v1/unified/sandbox-x\nDEGRADED swap: nothing here counts swap by itself; not limited\n"},
		{"v1, io", hybrid, with(func(l *Limits) { l.IORead = 7 }), `limits by v1
make group /v1/unified/sandbox-x
make group /v1/blkio/sandbox-x
  blkio.throttle.read_bps_device = 8:0 7
`},
		{"v1, not ours to write", locked, memory, "limits by none\nrlimit data = 1048576\nDEGRADED memory: no memory"},
		{"none, everything", bareHost, everything, `limits by none
rlimit data = 536870912
rlimit nofile = 1024
rlimit nproc = 100
DEGRADED memory: no memory controller here; each process is limited for itself (RLIMIT_DATA), shared memory is not
DEGRADED swap: nothing here counts swap by itself; not limited
DEGRADED cpu: no cpu controller here; not limited
`},
		{"none, pids are held all the same", bareHost, pids, "limits by none\nrlimit nproc = 9\n"},
		{"none, pids on an old kernel", oldBare, pids, "limits by none\nDEGRADED pids: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Decide(tc.host, "x", tc.limits)
			if err != nil {
				t.Fatal(err)
			}
			got := p.String()
			if got != tc.want && (strings.HasSuffix(tc.want, "\n") || !strings.HasPrefix(got, tc.want)) {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			if p.Limits != tc.limits {
				t.Error("the limits are not carried")
			}
			if err := p.Strict(); (err != nil) != (len(p.Degraded) > 0) || err != nil && hint.Of(err) == "" {
				t.Errorf("Strict: %v", err)
			}
		})
	}
}

func TestDiskLimits(t *testing.T) {
	h := v2Host
	h.V2.Controllers = append([]string{"io"}, h.V2.Controllers...)
	l := with(func(l *Limits) { l.IOWrite = 50_000_000 })
	p, _ := Decide(h, "x", l)
	if want := (Write{File: "io.max", Value: "8:0 rbps=max wbps=50000000"}); len(p.Groups) != 1 || !reflect.DeepEqual(p.Groups[0].Writes, []Write{want}) || len(p.Degraded) > 0 {
		t.Errorf("%s", p)
	}
	h.Disk = "" // btrfs, overlay, network: no one disk
	p, _ = Decide(h, "x", l)
	if len(p.Groups[0].Writes) > 0 || len(p.Degraded) != 1 || p.Degraded[0].Limit != "io" {
		t.Errorf("%s", p)
	}
	s := scopeHost
	s.Systemd.Controllers = []string{"io"}
	p, _ = Decide(s, "x", l)
	if got := p.Unit.Properties[len(p.Unit.Properties)-1]; !reflect.DeepEqual(got, Property{"IOWriteBandwidthMax", []PathRate{{"/home/u", 50_000_000}}}) {
		t.Errorf("%v", got)
	}
}

func TestRlimitResources(t *testing.T) {
	p, _ := Decide(bareHost, "x", everything)
	got := map[string]int{}
	for _, r := range p.Rlimits {
		got[r.Name] = r.Resource
	}
	if want := map[string]int{"data": unix.RLIMIT_DATA, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		bad    string
	}{
		{"unlimited", Unlimited(), ""},
		{"everything", everything, ""},
		{"no swap", with(func(l *Limits) { l.Swap = 0 }), ""},
		{"the zero value", Limits{}, "memory"},
		{"negative memory", with(func(l *Limits) { l.Memory = -2 }), "memory"},
		{"negative swap", with(func(l *Limits) { l.Swap = -2 }), "swap"},
		{"no pids", with(func(l *Limits) { l.Pids = 0 }), "pids"},
		{"two files", with(func(l *Limits) { l.Files = 2 }), "files"},
		{"cpu not a number", with(func(l *Limits) { l.CPU = math.NaN() }), "cpu"},
		{"endless cpu", with(func(l *Limits) { l.CPU = math.Inf(1) }), "cpu"},
		{"too little cpu", with(func(l *Limits) { l.CPU = 0.001 }), "cpu"},
		{"the least cpu", with(func(l *Limits) { l.CPU = 0.01 }), ""},
		{"no reading", with(func(l *Limits) { l.IORead = 0 }), "io"},
		{"no writing", with(func(l *Limits) { l.IOWrite = -7 }), "io"},
		{"negative time", with(func(l *Limits) { l.Time = -1 }), "time"},
	} {
		err := tc.limits.Check()
		if (err != nil) != (tc.bad != "") || err != nil && (!strings.Contains(err.Error(), "limit "+tc.bad+"=") || hint.Of(err) == "") {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, again := Decide(v2Host, "x", tc.limits); (again != nil) != (err != nil) {
			t.Errorf("%s: Decide says %v", tc.name, again)
		}
		if _, again := Create(Plan{Mode: None, Name: "sandbox-x", Limits: tc.limits}); (again != nil) != (err != nil) {
			t.Errorf("%s: Create says %v", tc.name, again)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"org.gnu.Nano-4f2a": true, "x": true, "0_": true, strings.Repeat("a", 100): true,
		"": false, ".": false, "..": false, ".x": false, "-x": false, "a/b": false, "a\x00": false, "a b": false,
		"a@b": false, "a:b": false, "é": false, "a\n": false, strings.Repeat("a", 101): false,
	} {
		_, err := Decide(v2Host, name, Unlimited())
		if (err == nil) != ok {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "x", "sandbox-", "sandbox-../x"} {
		if _, err := Create(Plan{Mode: None, Name: name, Limits: Unlimited()}); err == nil {
			t.Errorf("Create takes the name %q", name)
		}
	}
}

// A damaged or planted registry entry must not lead to a group of another.
func TestOpenRefuses(t *testing.T) {
	good := Ref{Mode: V2, Name: "sandbox-x", Limits: Unlimited()}
	for _, tc := range []struct {
		name   string
		change func(*Ref)
	}{
		{"another group", func(r *Ref) { r.Dirs = []RefDir{{Path: "/sys/fs/cgroup", Unified: true}} }},
		{"a climbing path", func(r *Ref) { r.Dirs = []RefDir{{Path: "/sys/fs/cgroup/a/../sandbox-x", Unified: true}} }},
		{"a relative path", func(r *Ref) { r.Dirs = []RefDir{{Path: "sandbox-x", Unified: true}} }},
		{"a name that is not ours", func(r *Ref) { r.Name = "user.slice" }},
		{"no limits", func(r *Ref) { r.Limits = Limits{} }},
		{"another unit", func(r *Ref) { r.Mode, r.Unit = Scope, &Unit{Name: "ssh.service"} }},
		{"a disk that is two lines", func(r *Ref) { r.Disk = "8:0\n8:1" }},
	} {
		r := good
		tc.change(&r)
		if g, err := Open(r); err == nil {
			g.Close()
			t.Errorf("%s is accepted", tc.name)
		}
	}
	dir := t.TempDir() + "/sandbox-x"
	if err := unix.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := good
	r.Dirs = []RefDir{{Path: dir, Unified: true}}
	if _, err := Open(r); err == nil {
		t.Error("a directory that is no control group is accepted")
	}
	if _, err := Open(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestNoneHasNoGroup(t *testing.T) {
	p, err := Decide(bareHost, "x", Unlimited())
	if err != nil {
		t.Fatal(err)
	}
	g, err := Create(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if g.FD() != -1 || g.Waits() || g.Add(unix.Getpid()) != nil || g.Verify(1) != nil {
		t.Error("mode none asks for something")
	}
	if g.Freeze(ctx) != ErrNoGroup || g.Thaw(ctx) != ErrNoGroup || g.Kill(ctx) != ErrNoGroup {
		t.Error("mode none claims to freeze or kill")
	}
	if s, err := g.Stats(); err != nil || s != unknown() {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	if again, err := Open(g.Ref()); err != nil || again.Mode() != None {
		t.Errorf("Open: %v", err)
	}
	if err := g.Remove(ctx); err != nil {
		t.Error(err)
	}
}
