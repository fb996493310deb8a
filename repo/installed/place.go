package installed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

// Place is a store that may be there.
type Place struct {
	Dir    string
	System bool // root's, for every user of the machine
}

// UserDir is the user's own store.
func UserDir(d disk.Dirs) string { return filepath.Join(d.Data, "store") }

// SystemDir is the store of the machine. SANDBOX_SYSTEM_DIR names another, for
// tests: it opens nothing, since its owner is looked at as well.
func SystemDir(env func(string) string) string {
	if dir := env("SANDBOX_SYSTEM_DIR"); filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return "/var/lib/sandbox/store"
}

// Places are the stores that a launch looks into, the user's own first.
func Places(d disk.Dirs, env func(string) string) []Place {
	return []Place{{UserDir(d), false}, {SystemDir(env), true}}
}

// opened is a store that is there.
type opened struct {
	Place
	fd   int
	real string // absolute, without links
}

// OpenTrusted opens a store's directory (O_PATH), when nobody but the user and
// root can have filled it. Links on the way to it are the user's (a home on
// another disk) and followed. It is fs.ErrNotExist when there is none.
func OpenTrusted(dir string) (fd int, err error) {
	fd, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open the store %s: %w", dir, err)
	}
	if err := trusted(fd, dir); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// open returns nil when there is no such store.
func open(p Place) (*opened, error) {
	fd, err := OpenTrusted(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &opened{Place: p, fd: fd}
	if s.real, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err != nil {
		s.close()
		return nil, fmt.Errorf("cannot open the store %s: %w", p.Dir, err)
	}
	return s, nil
}

func (s *opened) close() { unix.Close(s.fd) }

// dir opens a directory below the store, by no link, and looks at its owner.
// It is fs.ErrNotExist when there is none.
func (s *opened) dir(name string, flags int) (int, error) {
	fd, err := Beneath(s.fd, name, flags|unix.O_DIRECTORY)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: filepath.Join(s.real, name), Err: err}
	}
	if err := trusted(fd, filepath.Join(s.real, name)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// trusted refuses a directory that somebody else could have filled.
func trusted(fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("cannot use %s: %w", name, err)
	}
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return hint.With(fmt.Errorf("cannot use %s: it belongs to uid %d", name, st.Uid), "a store belongs to you or to root")
	case st.Mode&0o022 != 0:
		return hint.With(fmt.Errorf("cannot use %s: others can write to it (mode %#o)", name, st.Mode&0o7777), "if nobody has: chmod go-w %s", name)
	}
	return nil
}

// Beneath opens name below the directory dir, without following any link on the
// way or at its end.
func Beneath(dir int, name string, flags int) (int, error) {
	flags |= unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if err != unix.ENOSYS && err != unix.EPERM {
		return fd, err
	}
	return walk(dir, name, flags)
}

// walk is Beneath for a kernel, or a container, without openat2(2).
func walk(dir int, name string, flags int) (int, error) {
	at := dir
	for {
		first, rest, more := cut(name)
		if first == "" || first == "." || first == ".." {
			return -1, unix.EINVAL
		}
		how := flags
		if more {
			how = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		fd, err := unix.Openat(at, first, how, 0)
		if at != dir {
			unix.Close(at)
		}
		if err != nil || !more {
			return fd, err
		}
		at, name = fd, rest
	}
}

func cut(name string) (first, rest string, more bool) {
	for i := range len(name) {
		if name[i] == '/' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

// names lists the directory name; nothing when it is not there.
func (s *opened) names(name string) ([]string, error) {
	fd, err := s.dir(name, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	list, err := Names(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", filepath.Join(s.real, name), err)
	}
	return list, nil
}

// Names lists an open directory, in no order.
func Names(dir int) ([]string, error) {
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil { // it may have been listed before
		return nil, os.NewSyscallError("lseek", err)
	}
	var list []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("getdents", err)
		}
		if n <= 0 {
			return list, nil
		}
		_, _, list = unix.ParseDirent(buf[:n], -1, list)
	}
}
