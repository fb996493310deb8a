package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/runtime/cgroup"
)

// Examine collects the facts about this kernel and session. program is the
// launcher's path. Nothing is left behind but the directory of instances that
// a launch would make too.
func Examine(h *Host, program string) Facts {
	f := Facts{
		UID:     h.UID,
		Arch:    goruntime.GOARCH,
		Program: program,
		Distro:  distro(h),
		Sysctl:  map[string]string{},
		Trials:  trials(h),

		Landlock:  h.Landlock,
		Cgroups:   cgroup.Probe(),
		Container: container(h),
		Chroot:    chrooted(h),
		Filtered:  filterAround(h),
		Enforcing: trimmed(h, "/sys/fs/selinux/enforce") == "1",
		Session:   session(h),
	}
	f.Kernel = f.Cgroups.Kernel
	f.Release = trimmed(h, "/proc/sys/kernel/osrelease")
	if list := trimmed(h, "/sys/kernel/security/lsm"); list != "" {
		f.LSMs = strings.Split(list, ",")
	}
	keys := []string{sysctlClone, sysctlAppArmor, sysctlTIOCSTI, sysctlYama}
	for _, name := range h.Entries("/proc/sys/user") {
		keys = append(keys, "user."+name)
	}
	for _, key := range keys {
		if value := trimmed(h, "/proc/sys/"+strings.ReplaceAll(key, ".", "/")); value != "" {
			f.Sysctl[key] = value
		}
	}
	return f
}

func trimmed(h *Host, path string) string {
	text, _ := h.Read(path)
	return strings.TrimSpace(text)
}

func distro(h *Host) Distro {
	text, err := h.Read("/etc/os-release")
	if err != nil {
		text, _ = h.Read("/usr/lib/os-release")
	}
	var d Distro
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.ID = value
		case "ID_LIKE":
			d.Like = value
		case "PRETTY_NAME":
			d.Name = value
		case "VERSION_ID":
			d.Version = value
		case "VERSION_CODENAME":
			d.Codename = value
		}
	}
	return d
}

// container names the engine whose container this is, by the marks that each
// leaves for its guests. A machine made from a container's image has the marks
// too: it is told by its namespaces, which are the kernel's first.
func container(h *Host) string {
	if initial("pid", 0xEFFFFFFC) && initial("uts", 0xEFFFFFFE) {
		return ""
	}
	_, podman := h.Look("/run/.containerenv")
	_, docker := h.Look("/.dockerenv")
	name := trimmed(h, "/run/systemd/container")
	switch {
	case h.Env("KUBERNETES_SERVICE_HOST") != "":
		return "kubernetes"
	case podman == nil:
		return "podman"
	case docker == nil:
		return "docker"
	case name != "":
		return name
	case h.Env("container") != "":
		return h.Env("container")
	}
	return ""
}

// initial compares with the fixed inode numbers of linux/proc_ns.h.
func initial(kind string, inode uint64) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/"+kind, &st) == nil && st.Ino == inode
}

// chrooted compares with pid 1's root where that may be looked at. Elsewhere a
// root that is no mount point gives a chroot away.
func chrooted(h *Host) bool {
	var own, first unix.Stat_t
	if unix.Stat("/", &own) == nil && unix.Stat("/proc/1/root/", &first) == nil {
		return own.Dev != first.Dev || own.Ino != first.Ino
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/" {
			return false
		}
	}
	return true
}

func filterAround(h *Host) bool {
	text, _ := h.Read("/proc/self/status")
	return field(text, "Seccomp") == "2"
}

func session(h *Host) Session {
	s := Session{
		RuntimeDir: h.Env("XDG_RUNTIME_DIR"),
		Data:       place(h.Dirs.Data),
		Config:     place(h.Dirs.Config),
		Cache:      place(h.Dirs.Cache),
		SessionBus: busAnswers(h.Env("DBUS_SESSION_BUS_ADDRESS"), h.Env("XDG_RUNTIME_DIR")),
		SystemBus:  answers("/run/dbus/system_bus_socket"),
		Manager:    manager(h),
	}
	if _, err := OpenRegistry(h); err != nil {
		s.Registry = err.Error()
	}
	for _, n := range nodes {
		f, err := h.Look("/dev/" + n.name)
		if err != nil || !f.is(unix.S_IFCHR) || unix.Major(f.Rdev) != n.major || unix.Minor(f.Rdev) != n.minor {
			s.MissingNodes = append(s.MissingNodes, n.name)
		}
	}
	return s
}

// place looks at dir, or where it is missing at the nearest directory above it
// that is there.
func place(dir string) Place {
	p := Place{Dir: dir, Free: -1, Files: -1}
	at := dir
	for {
		_, err := os.Stat(at)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || at == "/" {
			break
		}
		at = filepath.Dir(at)
	}
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		p.Why = "cannot be written: " + err.Error()
		if at != dir {
			p.Why = fmt.Sprintf("cannot be made in %s: %v", at, err)
		}
	}
	var st unix.Statfs_t
	if unix.Statfs(at, &st) == nil {
		p.Free = int64(st.Bavail) * st.Bsize
		if st.Files > 0 { // btrfs and others count none
			p.Files = int64(st.Ffree)
		}
	}
	return p
}

// answers connects and says nothing. Without package net, which this room
// leaves out of a launch where it can.
func answers(socket string) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err {
	case nil:
		return ""
	case unix.ENOENT:
		return "there is none at " + socket
	case unix.ECONNREFUSED:
		return "nobody listens at " + socket
	case unix.EAGAIN:
		return socket + " does not answer"
	default:
		return socket + ": " + err.Error()
	}
}

// busAnswers tries the address of the session's bus where it is a plain socket,
// else the one that systemd puts into the runtime directory.
func busAnswers(address, runtimeDir string) string {
	path, isPath := strings.CutPrefix(address, "unix:path=")
	name, isAbstract := strings.CutPrefix(address, "unix:abstract=")
	switch {
	case isPath:
		path, _, _ = strings.Cut(path, ",")
		return answers(path)
	case isAbstract:
		name, _, _ = strings.Cut(name, ",")
		return answers("@" + name)
	case address != "":
		return "DBUS_SESSION_BUS_ADDRESS is not a socket that can be used: " + address
	case runtimeDir != "":
		return answers(filepath.Join(runtimeDir, "bus"))
	}
	return "this session names none"
}

func manager(h *Host) string {
	if _, err := h.Look("/run/systemd/system"); err != nil {
		return "systemd does not run here"
	}
	if h.UID == 0 {
		return answers("/run/systemd/private")
	}
	dir := h.Env("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(h.UID)
	}
	return answers(filepath.Join(dir, "systemd/private"))
}
