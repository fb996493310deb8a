package runtime

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/permissions"
)

const hostname = "sandbox"

// emptyDir covers directories that are hidden; it is empty and stays so.
const emptyDir = "/.hidden"

// stateDir is where the app's own home stands when a grant puts the user's
// home at the home path.
const stateDir = "/var/home"

// Request is one launch as it was asked for.
type Request struct {
	Manifest *manifest.Manifest
	Bundle   string             // directory with files/ and perhaps usr/
	Runtime  string             // directory of the runtime's bundle, or empty
	Base     *manifest.Manifest // the runtime's manifest, when there is one

	Permissions permissions.Effective
	Asked       []string // subjects of files: grants that the person who starts it named just now

	Command  string   // in place of the manifest's
	Args     []string // after the manifest's
	Name     string   // argv[0]; the command's base name when empty
	Env      []permissions.EnvRule
	Dir      string // working directory; the caller's when empty and visible
	Instance string

	Ephemeral bool
}

// Make decides everything about a launch. It changes nothing, and reads only
// through host.
func Make(req Request, host *Host) (*Plan, error) {
	m := &maker{req: req, host: host, env: newEnvironment()}
	m.plan.View = make([]Step, 0, 160)
	m.loc = permissions.Locations{Home: host.Home, XDG: host.XDG}
	m.eff = req.Permissions.At(m.loc)
	m.set = m.eff.Set()
	steps := []func() error{m.identity, m.usr, m.etc, m.system, m.home, m.files, m.devices, m.environment, m.program, m.limits}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &m.plan, nil
}

type maker struct {
	req  Request
	host *Host
	eff  permissions.Effective // on this host: every path absolute
	set  permissions.Set
	loc  permissions.Locations
	plan Plan
	env  *environment
	user account

	runDir   string // /run/user/UID inside
	homeOpen bool   // a grant shows the user's own home
}

func (m *maker) add(steps ...Step) { m.plan.View = append(m.plan.View, steps...) }

func (m *maker) note(format string, args ...any) {
	m.plan.Notes = append(m.plan.Notes, fmt.Sprintf(format, args...))
}

// identity: an ordinary user is themself inside. Root is nobody in particular:
// its apps run as an unprivileged id of their own, so that no file of root's
// and no sysctl is theirs to write, whatever a mount shows.
func (m *maker) identity() error {
	man := m.req.Manifest
	if man.Kind != manifest.App {
		return hint.With(fmt.Errorf("cannot run %s: it is of kind %q", man.ID, man.Kind), "only bundles of kind \"app\" have a program")
	}
	m.plan.App, m.plan.Version, m.plan.Instance = string(man.ID), man.Version, m.req.Instance
	m.plan.Hostname = hostname
	m.plan.UID, m.plan.GID = m.host.UID, m.host.GID
	m.plan.Outside = Owner{m.host.UID, m.host.GID}
	if m.host.UID == 0 {
		m.plan.UID, m.plan.GID = 1000, 1000
	}
	if m.host.Root {
		m.plan.Outside = RootOwner(string(man.ID))
	}
	m.user = account{name: userName(m.host), home: m.host.Home, shell: "/bin/sh", uid: m.plan.UID, gid: m.plan.GID}
	m.runDir = "/run/user/" + strconv.Itoa(m.plan.UID)
	m.plan.Landlock = m.host.Landlock
	m.plan.ShareNet = m.set.Has(permissions.Network, "host")
	for _, n := range m.set.Network() {
		if n != "host" && n != "none" && !m.plan.ShareNet {
			m.note("network:%s gives nothing here: this version knows network:host and network:none", n)
		}
	}
	for _, p := range m.req.Permissions.Set().All() {
		switch p.Kind {
		case permissions.SessionBus, permissions.SystemBus, permissions.Portal:
			m.note("%s gives nothing here: this version connects no bus", p)
		}
		m.plan.Permissions = append(m.plan.Permissions, p.String())
	}
	return nil
}

func userName(host *Host) string {
	name := host.Env("USER")
	ok := name != "" && len(name) <= 32 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
	if !ok || host.UID == 0 {
		return "user"
	}
	return name
}

