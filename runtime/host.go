package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

// Host is what a plan needs to know of the machine and session: values that
// were read once, and three questions about its file system. Tests give
// answers of their own.
type Host struct {
	UID, GID int
	Root     bool // UID 0 of the machine, not of a user namespace
	Home     string
	Cwd      string
	Env      func(string) string
	Dirs     disk.Dirs
	XDG      map[string]string // user directories: "xdg-download" → absolute path

	Landlock int  // ABI, 0 without
	OpenAt2  bool // openat2(2) is there and allowed

	Resolv   string // content of /etc/resolv.conf
	Timezone string // "Europe/Vienna", or empty

	Look    func(path string) (Found, error)  // follows links
	Link    func(path string) (string, error) // what a symbolic link says; an error when it is none
	Entries func(dir string) []string         // names in a directory; none when it cannot be read
	Read    func(path string) (string, error)
}

// Found is what a path of the host leads to.
type Found struct {
	Path     string // absolute, without links
	Mode     uint32 // st_mode
	Ino, Dev uint64
	Rdev     uint64
}

func (f Found) IsDir() bool { return f.Mode&unix.S_IFMT == unix.S_IFDIR }

// is reports whether the file is of the type (S_IFREG …).
func (f Found) is(kind uint32) bool { return f.Mode&unix.S_IFMT == kind }

// ThisHost reads the values for the calling process.
func ThisHost() (*Host, error) {
	home, err := disk.Home()
	if err != nil {
		return nil, err
	}
	h := &Host{
		UID: os.Getuid(), GID: os.Getgid(),
		Home:     home,
		Env:      os.Getenv,
		Dirs:     disk.UserDirs(os.Getenv, home),
		Landlock: landlockABI(),
		OpenAt2:  hasOpenAt2(),
		Look:     look,
		Link:     os.Readlink,
		Entries:  entries,
		Read:     readSmall,
	}
	h.Root = h.UID == 0 && wholeMap(h.Read)
	h.Cwd, _ = os.Getwd()
	h.Resolv, _ = readSmall("/etc/resolv.conf")
	h.Timezone = timezone()
	h.XDG = xdgUserDirs(h)
	return h, nil
}

func landlockABI() int {
	r, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return 0
	}
	return int(r)
}

func hasOpenAt2() bool {
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// wholeMap reports whether all ids mean themselves here: in a user namespace of
// a container, uid 0 is an ordinary user to the kernel, and is treated as one.
func wholeMap(read func(string) (string, error)) bool {
	text, err := read("/proc/self/uid_map")
	f := strings.Fields(text)
	return err != nil || len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}

// timezone is the name behind /etc/localtime, checked to be one.
func timezone() string {
	to, err := os.Readlink("/etc/localtime")
	if err != nil {
		return ""
	}
	_, name, ok := strings.Cut(to, "/zoneinfo/")
	if !ok || !filepath.IsLocal(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return name
}

// xdgUserDirs reads the user's directories as xdg-user-dirs(1) writes them:
// XDG_DOWNLOAD_DIR="$HOME/Downloads". A directory equal to $HOME is switched
// off, as that tool defines it.
func xdgUserDirs(h *Host) map[string]string {
	dirs := map[string]string{
		"desktop": "Desktop", "documents": "Documents", "download": "Downloads", "music": "Music",
		"pictures": "Pictures", "public-share": "Public", "templates": "Templates", "videos": "Videos",
	}
	dirs = prefixed(dirs, h.Home)
	config := filepath.Dir(h.Dirs.Config)
	text, err := h.Read(filepath.Join(config, "user-dirs.dirs"))
	if err != nil {
		return dirs
	}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		key, isDir := strings.CutSuffix(strings.TrimPrefix(key, "XDG_"), "_DIR")
		if !ok || !isDir {
			continue
		}
		value = strings.Trim(value, `"`)
		if rest, relative := strings.CutPrefix(value, "$HOME"); relative {
			value = h.Home + rest
		}
		name := "xdg-" + strings.ToLower(key)
		if name == "xdg-publicshare" {
			name = "xdg-public-share"
		}
		value = filepath.Clean(value)
		if _, known := dirs[name]; known && filepath.IsAbs(value) {
			dirs[name] = value
			if value == h.Home {
				delete(dirs, name)
			}
		}
	}
	return dirs
}

func prefixed(dirs map[string]string, home string) map[string]string {
	out := make(map[string]string, len(dirs))
	for name, dir := range dirs {
		out["xdg-"+name] = filepath.Join(home, dir)
	}
	return out
}

// patience is how long a network or FUSE file system may take to answer.
const patience = 2 * time.Second

// within gives up on do when it takes too long. What hangs in the kernel then
// keeps its goroutine; the program is about to end with the error.
func within(limit time.Duration, do func(), where func() string) error {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		do()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case bug := <-done:
		if bug != nil {
			panic(bug) // on the goroutine whose caller can report it
		}
		return nil
	case <-timer.C:
		return hint.With(fmt.Errorf("cannot grant %s: the file system there does not answer", where()), "is a network or FUSE mount stuck?")
	}
}

// look opens without reading, so that neither a FIFO nor a device can block or
// notice (O_PATH), and asks the descriptor, not the path, what it is.
func look(path string) (Found, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return Found{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Found{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return Found{}, err
	}
	if !filepath.IsAbs(real) || strings.HasSuffix(real, " (deleted)") && st.Nlink == 0 {
		return Found{}, fmt.Errorf("%q is not a place in the file system", path)
	}
	return Found{Path: real, Mode: st.Mode, Ino: st.Ino, Dev: st.Dev, Rdev: st.Rdev}, nil
}

// entries and readSmall do without os.File, which would try each file with the
// poller first: seven system calls more.

func entries(dir string) []string {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return names
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// readSmall reads a configuration file of the host: its first 64 KiB.
func readSmall(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var text []byte
	buf := make([]byte, 1024)
	for len(text) < 64<<10 {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	return string(text), nil
}
