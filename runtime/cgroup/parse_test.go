package cgroup

import (
	"path"
	"reflect"
	"strings"
	"testing"
)

func TestParseMembership(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []membership
	}{
		{"pure v2", "0::/user.slice/a.scope\n", []membership{{Path: "/user.slice/a.scope", Unified: true}}},
		{"hybrid", "9:name=systemd:/\n3:cpu,cpuacct:/x\n0::/\n", []membership{
			{Controllers: []string{"name=systemd"}, Path: "/"}, {Controllers: []string{"cpu", "cpuacct"}, Path: "/x"}, {Path: "/", Unified: true}}},
		{"a colon in the path", "0::/a:b\n", []membership{{Path: "/a:b", Unified: true}}},
		{"outside of the namespace", "0::/../x\n2:pids:/..\n", nil},
		{"gone", "0::/x (deleted)\n", nil},
		{"a path that climbs", "0::/a/../../b\n", nil},
		{"relative", "0::a\n", nil},
		{"not the unified one", "1::/a\n", nil},
		{"a controller with a slash", "1:../x:/a\n", nil},
		{"no number", "x:pids:/a\n", nil},
		{"too short", "0:\n\n:\n", nil},
		{"empty", "", nil},
	} {
		if got := parseMembership(tc.in); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

const hybridMounts = `21 26 0:20 / /proc rw,relatime - proc proc rw
30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
34 30 0:31 / /cg/memory rw,relatime shared:9 - cgroup cgroup rw,memory
35 30 0:32 /docker/1 /cg/my\040pids rw - cgroup cgroup rw,pids
40 30 0:37 / /cg/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
`

func TestLocate(t *testing.T) {
	mounts := parseMounts(hybridMounts)
	if len(mounts) != 3 {
		t.Fatalf("mounts %+v", mounts)
	}
	for _, tc := range []struct {
		name  string
		where membership
		want  string
	}{
		{"unified", membership{Path: "/a/b", Unified: true}, "/cg/unified/a/b"},
		{"unified root", membership{Path: "/", Unified: true}, "/cg/unified"},
		{"v1", membership{Controllers: []string{"memory"}, Path: "/a"}, "/cg/memory/a"},
		{"bound part", membership{Controllers: []string{"pids"}, Path: "/docker/1/x"}, "/cg/my pids/x"},
		{"outside the bound part", membership{Controllers: []string{"pids"}, Path: "/docker/11"}, ""},
		{"not mounted", membership{Controllers: []string{"cpu"}, Path: "/"}, ""},
	} {
		if got := locate(mounts, tc.where); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestParseSmallFiles(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
	}{{"12\n", 12}, {"max\n", -1}, {"", -1}, {"-5", -1}, {"9223372036854775807\n", 1<<63 - 1}, {"9223372036854775808", -1}} {
		if got := number(tc.in); got != tc.want {
			t.Errorf("number(%q) = %d, want %d", tc.in, got, tc.want)
		}
	}
	events := "populated 1\nfrozen 0\n"
	if field(events, "populated") != 1 || field(events, "frozen") != 0 || field(events, "froze") != -1 {
		t.Error("field misreads cgroup.events")
	}
	if r, w := transferred("8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=max\n"); r != 11 || w != 20 {
		t.Errorf("transferred = %d, %d", r, w)
	}
	if r, w := transferredV1("8:0 Read 5\n8:0 Write 6\n8:0 Total 11\nTotal 11\n"); r != 5 || w != 6 {
		t.Errorf("transferredV1 = %d, %d", r, w)
	}
	if got := pids("1\n0\n-3\nx\n42\n"); !reflect.DeepEqual(got, []int{1, 42}) {
		t.Errorf("pids = %v", got)
	}
	for in, want := range map[string][2]int{"6.18.44-fc": {6, 18}, "5.4": {5, 4}, "6-rc1": {6, 0}, "": {0, 0}, "x.y": {0, 0}} {
		if major, minor := release(in); [2]int{major, minor} != want {
			t.Errorf("release(%q) = %d.%d", in, major, minor)
		}
	}
	for in, want := range map[string]bool{"12 (a) Z 1": true, "12 (a) S 1": false, "12 (a) Z) R 1": false, "": false, "1 (a) ": false} {
		if zombie(in) != want {
			t.Errorf("zombie(%q) = %v", in, !want)
		}
	}
}

func FuzzMembership(f *testing.F) {
	f.Add("9:name=systemd:/\n0::/user.slice\n")
	f.Add("4:memory:/a/../b\n0::/x (deleted)\n")
	f.Fuzz(func(t *testing.T, in string) {
		for _, m := range parseMembership(in) {
			// Each of these becomes part of a path that is written to.
			if p := path.Join("/base", m.Path); m.Path != "/" && p != "/base"+m.Path {
				t.Errorf("path %q is not inside", m.Path)
			}
			for _, c := range m.Controllers {
				if path.Join("/base", c) != "/base/"+c {
					t.Errorf("controller %q is not one name", c)
				}
			}
			if m.Unified != (len(m.Controllers) == 0) {
				t.Errorf("%+v is neither v1 nor v2", m)
			}
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add(hybridMounts, "/docker/1/x")
	f.Add(`1 2 0:3 /a\134\040 /b\0 rw - cgroup2 c rw`, "/a")
	f.Fuzz(func(t *testing.T, in, group string) {
		for _, m := range parseMounts(in) {
			if !path.IsAbs(m.Point) || path.Clean(m.Point) != m.Point {
				t.Errorf("mount point %q is not clean", m.Point)
			}
			if !usablePath(group) {
				continue
			}
			where := membership{Path: group, Unified: m.Unified}
			if got := locate([]mount{m}, where); got != "" && m.Point != "/" && got != m.Point && !strings.HasPrefix(got, m.Point+"/") {
				t.Errorf("group %q of %+v is at %q", group, m, got)
			}
		}
	})
}

func FuzzSmallFiles(f *testing.F) {
	f.Add("8:0 rbytes=1 wbytes=2\n")
	f.Add("8:0 Read 5\nusage_usec 7\n12 (a) Z")
	f.Fuzz(func(t *testing.T, in string) {
		r, w := transferred(in)
		r1, w1 := transferredV1(in)
		if r < 0 || w < 0 || r1 < 0 || w1 < 0 || field(in, "usage_usec") < -1 || number(in) < -1 {
			t.Error("a counter is negative")
		}
		for _, p := range pids(in) {
			if p <= 0 { // kill(0) and kill(-1) reach far beyond one process
				t.Errorf("pid %d", p)
			}
		}
		zombie(in)
		release(in)
	})
}

func FuzzBusSocket(f *testing.F) {
	for _, tc := range busAddresses {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := busSocket(in)
		if err != nil {
			return
		}
		if got == "" || got[0] != '/' && got[0] != '@' || len(got) > 107 || strings.ContainsAny(got, "\x00\n") {
			t.Errorf("%q is accepted as %q", in, got)
		}
	})
}

var busAddresses = []struct{ name, in, want string }{
	{"path", "unix:path=/run/user/1000/bus", "/run/user/1000/bus"},
	{"guid after", "unix:path=/run/user/1000/bus,guid=8f", "/run/user/1000/bus"},
	{"abstract", "unix:abstract=/tmp/dbus-x,guid=1", "@/tmp/dbus-x"},
	{"escaped", "unix:path=/tmp/a%20b", "/tmp/a b"},
	{"plus is no space", "unix:path=/tmp/a+b", "/tmp/a+b"},
	{"tcp", "tcp:host=127.0.0.1,port=1", ""},
	{"program", "unixexec:path=/bin/sh", ""},
	{"autolaunch", "autolaunch:", ""},
	{"list", "unix:path=/a;tcp:host=x", ""},
	{"two sockets", "unix:path=/a,abstract=b", ""},
	{"relative", "unix:path=bus", ""},
	{"climbing", "unix:path=/run/../tmp/bus", ""},
	{"new line", "unix:path=/tmp/a%0ab", ""},
	{"nul", "unix:path=/tmp/a%00b", ""},
	{"listening only", "unix:tmpdir=/tmp", ""},
	{"no socket", "unix:guid=1", ""},
	{"too long", "unix:path=/" + strings.Repeat("a", 200), ""},
	{"empty", "", ""},
}

// D24: the address is attacker-influenced text.
func TestBusSocket(t *testing.T) {
	for _, tc := range busAddresses {
		got, err := busSocket(tc.in)
		if got != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
}
