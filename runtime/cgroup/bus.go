package cgroup

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// probeManager finds the systemd that may make scopes for us. Nothing is
// connected; a socket is named only if it belongs to the user or to root.
func probeManager(fs files, u Unified, systemd bool, s session) Manager {
	m := Manager{}
	switch {
	case !systemd:
		m.Why = "systemd does not run here"
	case !u.Pure:
		// On v1 a user's manager is given no controllers, and a scope would
		// be one directory in each hierarchy.
		m.Why = "its scopes need the unified hierarchy alone"
	default:
		m.Socket, m.Bus, m.Why = managerSocket(fs, s)
		m.Usable = m.Socket != ""
	}
	if m.Usable {
		m.Controllers = strings.Fields(fs.text(managerGroup(s.uid) + "/cgroup.controllers"))
	}
	return m
}

// managerGroup is the group whose children the manager makes.
func managerGroup(uid int) string {
	if uid == 0 {
		return cgroupRoot
	}
	id := strconv.Itoa(uid)
	return cgroupRoot + "/user.slice/user-" + id + ".slice/user@" + id + ".service"
}

// managerSocket prefers systemd's own socket, as systemctl does: it needs no
// message bus. Root always asks the system's manager, never one that the
// environment of an ordinary user names (sudo keeps such variables).
func managerSocket(fs files, s session) (socket string, bus bool, why string) {
	if s.uid == 0 {
		for _, c := range []struct {
			path string
			bus  bool
		}{{"/run/systemd/private", false}, {"/run/dbus/system_bus_socket", true}} {
			if uid, ok := fs.owner(c.path); ok && uid == 0 {
				return c.path, c.bus, ""
			}
		}
		return "", false, "the system's systemd cannot be reached"
	}
	ours := func(p string) bool {
		uid, ok := fs.owner(p)
		return ok && (int(uid) == s.uid || uid == 0)
	}
	dir := s.runtimeDir
	if !path.IsAbs(dir) {
		dir = "/run/user/" + strconv.Itoa(s.uid)
	}
	if p := path.Join(dir, "systemd/private"); ours(p) {
		return p, false, ""
	}
	why = "no user manager is reachable from this session"
	if s.busAddress != "" {
		p, err := busSocket(s.busAddress)
		switch {
		case err != nil:
			why = err.Error()
		case strings.HasPrefix(p, "@") || ours(p):
			return p, true, ""
		}
	}
	if p := path.Join(dir, "bus"); ours(p) {
		return p, true, ""
	}
	return "", false, why
}

// busSocket reads a D-Bus address (dbus specification, "Server Addresses") and
// accepts just one Unix socket: "unix:path=/…", or "unix:abstract=…", which
// comes back as "@…". Lists, other transports and those that run programs
// (unixexec:, autolaunch:) are refused: the variable is an injection point
// (CVE-2019-12749 and its kin).
func busSocket(address string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("cannot use bus address %q: %s", address, why)
	}
	if strings.ContainsAny(address, ";") {
		return bad("it names more than one")
	}
	rest, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return bad("only unix: is accepted")
	}
	found := ""
	for pair := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return bad("it is malformed")
		}
		if key == "guid" {
			continue
		}
		value, err := unescapeAddress(value)
		if err != nil {
			return bad(err.Error())
		}
		switch {
		case found != "":
			return bad("it names more than one")
		case key == "path" && path.IsAbs(value) && path.Clean(value) == value:
			found = value
		case key == "abstract" && value != "":
			found = "@" + value
		default:
			return bad("it names no socket")
		}
	}
	if found == "" || len(found) > 107 { // sockaddr_un
		return bad("it names no socket")
	}
	return found, nil
}

func unescapeAddress(s string) (string, error) {
	// A plus sign stands for itself here, as PathUnescape has it.
	out, err := url.PathUnescape(s)
	if err != nil || strings.ContainsFunc(out, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("it is malformed")
	}
	return out, nil
}