// usr is the system part of the view: nothing, the runtime, or the bundle's
// own usr laid over the runtime's.
func (m *maker) usr() error {
	man, runtime := m.req.Manifest, m.req.Runtime
	if man.Runtime.ID != "" && runtime == "" {
		return hint.With(fmt.Errorf("cannot run %s: it needs the runtime %s", man.ID, man.Runtime), "name its bundle with --runtime DIR")
	}
	if base := m.req.Base; base != nil && (base.ID != man.Runtime.ID || base.Channel != man.Runtime.Channel) {
		return hint.With(fmt.Errorf("cannot run %s: it needs the runtime %s, and %s is %s/%s", man.ID, man.Runtime, runtime, base.ID, base.Channel),
			"name the right bundle with --runtime DIR")
	}
	m.add(Step{Do: Dir, Target: emptyDir, Mode: 0o555})
	if files := path.Join(m.req.Bundle, "files"); m.isDir(files) {
		m.add(Step{Do: Bind, Target: "/app", Source: files, ReadOnly: true, Why: "the app"})
	} else {
		m.add(Step{Do: Dir, Target: "/app"})
	}
	over := path.Join(m.req.Bundle, "usr")
	overlaid := m.isDir(over)
	var names []string
	switch {
	case runtime == "" && overlaid:
		names = m.host.Entries(over)
		m.add(Step{Do: Bind, Target: "/usr", Source: over, ReadOnly: true, Why: "the app"})
	case runtime == "":
		return nil
	case overlaid:
		lower := []string{over, path.Join(runtime, "files")}
		names = append(m.host.Entries(lower[0]), m.host.Entries(lower[1])...)
		m.add(Step{Do: Overlay, Target: "/usr", Lower: lower, Why: "the app over its runtime"})
	default:
		names = m.host.Entries(path.Join(runtime, "files"))
		m.add(Step{Do: Bind, Target: "/usr", Source: path.Join(runtime, "files"), ReadOnly: true, Why: "the runtime"})
	}
	for _, dir := range []string{"bin", "lib", "lib32", "lib64", "libx32", "sbin"} {
		if slices.Contains(names, dir) {
			m.add(Step{Do: Symlink, Target: "/" + dir, Source: "usr/" + dir})
		}
	}
	return nil
}

func (m *maker) isDir(p string) bool {
	f, err := m.host.Look(p)
	return err == nil && f.IsDir() && f.Path == p
}

func (m *maker) etc() error {
	steps, err := generatedEtc(m.user, m.host, m.plan.App, m.plan.ShareNet)
	if err != nil {
		return hint.With(err, "set HOME to a path without colons and control characters")
	}
	var names []string
	// Only of real directories: names are told too, and a link may lead to any.
	for _, dir := range []string{path.Join(m.req.Bundle, "usr/etc"), path.Join(m.req.Runtime, "files/etc")} {
		if filepath.IsAbs(dir) && m.isDir(dir) {
			names = append(names, m.host.Entries(dir)...)
		}
	}
	m.add(Step{Do: Dir, Target: "/etc"})
	m.add(steps...)
	m.add(runtimeEtc(names, steps)...)
	return nil
}

// Sizes of the file systems in memory. A cgroup's memory limit counts them too.
const (
	sizeTmp, filesTmp = 1 << 30, 1 << 18
	sizeShm           = 256 << 20
	sizeRun, filesRun = 64 << 20, 1 << 14
)

func (m *maker) system() error {
	m.add(procSteps()...)
	m.add(devSteps(sizeShm)...)
	m.add(
		Step{Do: Tmpfs, Target: "/tmp", Size: sizeTmp, Inodes: filesTmp, Mode: 0o1777, Exec: true},
		Step{Do: Tmpfs, Target: "/run", Size: sizeRun, Inodes: filesRun, Mode: 0o755},
		Step{Do: Dir, Target: "/run/user", Mode: 0o755},
		Step{Do: Dir, Target: m.runDir, Mode: 0o700},
		Step{Do: Dir, Target: "/run/lock", Mode: 0o1777},
		Step{Do: Dir, Target: "/var"},
		Step{Do: Symlink, Target: "/var/tmp", Source: "../tmp"},
		Step{Do: Symlink, Target: "/var/run", Source: "../run"},
		Step{Do: Symlink, Target: "/var/lock", Source: "../run/lock"},
		Step{Do: File, Target: "/.sandbox-info", Data: m.info(), Mode: 0o444},
	)
	return nil
}

// info tells the app, and whoever debugs it, what it may do. Nothing outside
// ever believes it.
func (m *maker) info() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "id = %q\nversion = %q\ninstance = %q\npermissions = [\n", m.plan.App, m.plan.Version, m.plan.Instance)
	for _, p := range m.plan.Permissions {
		fmt.Fprintf(&b, "  %q,\n", p)
	}
	b.WriteString("]\n")
	return []byte(b.String())
}

