package cgroup

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// fakeHost is a machine as a map: path to content. A name in writable may be
// written; "xattr PATH NAME" and "link PATH" keys hold the rest.
type fakeHost struct {
	content  map[string]string
	writable []string
	sockets  map[string]uint32
	dev      [2]uint32
}

func (f fakeHost) files() files {
	exists := func(p string) bool {
		for name := range f.content {
			if name == p || strings.HasPrefix(name, p+"/") {
				return true
			}
		}
		return false
	}
	return files{
		read:   func(p string) (string, bool) { s, ok := f.content[p]; return s, ok },
		exists: exists,
		writable: func(p string) bool {
			for _, w := range f.writable {
				if p == w || strings.HasPrefix(p, w+"/") {
					return exists(p)
				}
			}
			return false
		},
		attr:   func(p, name string) string { return f.content["xattr "+p+" "+name] },
		device: func(string) (uint32, uint32, bool) { return f.dev[0], f.dev[1], true },
		owner: func(p string) (uint32, bool) {
			uid, ok := f.sockets[p]
			return uid, ok
		},
		link: func(p string) string { return f.content["link "+p] },
	}
}

// group adds the files of a v2 group.
func (f fakeHost) group(dir, controllers, enabled, procs string) fakeHost {
	f.content[dir+"/cgroup.controllers"] = controllers
	f.content[dir+"/cgroup.subtree_control"] = enabled
	f.content[dir+"/cgroup.procs"] = procs
	if dir != cgroupRoot {
		f.content[dir+"/cgroup.type"] = "domain"
	}
	return f
}

func pureHost(self string) fakeHost {
	f := fakeHost{content: map[string]string{
		"/proc/self/cgroup":          "0::" + self + "\n",
		"/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
	}}
	return f.group(cgroupRoot, "cpu io memory pids", "cpu io memory pids", "1\n")
}

const (
	userUnit = "/user.slice/user-1000.slice/user@1000.service"
	termUnit = userUnit + "/app.slice/term.scope"
	sshUnit  = "/user.slice/user-1000.slice/session-3.scope"
)

func ordinary() session {
	return session{uid: 1000, pid: 77, home: "/home/u", runtimeDir: "/run/user/1000"}
}

func TestProbeV2(t *testing.T) {
	delegated := func(f fakeHost, dir string) fakeHost {
		f.content["xattr "+dir+" user.delegate"] = "1"
		return f
	}
	systemd := func(f fakeHost) fakeHost { f.content["/run/systemd/system/x"] = ""; return f }
	root := session{uid: 0, pid: 77, home: "/root"}
	for _, tc := range []struct {
		name     string
		host     fakeHost
		who      session
		usable   bool
		base     string
		alone    bool
		inTheWay bool
	}{
		{"delegated scope with a shell in it", func() fakeHost {
			f := systemd(delegated(pureHost(termUnit).group(cgroupRoot+termUnit, "memory pids", "", "70\n77\n"), cgroupRoot+termUnit))
			f.writable = []string{cgroupRoot + userUnit}
			return f
		}(), ordinary(), true, cgroupRoot + termUnit, false, true},
		{"delegated service of this process alone", func() fakeHost {
			f := systemd(delegated(pureHost(termUnit).group(cgroupRoot+termUnit, "memory pids", "", "77\n"), cgroupRoot+termUnit))
			f.writable = []string{cgroupRoot + userUnit}
			return f
		}(), ordinary(), true, cgroupRoot + termUnit, true, true},
		{"in a leaf of a delegated unit", func() fakeHost {
			f := systemd(delegated(pureHost(termUnit+"/shell").group(cgroupRoot+termUnit, "memory pids", "memory pids", ""), cgroupRoot+termUnit))
			f.group(cgroupRoot+termUnit+"/shell", "memory pids", "", "77\n")
			f.writable = []string{cgroupRoot + userUnit}
			return f
		}(), ordinary(), true, cgroupRoot + termUnit, false, false},
		{"what is delegated to the user's manager is not ours", func() fakeHost {
			f := systemd(delegated(pureHost(termUnit).group(cgroupRoot+termUnit, "memory", "", "77\n"), cgroupRoot+userUnit))
			f.writable = []string{cgroupRoot + userUnit}
			return f
		}(), ordinary(), false, "", false, false},
		{"root in a login session under systemd", func() fakeHost {
			f := systemd(pureHost(sshUnit).group(cgroupRoot+sshUnit, "memory", "", "77\n"))
			f.writable = []string{cgroupRoot}
			return f
		}(), root, false, "", false, false},
		{"root without systemd", func() fakeHost {
			f := pureHost("/ssh").group(cgroupRoot+"/ssh", "memory pids", "", "70\n77\n")
			f.writable = []string{cgroupRoot}
			return f
		}(), root, true, cgroupRoot, false, false},
		{"root without systemd, in a group with limits", func() fakeHost {
			f := pureHost("/ssh").group(cgroupRoot+"/ssh", "memory pids", "", "70\n77\n")
			f.content[cgroupRoot+"/ssh/memory.max"] = "1000000\n"
			f.writable = []string{cgroupRoot}
			return f
		}(), root, true, cgroupRoot + "/ssh", false, true},
		{"a container's root group", func() fakeHost {
			f := pureHost("/").group(cgroupRoot, "memory pids", "", "1\n77\n")
			f.content[cgroupRoot+"/cgroup.type"] = "domain"
			f.writable = []string{cgroupRoot}
			return f
		}(), root, true, cgroupRoot, false, true},
		{"a container with a read-only tree", func() fakeHost {
			f := pureHost("/")
			f.content[cgroupRoot+"/cgroup.type"] = "domain"
			return f
		}(), root, false, cgroupRoot, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := probe(tc.host.files(), tc.who).V2
			if u.Usable != tc.usable || u.Base != tc.base || u.Alone != tc.alone || u.Occupied != tc.inTheWay || !u.Pure || u.Usable == (u.Why != "") {
				t.Errorf("%+v", u)
			}
		})
	}
}

