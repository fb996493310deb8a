package cgroup

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// privateBus starts a message bus of the test's own and returns its socket.
func privateBus(t *testing.T) string {
	t.Helper()
	socket, err := busSocket(testenv.NeedBus(t))
	if err != nil {
		t.Fatal(err)
	}
	return socket
}

// fakeManager answers as systemd's Manager object does, and misbehaves as told.
type fakeManager struct {
	conn *dbus.Conn
	base string // where scopes are made; empty: none is

	oldOOM bool          // does not know OOMPolicy
	result string        // of the job
	silent bool          // no JobRemoved
	refuse string        // error name for StartTransientUnit
	delay  time.Duration // before it answers

	mu    sync.Mutex
	units []string
	props map[string]dbus.Variant
	calls []string
}

func serveManager(t *testing.T, socket string, m *fakeManager) *fakeManager {
	t.Helper()
	conn, err := dbus.Dial("unix:path=" + socket)
	if err == nil {
		err = conn.Auth(nil)
	}
	if err == nil {
		err = conn.Hello()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m.conn = conn
	if err := conn.Export(m, managerPath, managerIface); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(managerName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *fakeManager) note(call string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, call)
}

func (m *fakeManager) Subscribe() *dbus.Error { m.note("Subscribe"); return nil }

func (m *fakeManager) StartTransientUnit(name, mode string, props []busProperty, _ []auxUnit) (dbus.ObjectPath, *dbus.Error) {
	m.note("StartTransientUnit")
	time.Sleep(m.delay)
	if m.refuse != "" {
		return "", dbus.NewError(m.refuse, []any{"no"})
	}
	got := map[string]dbus.Variant{}
	for _, p := range props {
		got[p.Name] = p.Value
	}
	if _, ok := got[oomPolicy]; ok && m.oldOOM {
		return "", dbus.NewError("org.freedesktop.DBus.Error.PropertyReadOnly", []any{"Cannot set property OOMPolicy, or unknown property."})
	}
	m.mu.Lock()
	m.units, m.props = append(m.units, name+" "+mode), got
	m.mu.Unlock()
	if m.base != "" {
		dir := filepath.Join(m.base, name)
		unix.Mkdir(dir, 0o755)
		for _, pid := range got["PIDs"].Value().([]uint32) {
			writeAt(unix.AT_FDCWD, dir+"/cgroup.procs", itoa(int(pid)))
		}
		go collect(dir)
	}
	const job = dbus.ObjectPath("/org/freedesktop/systemd1/job/7")
	if !m.silent {
		m.conn.Emit(managerPath, managerIface+".JobRemoved", uint32(6), job[:len(job)-1]+"6", "other.scope", "failed")
		m.conn.Emit(managerPath, managerIface+".JobRemoved", uint32(7), job, name, m.result)
	}
	return job, nil
}

// collect removes a scope once it is empty, as CollectMode has it.
func collect(dir string) {
	for range 2000 {
		if events, err := readAt(unix.AT_FDCWD, dir+"/cgroup.events"); err != nil || field(events, "populated") == 0 {
			unix.Rmdir(dir)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (m *fakeManager) SetUnitProperties(name string, runtime bool, props []busProperty) *dbus.Error {
	m.note("SetUnitProperties " + name)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range props {
		m.props[p.Name] = p.Value
	}
	return nil
}

func scopeHostAt(socket string, controllers ...string) Host {
	h := scopeHost
	h.Systemd = Manager{Usable: true, Socket: socket, Bus: true, Controllers: controllers}
	return h
}

// unifiedBase is where the fake may make scopes, or the test is skipped.
func unifiedBase(t *testing.T) string {
	t.Helper()
	u := Probe().V2
	if !u.Usable {
		testenv.Skip(t, "no unified hierarchy to write: %s", u.Why)
	}
	return u.Base
}

// scopePlan is a plan by scope whatever the host's controllers.
func scopePlan(t *testing.T, h Host, l Limits) Plan {
	t.Helper()
	p, ok := planScope(h, Plan{Name: prefix + uniqueName(t), Limits: l})
	if !ok {
		t.Fatal("no scope planned")
	}
	return p
}

func TestScope(t *testing.T) {
	base := unifiedBase(t)
	socket := privateBus(t)
	m := serveManager(t, socket, &fakeManager{base: base, result: "done", oldOOM: true})
	p := scopePlan(t, scopeHostAt(socket), Unlimited())
	p.Unit.Properties = append(p.Unit.Properties, Property{"MemoryMax", uint64(1 << 30)}, Property{oomPolicy, "kill"},
		Property{"IOReadBandwidthMax", []PathRate{{"/home/u", 7}}})
	g, a := start(t, p, "count")
	if g.FD() != -1 || !g.Waits() {
		t.Error("a scope is entered by Add")
	}
	freezeThaw(t, g, a)

	m.mu.Lock()
	defer m.mu.Unlock()
	if want := p.Unit.Name + " fail"; len(m.units) != 1 || m.units[0] != want {
		t.Errorf("units %q, want %q", m.units, want)
	}
	for name, want := range map[string]string{
		"Delegate": "true", "CollectMode": `"inactive-or-failed"`, "MemoryMax": "@t 1073741824",
		"PIDs": fmt.Sprintf("@au [%d]", a.Process.Pid),
	} {
		if got := m.props[name].String(); strings.TrimPrefix(got, "@") != strings.TrimPrefix(want, "@") {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if got := m.props["IOReadBandwidthMax"].Signature().String(); got != "a(st)" {
		t.Errorf("IOReadBandwidthMax has type %s", got)
	}
	if _, ok := m.props[oomPolicy]; ok {
		t.Error("a property that the manager does not know was sent again")
	}
}

func TestScopeUpdate(t *testing.T) {
	base := unifiedBase(t)
	socket := privateBus(t)
	m := serveManager(t, socket, &fakeManager{base: base, result: "done"})
	h := scopeHostAt(socket)
	g, a := start(t, scopePlan(t, h, Unlimited()), "sleep")
	again, err := Open(g.Ref())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.plan.Unit.Controllers = []string{"cpu"}
	// The fake sets no files, so only lifting a limit verifies.
	again.plan.Limits.CPU = 2
	if err := again.Update(Unlimited()); err != nil {
		t.Fatal(err)
	}
	l := Unlimited()
	l.CPU = 0.5
	if err := again.Update(l); err == nil {
		t.Error("a limit that was not set in the end passes for one")
	}
	m.mu.Lock()
	if got := m.props["CPUQuotaPerSecUSec"].Value(); got != uint64(500_000) {
		t.Errorf("CPUQuotaPerSecUSec = %v", got)
	}
	m.mu.Unlock()
	l = Unlimited()
	l.Memory = 1 << 30
	if again.Update(l) == nil {
		t.Error("a limit without a controller was accepted")
	}
	a.Process.Kill()
	a.Wait()
}

// Each way in which systemd may fail is an error in good time, and the app is
// never let go without its limits.
func TestScopeFailures(t *testing.T) {
	for _, tc := range []struct {
		name    string
		manager *fakeManager
		limits  Limits
		want    string
	}{
		{"job fails", &fakeManager{result: "failed"}, Unlimited(), "failed"},
		{"unit exists", &fakeManager{refuse: managerName + ".UnitExists"}, Unlimited(), "no"},
		{"says done, moves nothing", &fakeManager{result: "done"}, Unlimited(), "did not move"},
		{"never done", &fakeManager{silent: true}, Unlimited(), "deadline"},
		{"drops the limits", &fakeManager{base: "unified", result: "done"}, with(func(l *Limits) { l.Memory = 1 << 30 }), "did not set memory.max"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.manager.base != "" {
				tc.manager.base = unifiedBase(t)
			}
			socket := privateBus(t)
			m := serveManager(t, socket, tc.manager)
			g, err := Create(scopePlan(t, scopeHostAt(socket, "memory"), tc.limits))
			if err != nil {
				t.Fatal(err)
			}
			a := newApp(t, "sleep")
			a.run(t, g.FD())
			begin := time.Now()
			err = g.Add(a.Process.Pid)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Add: %v, want %q", err, tc.want)
			}
			if d := time.Since(begin); d > busTimeout+time.Second {
				t.Errorf("it took %v", d)
			}
			a.Process.Kill()
			a.Wait()
			m.conn.Close()
		})
	}
}

func TestScopeWithoutManager(t *testing.T) {
	socket := privateBus(t) // nobody owns the name
	g, err := Create(scopePlan(t, scopeHostAt(socket), Unlimited()))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(os.Getpid()); err == nil {
		t.Error("no error without a manager")
	}
	// Early enough to plan again.
	if _, err = Create(scopePlan(t, scopeHostAt(t.TempDir()+"/none"), Unlimited())); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no socket: %v", err)
	}
}

// D24: the peer is checked as well as the path, which may be swapped.
func TestScopePeerOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		testenv.Skip(t, "only root can serve a socket as someone else")
	}
	dir, err := os.MkdirTemp("", "sandbox-peer")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o777)
	// The credentials of a listening socket are those at the time of listen(2).
	socket := filepath.Join(dir, "bus")
	listen := make(chan net.Listener, 1)
	go func() {
		// A locked thread that is not unlocked ends with its goroutine.
		lockedAs(65534, func() {
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Error(err)
			}
			listen <- l
		})
	}()
	l := <-listen
	if l == nil {
		return
	}
	defer l.Close()
	_, err = dialManager(t.Context(), &Unit{Socket: socket, Bus: true})
	if err == nil || !strings.Contains(err.Error(), "served by uid 65534") {
		t.Errorf("dial: %v", err)
	}
	mine := filepath.Join(dir, "mine")
	own, err := net.Listen("unix", mine)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	c, err := net.Dial("unix", mine)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := checkPeer(c.(*net.UnixConn)); err != nil {
		t.Errorf("the own user: %v", err)
	}
}

func TestScopePeerThatSaysNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begin := time.Now()
	if _, err := Create(scopePlan(t, scopeHostAt(socket), Unlimited())); err == nil || time.Since(begin) > busTimeout+time.Second {
		t.Errorf("Create: %v after %v", err, time.Since(begin))
	}
}

func TestBusPropertiesOrder(t *testing.T) {
	got := busProperties([]Property{{"Delegate", true}, {oomPolicy, "kill"}}, 5, false)
	names := make([]string, len(got))
	for i, p := range got {
		names[i] = p.Name
	}
	if want := []string{"Delegate", "PIDs"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestAuthenticate(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		ok           bool
	}{
		{"accepted", "OK 1234deadbeef\r\n", true},
		{"rejected", "REJECTED EXTERNAL\r\n", false},
		{"no answer", "", false},
		{"not D-Bus", "HTTP/1.1 400 Bad Request\r\n", false},
		{"endless line", strings.Repeat("O", 1<<16), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			us, them := net.Pipe()
			defer us.Close()
			got := make(chan string, 1)
			go func() {
				defer them.Close()
				line := make([]byte, 100)
				n, _ := them.Read(line)
				got <- string(line[:n])
				them.Write([]byte(tc.answer))
			}()
			_, err := authenticate(us, 1000)
			if (err == nil) != tc.ok {
				t.Errorf("%v", err)
			}
			if said := <-got; said != "\x00AUTH EXTERNAL 31303030\r\nBEGIN\r\n" {
				t.Errorf("said %q", said)
			}
		})
	}
}
