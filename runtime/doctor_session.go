package runtime

import (
	"fmt"
	"slices"
	"strings"
)

// session judges what is around apps besides the kernel.
func (f *Facts) session() []Finding {
	out := f.directories()
	out = append(out, f.space(), f.devices())
	for _, r := range []struct{ id, title, why, cost string }{
		{"session-bus", "session bus", f.Session.SessionBus, "desktop notifications and portals are out of reach, also for apps that may use them"},
		{"system-bus", "system bus", f.Session.SystemBus, "apps that were granted services of the system do not find them"},
		{"systemd", "systemd manager", f.Session.Manager, "no scopes of systemd's; limits are held by other means where there are some"},
	} {
		v := Finding{ID: r.id, Group: Around, Title: r.title, State: Good, Text: "answers"}
		if r.why != "" {
			v.State, v.Text, v.Cost, v.Fix = Degraded, r.why, r.cost, f.bus(r.id)
		}
		out = append(out, v)
	}
	return out
}

func (f *Facts) bus(id string) *Fix {
	switch {
	case f.Container != "":
		return &Fix{Text: "usual in a container; nothing to do unless an app needs it"}
	case id == "session-bus" && f.UID != 0:
		return &Fix{Text: "log in by ssh, a console or machinectl rather than su; or start one for this shell",
			Commands: []string{"dbus-run-session -- $SHELL"}}
	case id == "systemd" && f.UID != 0:
		return &Fix{Text: "log in by ssh, a console or machinectl rather than su; or keep your manager running",
			Commands: []string{"sudo loginctl enable-linger $USER"}}
	case id == "system-bus":
		return &Fix{Text: "install and start the message bus (package dbus)"}
	}
	return &Fix{Text: "nothing to do unless an app needs it"}
}

func (f *Facts) directories() []Finding {
	s := &f.Session
	run := Finding{ID: "runtime-dir", Group: Around, Title: "runtime directory", State: Good, Text: s.RuntimeDir}
	switch {
	case s.Registry != "":
		run.State, run.Text = Missing, s.Registry
		run.Cost = "no app can run: running instances are listed there"
		run.Fix = &Fix{Text: "make a directory of your own and name it", Commands: []string{
			"mkdir -m 700 /tmp/run-$(id -u)", "export XDG_RUNTIME_DIR=/tmp/run-$(id -u)"}}
	case s.RuntimeDir == "":
		run.State, run.Text = Degraded, "XDG_RUNTIME_DIR is not set; a directory of ours is used instead"
		run.Cost = "Wayland, PipeWire and the session bus are not found, also for apps that may use them"
		run.Fix = &Fix{Text: "log in by ssh, a console or machinectl rather than su; or name it if it is there",
			Commands: []string{"export XDG_RUNTIME_DIR=/run/user/$(id -u)"}}
	}
	out := []Finding{run}
	for _, r := range []struct {
		id, title, variable string
		place               Place
		state               State
		cost                string
	}{
		{"data-dir", "data directory", "XDG_DATA_HOME", s.Data, Missing, "apps get no home of their own: none can run but with --ephemeral"},
		{"config-dir", "config directory", "XDG_CONFIG_HOME", s.Config, Degraded, "decisions about permissions cannot be kept"},
		{"cache-dir", "cache directory", "XDG_CACHE_HOME", s.Cache, Degraded, "bundles cannot be built from packages"},
	} {
		v := Finding{ID: r.id, Group: Around, Title: r.title, State: Good, Text: r.place.Dir}
		if r.place.Why != "" {
			v.State, v.Text, v.Cost = r.state, fmt.Sprintf("%s: %s", r.place.Dir, r.place.Why), r.cost
			v.Fix = &Fix{Text: "make it yours, or set " + r.variable + " to a directory that you can write"}
		}
		out = append(out, v)
	}
	return out
}

// Below these an app soon fails to write, or cannot even be given a home.
const (
	littleSpace = 256 << 20
	noSpace     = 1 << 20
	fewFiles    = 1000
)

func (f *Facts) space() Finding {
	p := f.Session.Data
	v := Finding{ID: "disk-space", Group: Around, Title: "disk space", State: Good, Text: "unknown"}
	if p.Free >= 0 {
		v.Text = room(p.Free) + " free for apps and their data"
	}
	switch {
	case p.Free >= 0 && p.Free < noSpace || p.Files == 0:
		v.State, v.Cost = Missing, "no app can be given a home"
	case p.Free >= 0 && p.Free < littleSpace || p.Files > 0 && p.Files < fewFiles:
		v.State, v.Cost = Degraded, "apps soon fail to write"
	}
	if p.Files >= 0 && p.Files < fewFiles {
		v.Text += fmt.Sprintf(", room for %d files", p.Files)
	}
	if v.State != Good {
		v.Fix = &Fix{Text: "free some space, or set XDG_DATA_HOME to a directory on a larger disk"}
	}
	return v
}

func room(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d GB", n>>30)
}

// nodes are the devices that every app is given, with their numbers.
var nodes = [...]struct {
	name         string
	major, minor uint32
}{{"full", 1, 7}, {"null", 1, 3}, {"random", 1, 8}, {"tty", 5, 0}, {"urandom", 1, 9}, {"zero", 1, 5}}

func (f *Facts) devices() Finding {
	v := Finding{ID: "devices", Group: Around, Title: "device nodes", State: Good, Text: "all there"}
	missing := f.Session.MissingNodes
	if len(missing) == 0 {
		return v
	}
	v.State, v.Cost = Missing, "no app can run: every one is given these"
	v.Text = "not there, or something else: /dev/" + strings.Join(missing, ", /dev/")
	v.Fix = &Fix{Text: "make them"}
	for _, n := range nodes {
		if slices.Contains(missing, n.name) {
			v.Fix.Commands = append(v.Fix.Commands, fmt.Sprintf("%smknod -m 666 /dev/%s c %d %d", f.sudo(), n.name, n.major, n.minor))
		}
	}
	return v
}
