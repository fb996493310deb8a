package runtime

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// grantedSocket is a service of the host that one socket: permission opens.
type grantedSocket struct {
	source string            // its path on the host
	target string            // its path inside
	env    map[string]string // what tells the app where it is
	file   bool              // a plain file that belongs to it (a cookie)
}

// socketsOf finds the sockets behind one permission; none is not an error, the
// service is not running then.
func socketsOf(name string, host *Host, runDir string) []grantedSocket {
	hostRun := host.Env("XDG_RUNTIME_DIR")
	switch name {
	case "wayland":
		display := host.Env("WAYLAND_DISPLAY")
		if display == "" {
			display = "wayland-0"
		}
		source := display
		if !filepath.IsAbs(source) {
			source = path.Join(hostRun, display)
		}
		return []grantedSocket{{source: source, target: path.Join(runDir, "wayland-0"), env: map[string]string{"WAYLAND_DISPLAY": "wayland-0"}}}
	case "x11":
		return x11(host, runDir)
	case "pulseaudio":
		source := path.Join(hostRun, "pulse/native")
		if s, ok := strings.CutPrefix(host.Env("PULSE_SERVER"), "unix:"); ok {
			source = s
		}
		target := path.Join(runDir, "pulse/native")
		return []grantedSocket{{source: source, target: target, env: map[string]string{"PULSE_SERVER": "unix:" + target}}}
	case "pipewire":
		return []grantedSocket{{source: path.Join(hostRun, "pipewire-0"), target: path.Join(runDir, "pipewire-0")}}
	case "ssh-agent":
		target := path.Join(runDir, "ssh-agent")
		return []grantedSocket{{source: host.Env("SSH_AUTH_SOCK"), target: target, env: map[string]string{"SSH_AUTH_SOCK": target}}}
	case "gpg-agent":
		return []grantedSocket{{source: path.Join(hostRun, "gnupg/S.gpg-agent"), target: path.Join(runDir, "gnupg/S.gpg-agent")}}
	case "cups":
		return []grantedSocket{{source: "/run/cups/cups.sock", target: "/run/cups/cups.sock", env: map[string]string{"CUPS_SERVER": "/run/cups/cups.sock"}}}
	case "pcsc":
		return []grantedSocket{{source: "/run/pcscd/pcscd.comm", target: "/run/pcscd/pcscd.comm", env: map[string]string{"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}}}
	}
	return nil
}

// x11 is the display's own socket, under number 0 inside, and the cookie file.
func x11(host *Host, runDir string) []grantedSocket {
	number, ok := strings.CutPrefix(host.Env("DISPLAY"), ":")
	if !ok {
		return nil
	}
	number, _, _ = strings.Cut(number, ".")
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return nil
	}
	// The number stays: the cookie file is keyed by it.
	out := []grantedSocket{{source: "/tmp/.X11-unix/X" + number, target: "/tmp/.X11-unix/X" + number, env: map[string]string{"DISPLAY": ":" + number}}}
	cookie := host.Env("XAUTHORITY")
	if cookie == "" {
		cookie = path.Join(host.Home, ".Xauthority")
	}
	if _, err := host.Look(cookie); err == nil {
		target := path.Join(runDir, "Xauthority")
		out = append(out, grantedSocket{source: cookie, target: target, file: true, env: map[string]string{"XAUTHORITY": target}})
	}
	return out
}

// grantedSockets binds the sockets of the granted services.
func grantedSockets(names []string, host *Host, runDir string, env *environment) (steps []Step, notes []string) {
	for _, name := range names {
		given := false
		for _, s := range socketsOf(name, host, runDir) {
			if !filepath.IsAbs(s.source) {
				continue
			}
			f, err := host.Look(s.source)
			kind := uint32(unix.S_IFSOCK)
			if s.file {
				kind = unix.S_IFREG
			}
			if err != nil || !f.is(kind) {
				continue
			}
			given = true
			steps = append(steps, Step{Do: Bind, Source: f.Path, Target: s.target, IsFile: true, ReadOnly: true,
				Ino: f.Ino, Dev: f.Dev, Why: "socket:" + name})
			for k, v := range s.env {
				env.set(k, v)
			}
		}
		if !given {
			notes = append(notes, fmt.Sprintf("socket:%s gives nothing here: the service does not run in this session", name))
		}
	}
	return steps, notes
}
