package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"read": func(a []string) (string, error) {
			data, err := os.ReadFile(a[0])
			return string(data[:min(len(data), 64<<10)]), err
		},
		"open":   open,
		"openat": openat,
		"write": func(a []string) (string, error) {
			return "", os.WriteFile(a[0], []byte(strings.Join(a[1:], " ")), 0o644)
		},
		"append": func(a []string) (string, error) {
			f, err := os.OpenFile(a[0], os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = f.WriteString(a[1])
				f.Close()
			}
			return "", err
		},
		"create": func(a []string) (string, error) {
			fd, err := unix.Open(a[0], unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
			if err == nil {
				unix.Close(fd)
			}
			return "", err
		},
		"mkdir":    func(a []string) (string, error) { return "", unix.Mkdir(a[0], 0o755) },
		"rmdir":    func(a []string) (string, error) { return "", unix.Rmdir(a[0]) },
		"unlink":   func(a []string) (string, error) { return "", unix.Unlink(a[0]) },
		"rename":   func(a []string) (string, error) { return "", unix.Rename(a[0], a[1]) },
		"exchange": func(a []string) (string, error) { return "", exchange(a[0], a[1]) },
		"link":     func(a []string) (string, error) { return "", unix.Link(a[0], a[1]) },
		"symlink":  func(a []string) (string, error) { return "", unix.Symlink(a[0], a[1]) },
		"chmod":    func(a []string) (string, error) { return "", unix.Chmod(a[0], uint32(number(a[1]))) },
		"chown":    func(a []string) (string, error) { return "", unix.Chown(a[0], number(a[1]), number(a[1])) },
		"truncate": func(a []string) (string, error) { return "", unix.Truncate(a[0], 0) },
		"mknod": func(a []string) (string, error) {
			return "", unix.Mknod(a[0], unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
		},
		"setxattr": func(a []string) (string, error) { return "", unix.Setxattr(a[0], "user.probe", []byte("x"), 0) },
		"mount":    func(a []string) (string, error) { return "", unix.Mount(a[0], a[1], "", unix.MS_BIND, "") },
		"umount":   func(a []string) (string, error) { return "", unix.Unmount(a[0], unix.MNT_DETACH) },
		"chroot":   func(a []string) (string, error) { return "", unix.Chroot(a[0]) },
		"chdir":    func(a []string) (string, error) { return "", unix.Chdir(a[0]) },
		"readlink": func(a []string) (string, error) { return os.Readlink(a[0]) },
		"ls":       ls,
		"stat":     stat,
		"getcwd":   func(a []string) (string, error) { return unix.Getwd() },
		"climb":    climb,
		"sockets":  sockets,
		"fill":     fill,
		"files":    files,
		"swap": func(a []string) (string, error) {
			for {
				exchange(a[0], a[1])
			}
		},
	})
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

var modes = map[string]int{"r": unix.O_RDONLY, "w": unix.O_WRONLY, "rw": unix.O_RDWR, "trunc": unix.O_RDWR | unix.O_TRUNC, "path": unix.O_PATH}

func open(a []string) (string, error) {
	fd, err := unix.Open(a[0], modes[a[1]]|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return "", err
}

// openat opens a name below a descriptor.
func openat(a []string) (string, error) {
	fd, err := unix.Openat(number(a[0]), a[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return "", err
}

func ls(a []string) (string, error) {
	names, err := os.ReadDir(a[0])
	var out []string
	for _, n := range names {
		out = append(out, n.Name())
	}
	return strings.Join(out, " "), err
}

func stat(a []string) (string, error) {
	var st unix.Stat_t
	err := unix.Lstat(a[0], &st)
	return fmt.Sprintf("mode=%o rdev=%d:%d uid=%d gid=%d size=%d id=%d:%d links=%d", st.Mode, unix.Major(st.Rdev), unix.Minor(st.Rdev),
		st.Uid, st.Gid, st.Size, st.Dev, st.Ino, st.Nlink), err
}

// climb follows ".." from the working directory and says whether it ends at
// the root: it would not from a directory outside.
func climb([]string) (string, error) {
	var root, here unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		return "", err
	}
	path := "."
	for range 64 {
		path += "/.."
	}
	if err := unix.Stat(path, &here); err != nil {
		return "", err
	}
	if here.Ino != root.Ino || here.Dev != root.Dev {
		return "outside", nil
	}
	return "root", nil
}

// sockets lists every socket in the file system.
func sockets(a []string) (string, error) {
	var found []string
	filepath.WalkDir(a[0], func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path == "/proc" {
			return fs.SkipDir
		}
		// Not d.Type: where a socket is mounted, the directory tells of what is below.
		if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSocket != 0 {
			found = append(found, path)
		}
		return nil
	})
	return strings.Join(found, " "), nil
}

// fill writes until there is no space, at most a number of bytes.
func fill(a []string) (string, error) {
	f, err := os.OpenFile(filepath.Join(a[0], "fill"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for n := 0; n < number(a[1]); n += 4 << 20 {
		err := unix.Fallocate(int(f.Fd()), 0, int64(n), 4<<20)
		for err == unix.EINTR { // by the Go scheduler, where memory is slow
			err = unix.Fallocate(int(f.Fd()), 0, int64(n), 4<<20)
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// files makes empty files until there is no room, at most a number.
func files(a []string) (string, error) {
	dir := filepath.Join(a[0], "files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for i := range number(a[1]) {
		if err := unix.Mknod(fmt.Sprintf("%s/%d", dir, i), unix.S_IFREG|0o600, 0); err != nil {
			return "", err
		}
	}
	return "", nil
}