// AppHome is where an app's own home lies on the host.
// Links on the way to our own directory are the user's (~/.local on another
// disk) and followed here; below it there are none.
func AppHome(host *Host, app string) string {
	data := host.Dirs.Data
	for dir := data; dir != "/"; dir = path.Dir(dir) {
		if f, err := host.Look(dir); err == nil {
			data = rebase(data, dir, f.Path)
			break
		}
	}
	return path.Join(data, "app", app, "home")
}

func (m *maker) home() error {
	home := m.host.Home
	if home == "/" || isReserved(home) && !below(home, "/root") {
		return hint.With(fmt.Errorf("cannot use %s as the app's home", home), "set HOME to a directory of your own")
	}
	m.homeOpen = m.set.FileAccess(home, m.loc) > permissions.None
	target := home
	if m.homeOpen {
		target = stateDir
	}
	if m.req.Ephemeral {
		m.add(Step{Do: Tmpfs, Target: target, Size: sizeTmp, Inodes: filesTmp, Mode: 0o700, Exec: true, Why: "ephemeral home"})
		return nil
	}
	own := AppHome(m.host, m.plan.App)
	m.add(Step{Do: Bind, Target: target, Source: own, Why: "the app's own home"})
	return nil
}

func (m *maker) files() error {
	view, err := m.set.View(m.loc)
	if err != nil {
		m.note("%v", err)
	}
	g := &grants{host: m.host, nodes: view.Nodes()}
	// A user directory is a name whose meaning an app may have changed, in
	// user-dirs.dirs: it opens nothing that is guarded.
	for _, e := range m.req.Permissions.Entries() {
		if e.Kind == permissions.Files && e.Decision == permissions.Allow && !strings.HasPrefix(e.Subject, "xdg-") {
			if p, err := m.loc.Resolve(e.Subject); err == nil {
				g.named = append(g.named, p)
			}
		}
	}
	for _, subject := range m.req.Asked {
		p, err := m.loc.Resolve(subject)
		if err != nil {
			return fmt.Errorf("cannot grant files:%s: %w", subject, err)
		}
		g.asked = append(g.asked, p)
	}
	steps, err := g.files()
	if err != nil {
		return err
	}
	m.plan.Make = g.made
	m.plan.Notes = append(m.plan.Notes, g.notes...)
	if m.host.Root {
		steps = m.shift(steps)
	}
	m.add(steps...)
	return nil
}

// shift marks the binds that need the ids translated: root's files would
// belong to nobody inside.
func (m *maker) shift(steps []Step) []Step {
	for i := range steps {
		if steps[i].Do == Bind && !strings.HasPrefix(steps[i].Target, "/run/host/") {
			steps[i].Shift = true
		}
	}
	return steps
}

func (m *maker) devices() error {
	steps, notes := grantedDevices(m.set.Devices(), m.host)
	m.add(steps...)
	m.plan.Notes = append(m.plan.Notes, notes...)
	if len(steps) > 0 {
		// What device libraries look up: which driver, which bus.
		for _, dir := range []string{"/sys/dev", "/sys/class", "/sys/bus", "/sys/devices"} {
			m.add(Step{Do: Bind, Target: dir, Source: dir, ReadOnly: true, Why: "device:"})
		}
	}
	m.add(Step{Do: Freeze, Target: "/dev"})
	steps, notes = grantedSockets(m.set.Sockets(), m.host, m.runDir, m.env)
	m.add(steps...)
	m.plan.Notes = append(m.plan.Notes, notes...)
	return nil
}

func (m *maker) environment() error {
	sockets := m.env.vars
	m.env.vars = map[string]string{}
	m.env.base(m.host, m.user.name, m.host.Home, m.runDir)
	if m.homeOpen {
		m.env.stateIn(stateDir)
	}
	if m.req.Runtime != "" && m.isDir(path.Join(m.req.Bundle, "files/lib")) {
		m.env.set("LD_LIBRARY_PATH", "/app/lib")
	}
	m.locale()
	m.env.set("SANDBOX_ID", m.plan.App)
	m.env.set("SANDBOX_INSTANCE", m.plan.Instance)
	for _, v := range m.req.Manifest.Env {
		m.env.set(v.Name, v.Value)
	}
	for k, v := range sockets {
		m.env.set(k, v)
	}
	for _, rules := range [][]permissions.EnvRule{m.set.Env(), m.req.Env} {
		for _, r := range rules {
			if r.Set {
				m.env.set(r.Name, r.Value)
			} else {
				m.env.pass(m.host, r.Name)
			}
		}
	}
	m.plan.Env = m.env.list()
	m.plan.Notes = append(m.plan.Notes, m.env.notes...)
	return m.directory()
}

