package bundle

import (
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// settle gives everything below dir its exact mode and the fixed time, which
// the umask and build steps may have made otherwise. It works on open
// directories only and follows no link (CVE-2021-32760, CVE-2026-32282).
func settle(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return settleDir(root, ".")
}

func settleDir(root *os.Root, p string) error {
	entries, err := readDir(root, p)
	if err != nil {
		return err
	}
	d, err := root.OpenFile(p, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, e := range entries {
		if e.IsDir() {
			if err := settleDir(root, path.Join(p, e.Name())); err != nil {
				return err
			}
			continue
		}
		if e.Type().IsRegular() {
			if err := settleMode(d, e.Name()); err != nil {
				return &fs.PathError{Op: "chmod", Path: path.Join(p, e.Name()), Err: err}
			}
		}
		if err := unix.UtimesNanoAt(int(d.Fd()), e.Name(), fixedTimes(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "utimensat", Path: path.Join(p, e.Name()), Err: err}
		}
	}
	if err := unix.Fchmod(int(d.Fd()), 0o755); err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(d.Fd()), ".", fixedTimes(), unix.AT_SYMLINK_NOFOLLOW)
}

func settleMode(d *os.File, name string) error {
	fd, err := unix.Openat(int(d.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EINVAL
	}
	want := uint32(fileMode(st.Mode&0o111 != 0))
	if st.Mode&0o7777 == want {
		return nil
	}
	return unix.Fchmod(fd, want)
}

func fixedTimes() []unix.Timespec {
	t := unix.NsecToTimespec(modTime.UnixNano())
	return []unix.Timespec{t, t}
}
