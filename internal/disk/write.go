// Package disk holds the few ways this project touches the user's disk:
// where its directories are, and how a file is replaced so that a crash at any
// moment leaves the old content or the new, never a part of either.
package disk

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteFile replaces path with data. The mode is exact, whatever the umask. A
// symbolic link at path is replaced, never followed.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return Write(path, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Write is WriteFile with what fill writes: a temporary file in the same directory,
// fsync, rename, fsync of the directory. When fill fails, nothing is changed.
func Write(path string, mode os.FileMode, fill func(*os.File) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes the names in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// PrivateDir makes dir with mode 0700 and every missing parent likewise, and
// refuses one that another user owns or can enter: state in such a directory
// could be planted (CVE-2016-10119, CVE-2025-4953).
func PrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot use %q: %w", dir, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("cannot use %q: %w", dir, err)
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("cannot use %q: it belongs to uid %d", dir, st.Uid)
	}
	if st.Mode&0o077 == 0 {
		return nil
	}
	// MkdirAll obeys the umask, and an older version may have been looser.
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("cannot use %q: others can write to it (mode %#o)", dir, st.Mode&0o7777)
	}
	return os.Chmod(dir, 0o700)
}