// locale keeps the caller's language where the app's system has it. Else programs
// would complain at every start; C.UTF-8 is built into the C library.
func (m *maker) locale() {
	if m.req.Runtime == "" {
		return
	}
	have := append(m.host.Entries(path.Join(m.req.Runtime, "files/lib/locale")), m.host.Entries(path.Join(m.req.Bundle, "usr/lib/locale"))...)
	if slices.Contains(have, "locale-archive") {
		return
	}
	for name, value := range m.env.vars {
		if name != "LANG" && !strings.HasPrefix(name, "LC_") || value == "C" || value == "POSIX" || value == "C.UTF-8" {
			continue
		}
		if !slices.Contains(have, strings.Replace(value, ".UTF-8", ".utf8", 1)) {
			m.env.set(name, "C.UTF-8")
		}
	}
}

// directory: the caller's own when the app can see it, else the app's home.
func (m *maker) directory() error {
	home := m.host.Home
	dir := m.req.Dir
	if dir != "" {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || strings.ContainsRune(dir, 0) || isReserved(dir) && !below(dir, "/app") && !below(dir, "/usr") {
			return hint.With(fmt.Errorf("cannot start in %q", dir), "name a clean absolute path inside, outside /proc, /sys, /dev and /run")
		}
		m.plan.Dirs = []string{dir}
		return nil
	}
	if cwd := m.host.Cwd; cwd != "" && m.visible(cwd) {
		m.plan.Dirs = append(m.plan.Dirs, cwd)
	}
	m.plan.Dirs = append(m.plan.Dirs, home)
	if m.homeOpen {
		m.plan.Dirs = append(m.plan.Dirs, stateDir)
	}
	m.plan.Dirs = append(m.plan.Dirs, "/")
	return nil
}

// visible reports whether a host path is the same file inside.
func (m *maker) visible(p string) bool {
	return m.set.FileAccess(p, m.loc) > permissions.None
}

// program finds what is to be started: the places are tried inside, where
// alone it is known what they lead to.
func (m *maker) program() error {
	man := m.req.Manifest
	command, isDefault := m.req.Command, false
	if command == "" {
		command, isDefault = man.Command, true
	}
	for _, c := range man.Commands {
		if c.Name == command {
			command = c.Path
			break
		}
	}
	if command == "" {
		return hint.With(fmt.Errorf("cannot run %s: its manifest names no command", man.ID), "name one with --command NAME")
	}
	if strings.ContainsFunc(command, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("cannot run %q: not a name of a program", command)
	}
	m.plan.Search = searchPath(command)
	name := m.req.Name
	if name == "" {
		name = path.Base(command)
	}
	m.plan.Argv = []string{name}
	if isDefault {
		m.plan.Argv = append(m.plan.Argv, man.Args...)
	}
	m.plan.Argv = append(m.plan.Argv, m.req.Args...)
	total := 0
	for _, a := range m.plan.Argv {
		if strings.ContainsRune(a, 0) {
			return errors.New("cannot pass an argument with a NUL")
		}
		total += len(a) + 1
	}
	if total > 1<<20 {
		return hint.With(errors.New("cannot pass more than 1 MiB of arguments"), "put them in a file and grant it")
	}
	return nil
}

// searchPath lists where a program may be, inside.
func searchPath(command string) []string {
	switch {
	case filepath.IsAbs(command):
		return []string{command}
	case strings.Contains(command, "/"):
		return []string{path.Join("/app", command)}
	}
	return []string{path.Join("/app/bin", command), path.Join("/usr/bin", command), path.Join("/usr/sbin", command)}
}

// limits that hold without any cgroup. Files is the soft one most programs
// expect; core dumps of an app would land wherever the host's core_pattern says.
func (m *maker) limits() error {
	m.plan.Features = m.set.Features()
	for _, p := range m.set.All() {
		if p.Kind == permissions.Limit {
			m.plan.Limits = append(m.plan.Limits, p.Subject)
		}
	}
	if t, ok := m.set.Limit("time"); ok {
		m.plan.Deadline = t.Duration() + grace + time.Second
	}
	m.plan.Rlimits = []Rlimit{
		{"core", unix.RLIMIT_CORE, 0, 0},
		{"memlock", unix.RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
		// Message queues, queued signals and timers are counted against the user's
		// own limit too, in all namespaces: an app must not use that up. A user may
		// have 819200 bytes of queues.
		{"msgqueue", unix.RLIMIT_MSGQUEUE, 409600, 409600},
		{"rtprio", unix.RLIMIT_RTPRIO, 0, 0},
		{"sigpending", unix.RLIMIT_SIGPENDING, 1024, 1024},
	}
	return nil
}
