package cgroup

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// files is how a probe looks at the machine; tests give it another one.
type files struct {
	read     func(path string) (string, bool)
	writable func(path string) bool // by the effective user
	exists   func(path string) bool
	attr     func(path, name string) string
	device   func(path string) (major, minor uint32, ok bool)
	owner    func(path string) (uid uint32, socket bool)
	link     func(path string) string
}

func (f files) text(path string) string {
	s, _ := f.read(path)
	return s
}

func system() files {
	return files{
		read: func(p string) (string, bool) {
			s, err := readAt(unix.AT_FDCWD, p)
			return s, err == nil
		},
		writable: func(p string) bool { return unix.Faccessat(unix.AT_FDCWD, p, unix.W_OK, unix.AT_EACCESS) == nil },
		exists:   func(p string) bool { return unix.Access(p, unix.F_OK) == nil },
		attr: func(p, name string) string {
			var buf [8]byte
			n, err := unix.Lgetxattr(p, name, buf[:])
			if err != nil || n > len(buf) {
				return ""
			}
			return string(buf[:n])
		},
		device: func(p string) (uint32, uint32, bool) {
			var st unix.Stat_t
			err := unix.Stat(p, &st)
			return unix.Major(st.Dev), unix.Minor(st.Dev), err == nil
		},
		owner: func(p string) (uint32, bool) {
			var st unix.Stat_t
			err := unix.Lstat(p, &st)
			return st.Uid, err == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
		},
		link: func(p string) string {
			var buf [512]byte
			n, err := unix.Readlink(p, buf[:])
			if err != nil {
				return ""
			}
			return string(buf[:n])
		},
	}
}

// readLimit bounds what is read of any one file; mountinfo is the longest.
const readLimit = 1 << 20

// readAt reads a small kernel file without the runtime's poller.
func readAt(dir int, name string) (string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var first [4096]byte
	data := first[:0]
	for len(data) < readLimit {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := unix.Read(fd, data[len(data):cap(data)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		if n == 0 {
			break
		}
		data = data[:len(data)+n]
	}
	return string(data), nil
}

// writeAt gives a control file its value in one write, as the kernel wants it.
func writeAt(dir int, name, value string) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err = unix.Write(fd, []byte(value)); err != unix.EINTR {
			return err
		}
	}
}

// disk is the "major:minor" of the whole disk under path: the throttles take
// no partition. Empty for file systems that lie on none, or on several.
func (f files) disk(path string) string {
	major, minor, ok := f.device(path)
	if !ok || path == "" || major == 0 {
		return ""
	}
	dev := strconv.Itoa(int(major)) + ":" + strconv.Itoa(int(minor))
	sys := "/sys/dev/block/" + dev
	if !f.exists(sys) {
		return ""
	}
	if !f.exists(sys + "/partition") {
		return dev
	}
	// …/block/sda/sda1: the directory above is the disk.
	target := f.link(sys)
	i := strings.LastIndexByte(target, '/')
	if i < 0 {
		return ""
	}
	whole := strings.TrimSpace(f.text("/sys/dev/block/" + target[:i] + "/dev"))
	if !isDevice(whole) {
		return ""
	}
	return whole
}

func isDevice(s string) bool {
	major, minor, ok := strings.Cut(s, ":")
	_, err1 := strconv.ParseUint(major, 10, 32)
	_, err2 := strconv.ParseUint(minor, 10, 32)
	return ok && err1 == nil && err2 == nil
}
