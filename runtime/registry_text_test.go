package runtime

import (
	"encoding/json"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"sandbox/runtime/cgroup"
)

func TestEntryTextIsJSON(t *testing.T) {
	started := time.Date(2026, 2, 3, 4, 5, 6, 789, time.FixedZone("", 3600))
	for name, e := range map[string]Entry{
		"zero":        {},
		"plain":       {Instance: "nano-x1", App: "org.gnu.Nano", Version: "7.2", Command: []string{"nano", "a b"}, PID: 7, Supervisor: 6, Started: started, Permissions: []string{"network:host"}},
		"odd strings": {Command: []string{"", "\"\\\n\x00", "é€", "\xff\xfe", "<&>", "\u2028"}, Notes: []string{"DEGRADED: \t"}, Detached: true},
		"unlimited":   {Group: cgroup.Ref{Mode: cgroup.None, Name: "x", Limits: cgroup.Unlimited()}},
		"a limit":     {Group: cgroup.Ref{Mode: cgroup.None, Limits: cgroup.Limits{Memory: 1 << 40, Time: time.Minute}}},
		"a share":     {Group: cgroup.Ref{Mode: cgroup.None, Limits: cgroup.Limits{CPU: 1.5}}},
		"a group":     {Group: cgroup.Ref{Mode: "v2", Name: "n", Dirs: []cgroup.RefDir{{Path: "/sys/fs/cgroup/x", Controllers: []string{"pids"}, Inode: 1 << 63}}}},
		"a unit":      {Group: cgroup.Ref{Unit: &cgroup.Unit{}}},
		"a disk":      {Group: cgroup.Ref{Disk: "8:0"}},
	} {
		t.Run(name, func(t *testing.T) { sameAsEncoder(t, e) })
	}
}

// Every field that an entry has or will have is filled with something.
func TestEntryTextHasEveryField(t *testing.T) {
	err := quick.Check(func(instance, app, version string, command, permissions, notes []string, pid, supervisor int, detached bool, limits cgroup.Limits) bool {
		e := Entry{Instance: instance, App: app, Version: version, Command: command, PID: pid, Supervisor: supervisor,
			Permissions: permissions, Notes: notes, Detached: detached, Group: cgroup.Ref{Name: instance, Limits: limits}}
		return sameAsEncoder(t, e)
	}, nil)
	if err != nil {
		t.Error(err)
	}
	if n := reflect.TypeFor[cgroup.Limits]().NumField(); n != 8 {
		t.Errorf("cgroup.Limits has %d fields, Entry.text writes 8", n)
	}
}

func sameAsEncoder(t *testing.T, e Entry) bool {
	t.Helper()
	want, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.text(); string(got) != string(want) {
		t.Errorf("text is\n%s, the encoder says\n%s", got, want)
		return false
	}
	return true
}
