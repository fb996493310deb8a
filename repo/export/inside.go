package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// onDisk is where a path of the app lies in its bundle.
func onDisk(inside string) (string, error) {
	if rest, ok := strings.CutPrefix(inside, "/app/"); ok {
		return "files/" + rest, nil
	}
	if rest, ok := strings.CutPrefix(inside, "/usr/"); ok {
		return "usr/" + rest, nil
	}
	return "", fmt.Errorf("%s is not below /app or /usr", inside)
}

// readInside reads a regular file of the bundle whose top is the directory fd.
// No link is followed, not even one that stays inside: what a link leads to is
// decided by the view of the running app, which does not exist here
// (CVE-2024-29069: an icon that was a link to /etc/shadow). Each directory is
// opened from the one above it, so that none can be exchanged on the way.
func readInside(top int, unsafePath string, limit int64) ([]byte, error) {
	path, err := onDisk(unsafePath)
	if err != nil {
		return nil, err
	}
	dir := top
	defer func() {
		if dir != top {
			unix.Close(dir)
		}
	}()
	parts := strings.Split(path, "/")
	for _, part := range parts[:len(parts)-1] {
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("%s is not a clean path", unsafePath)
		}
		next, err := openat(dir, part, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return nil, explainOpen(unsafePath, err)
		}
		if dir != top {
			unix.Close(dir)
		}
		dir = next
	}
	last := parts[len(parts)-1]
	if last == "" || last == "." || last == ".." {
		return nil, fmt.Errorf("%s is not a clean path", unsafePath)
	}
	fd, err := openat(dir, last, unix.O_RDONLY|unix.O_NONBLOCK) // a FIFO must not wait for its writer
	if err != nil {
		return nil, explainOpen(unsafePath, err)
	}
	return readRegular(os.NewFile(uintptr(fd), unsafePath), limit)
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return hint.With(fmt.Errorf("%s is a link, or lies behind one", path), "the manifest must name the file itself")
	case errors.Is(err, unix.ENOENT):
		return hint.With(fmt.Errorf("%s is not in the bundle", path), "files of the runtime cannot be exported")
	}
	return fmt.Errorf("%s: %w", path, err)
}

func readRegular(f *os.File, limit int64) ([]byte, error) {
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", f.Name())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", f.Name(), limit>>10)
	}
	return data, nil
}
