package cgroup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// busTimeout bounds everything that is asked of systemd for one launch.
const busTimeout = 3 * time.Second

const (
	managerName  = "org.freedesktop.systemd1"
	managerPath  = "/org/freedesktop/systemd1"
	managerIface = managerName + ".Manager"
)

// manager is a connection to systemd, through a bus or direct.
type manager struct {
	conn *dbus.Conn
	raw  net.Conn
}

func dialManager(ctx context.Context, u *Unit) (*manager, error) {
	fail := func(err error) (*manager, error) {
		return nil, hint.With(fmt.Errorf("connect to systemd at %s: %w", u.Socket, err),
			"without a systemd user manager only the limits of single processes are left: see 'sandbox doctor'")
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", u.Socket)
	if err != nil {
		return fail(err)
	}
	if err := checkPeer(raw.(*net.UnixConn)); err != nil {
		raw.Close()
		return fail(err)
	}
	m := &manager{raw: raw}
	m.until(ctx)
	shaken, err := authenticate(raw, unix.Geteuid())
	if err != nil {
		raw.Close()
		return fail(err)
	}
	if m.conn, err = dbus.NewConn(shaken); err != nil {
		raw.Close()
		return fail(err)
	}
	if err = m.conn.Auth([]dbus.Auth{dbus.AuthExternal(itoa(unix.Geteuid()))}); err == nil && u.Bus {
		err = m.conn.Hello()
	}
	if err != nil {
		m.close()
		return fail(err)
	}
	return m, nil
}

// until bounds what takes no context, such as the handshake; later than ctx, so
// that a call ends by what it was waiting for.
func (m *manager) until(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		m.raw.SetDeadline(deadline.Add(200 * time.Millisecond))
	}
}

func (m *manager) close() { m.conn.Close() }

func (m *manager) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return m.conn.Object(managerName, managerPath).CallWithContext(ctx, managerIface+"."+method, 0, args...)
}

// callUp connects before the app is started, while another way is still open.
func (g *Group) callUp() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	g.bus, err = dialManager(ctx, g.plan.Unit)
	return err
}

func (g *Group) hangUp() {
	if g.bus != nil {
		g.bus.close()
		g.bus = nil
	}
}

// addToScope puts the first process into the scope by making it, a later one by
// attaching it.
func (g *Group) addToScope(pid int) error {
	if g.bus == nil {
		if err := g.callUp(); err != nil {
			return err
		}
	}
	defer g.hangUp()
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	g.bus.until(ctx)
	if len(g.dirs) == 0 {
		return g.startScope(ctx, g.bus, pid)
	}
	// Not by a clone or a write: from a login session only systemd may do it.
	name := g.plan.Unit.Name
	if err := g.bus.call(ctx, "AttachProcessesToUnit", name, "", []uint32{uint32(pid)}).Err; err != nil {
		return fmt.Errorf("move the process to %s: %w", name, err)
	}
	return nil
}

// startScope has systemd make the scope around pid and waits until it has.
func (g *Group) startScope(ctx context.Context, m *manager, pid int) error {
	u := g.plan.Unit
	jobs := make(chan *dbus.Signal, 64)
	m.conn.Signal(jobs)
	if u.Bus {
		match := "type='signal',interface='" + managerIface + "',member='JobRemoved',path='" + managerPath + "'"
		if err := m.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.AddMatch", 0, match).Err; err != nil {
			return fmt.Errorf("listen to systemd: %w", err)
		}
	}
	// A manager without subscribers sends no signals to a bus.
	if err := m.call(ctx, "Subscribe").Err; err != nil && !isError(err, managerName+".AlreadySubscribed") {
		return fmt.Errorf("listen to systemd: %w", err)
	}
	job, err := m.start(ctx, u, pid)
	if err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	if err := awaitJob(ctx, jobs, job); err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	return g.enterScope(pid)
}

// start asks once more without the property that older managers do not know.
func (m *manager) start(ctx context.Context, u *Unit, pid int) (dbus.ObjectPath, error) {
	var job dbus.ObjectPath
	props := busProperties(u.Properties, pid, true)
	err := m.call(ctx, "StartTransientUnit", u.Name, "fail", props, []auxUnit{}).Store(&job)
	if isError(err, "org.freedesktop.DBus.Error.PropertyReadOnly") {
		props = busProperties(u.Properties, pid, false)
		err = m.call(ctx, "StartTransientUnit", u.Name, "fail", props, []auxUnit{}).Store(&job)
	}
	return job, err
}

// busProperty and auxUnit are (sv) and (sa(sv)) of StartTransientUnit.
type busProperty struct {
	Name  string
	Value dbus.Variant
}

type auxUnit struct {
	Name       string
	Properties []busProperty
}

func busProperties(list []Property, pid int, oom bool) []busProperty {
	var out []busProperty
	for _, p := range list {
		if p.Name != oomPolicy || oom {
			out = append(out, busProperty{p.Name, dbus.MakeVariant(p.Value)})
		}
	}
	if pid > 0 {
		out = append(out, busProperty{"PIDs", dbus.MakeVariant([]uint32{uint32(pid)})})
	}
	return out
}

func isError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}

// awaitJob waits for JobRemoved(id, job, unit, result) of our job.
func awaitJob(ctx context.Context, signals <-chan *dbus.Signal, job dbus.ObjectPath) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s, ok := <-signals:
			if !ok {
				return errors.New("systemd closed the connection")
			}
			if s.Name != managerIface+".JobRemoved" || len(s.Body) < 4 || s.Body[1] != job {
				continue
			}
			if result, _ := s.Body[3].(string); result != "done" {
				return fmt.Errorf("systemd says %q", s.Body[3])
			}
			return nil
		}
	}
}

// scopeGone is how long systemd may take to notice that a scope is empty.
const scopeGone = time.Second

// endScope leaves the removal of the directory to systemd: a scope whose
// directory someone else removes can stay "active" for ever.
func (g *Group) endScope(ctx context.Context) error {
	if len(g.dirs) == 0 {
		return nil
	}
	gone := func() (bool, error) {
		return unix.Access(g.dirs[0].Path, unix.F_OK) == unix.ENOENT, nil
	}
	soon, cancel := context.WithTimeout(ctx, scopeGone)
	defer cancel()
	if wait(soon, gone, "see the scope end") == nil {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, busTimeout)
	defer cancel()
	m, err := dialManager(asking, g.plan.Unit)
	if err != nil {
		return fmt.Errorf("cannot end %s: %w", g.plan.Unit.Name, err)
	}
	defer m.close()
	if err := m.call(asking, "StopUnit", g.plan.Unit.Name, "fail").Err; err != nil && !isError(err, managerName+".NoSuchUnit") {
		return fmt.Errorf("cannot end %s: %w", g.plan.Unit.Name, err)
	}
	return wait(asking, gone, "see the end of "+g.plan.Unit.Name)
}

// updateScope changes the unit's properties, not the files: what systemd does
// not know of it would undo at the next reload.
func (g *Group) updateScope(l Limits) error {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	u := g.plan.Unit
	m, err := dialManager(ctx, u)
	if err != nil {
		return fmt.Errorf("cannot change limits: %w", err)
	}
	defer m.close()
	props := busProperties(l.properties(u, true), 0, false)
	if err := m.call(ctx, "SetUnitProperties", u.Name, true, props).Err; err != nil {
		return fmt.Errorf("cannot change limits of %s: %w", u.Name, err)
	}
	if len(g.dirs) == 0 {
		return nil
	}
	return checkScope(g.dirs[0], u, l)
}