func TestProbeElsewhere(t *testing.T) {
	f := fakeHost{content: map[string]string{
		"/proc/self/cgroup":                      "4:memory:/a\n3:cpu,cpuacct:/\n2:devices:/\n0::/b\n",
		"/proc/self/mountinfo":                   "34 30 0:31 / /cg/memory rw - cgroup cgroup rw,memory\n40 30 0:37 / /cg/two rw - cgroup2 cgroup2 rw\n",
		"/cg/memory/a/cgroup.procs":              "",
		cgroupRoot + "/cpu,cpuacct/cgroup.procs": "",
	}}
	f.group("/cg/two/b", "", "", "77\n").group("/cg/two", "", "", "")
	f.writable = []string{"/cg"}
	h := probe(f.files(), session{uid: 5, pid: 77})
	want := []Hierarchy{{[]string{"memory"}, "/cg/memory/a", true}, {[]string{"cpu", "cpuacct"}, cgroupRoot + "/cpu,cpuacct", false}}
	if !reflect.DeepEqual(h.V1, want) {
		t.Errorf("v1 = %+v", h.V1)
	}
	if h.V2.Base != "/cg/two/b" || !h.V2.Usable || h.V2.Pure {
		t.Errorf("v2 = %+v", h.V2)
	}
	if h := probe(fakeHost{}.files(), session{}); h.V2.Usable || h.V2.Why == "" || h.V1 != nil || h.Systemd.Usable || h.Systemd.Why == "" {
		t.Errorf("an empty machine offers %+v", h)
	}
}

func TestProbeManager(t *testing.T) {
	const private, bus = "/run/user/1000/systemd/private", "/run/user/1000/bus"
	for _, tc := range []struct {
		name    string
		who     session
		sockets map[string]uint32
		address string
		socket  string
		isBus   bool
	}{
		{"systemd's own socket first", ordinary(), map[string]uint32{private: 1000, bus: 1000}, "", private, false},
		{"the bus", ordinary(), map[string]uint32{bus: 1000}, "", bus, true},
		{"the bus by its address", ordinary(), map[string]uint32{"/tmp/b": 1000, bus: 1000}, "unix:path=/tmp/b", "/tmp/b", true},
		{"an address that is refused", ordinary(), map[string]uint32{bus: 1000}, "unixexec:path=/bin/sh", bus, true},
		{"a socket of someone else", ordinary(), map[string]uint32{private: 1001, bus: 1001}, "", "", false},
		{"an address of someone else's socket", ordinary(), map[string]uint32{"/tmp/b": 1001}, "unix:path=/tmp/b", "", false},
		{"no runtime directory set", session{uid: 1000}, map[string]uint32{private: 1000}, "", private, false},
		{"root", session{uid: 0}, map[string]uint32{"/run/systemd/private": 0}, "", "/run/systemd/private", false},
		{"root over the bus", session{uid: 0}, map[string]uint32{"/run/dbus/system_bus_socket": 0}, "", "/run/dbus/system_bus_socket", true},
		{"root ignores a user's variables", session{uid: 0, runtimeDir: "/run/user/1000"}, map[string]uint32{private: 1000, bus: 1000}, "unix:path=" + bus, "", false},
		{"nothing", ordinary(), nil, "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := pureHost(sshUnit)
			f.content["/run/systemd/system/x"] = ""
			f.content[cgroupRoot+userUnit+"/cgroup.controllers"] = "memory pids\n"
			f.sockets = tc.sockets
			tc.who.busAddress = tc.address
			m := probe(f.files(), tc.who).Systemd
			if m.Socket != tc.socket || m.Bus != tc.isBus || m.Usable != (tc.socket != "") || m.Usable == (m.Why != "") {
				t.Errorf("%+v", m)
			}
			if m.Usable && !hasAll(m.Controllers, []string{"memory", "pids"}) {
				t.Errorf("controllers %v", m.Controllers)
			}
		})
	}
}

func TestDisk(t *testing.T) {
	f := fakeHost{content: map[string]string{
		"/sys/dev/block/8:1/partition":                   "1",
		"link /sys/dev/block/8:1":                        "../../devices/pci/block/sda/sda1",
		"/sys/dev/block/../../devices/pci/block/sda/dev": "8:0\n",
		"/sys/dev/block/254:0/dev":                       "254:0\n",
	}}
	for _, tc := range []struct {
		name string
		dev  [2]uint32
		want string
	}{{"partition", [2]uint32{8, 1}, "8:0"}, {"whole disk", [2]uint32{254, 0}, "254:0"}, {"btrfs", [2]uint32{0, 41}, ""}, {"unknown", [2]uint32{9, 9}, ""}} {
		f.dev = tc.dev
		if got := f.files().disk("/home/u"); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestHostIsData(t *testing.T) {
	h := Probe()
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var again Host
	err = json.Unmarshal(data, &again)
	if back, _ := json.Marshal(again); err != nil || string(back) != string(data) {
		t.Errorf("%s\nreads back as %s, %v", data, back, err)
	}
	for _, m := range []Mode{V2, Scope, V1} {
		p, err := Decide(h.Without(m), "x", Unlimited())
		if err != nil || p.Mode == m {
			t.Errorf("without %s the plan is %s, %v", m, p.Mode, err)
		}
	}
}
