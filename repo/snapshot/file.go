package snapshot

import (
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/repo/installed"
)

// file copies a regular file: as a second name of a copy that is there already, as
// a clone, or by its bytes.
func (c *copier) file(d dirs, name, path string, st *unix.Stat_t) error {
	c.files++
	c.bytes += st.Size
	id := inode{st.Dev, st.Ino}
	if first, ok := c.links[id]; ok && st.Nlink > 1 {
		if c.linkFirst(first, d.to, name) {
			c.remember(path, st)
			return nil
		}
	}
	if st.Nlink > 1 && c.links != nil {
		c.links[id] = path
	}
	if d.old >= 0 && c.before[path] == entryOf(path, st) && unix.Linkat(d.old, name, d.to, name, 0) == nil {
		c.remember(path, st)
		return nil
	}
	from, undo, err := openAnyway(d.from, name, unix.O_RDONLY, 0o400, st)
	if err == unix.EAGAIN {
		// The app has a lease of it (fcntl(2)): to wait would take 45 seconds, for
		// each file, and to fail would let it keep itself from being updated.
		c.skipped++
		return nil
	}
	if err != nil {
		return at(path, "open", err)
	}
	undo()
	defer unix.Close(from)
	var now unix.Stat_t
	if err := unix.Fstat(from, &now); err != nil || now.Mode&unix.S_IFMT != unix.S_IFREG {
		return at(path, "open", unix.EBADMSG)
	}
	to, err := unix.Openat(d.to, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return at(path, "open", err)
	}
	defer unix.Close(to)
	if err := c.content(from, to, &now); err != nil {
		return at(path, "copy", err)
	}
	if err := attributes(from, to); err != nil {
		return at(path, "setxattr", err)
	}
	if err := c.settle(to, path, &now); err != nil {
		return err
	}
	c.remember(path, &now)
	return nil
}

// linkFirst gives the copy of a file that has several names one more.
func (c *copier) linkFirst(first string, dir int, name string) bool {
	up, base := "", first
	if i := strings.LastIndexByte(first, '/'); i >= 0 {
		up, base = first[:i], first[i+1:]
	}
	from := c.top
	if up != "" {
		fd, err := installed.Beneath(c.top, up, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return false
		}
		defer unix.Close(fd)
		from = fd
	}
	return unix.Linkat(from, base, dir, name, 0) == nil
}

const (
	cloneUnknown = iota
	cloneWorks
	cloneNot
)

func (c *copier) content(from, to int, st *unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if *c.clone != cloneNot {
		err := unix.IoctlFileClone(to, from)
		if err == nil {
			*c.clone = cloneWorks
			return nil
		}
		if *c.clone == cloneUnknown {
			*c.clone = cloneNot
		}
	}
	n, err := copyData(from, to, st.Size)
	c.copied += n
	return err
}

// copyData copies what is there of a file of size bytes: a hole stays a hole, or
// an app could fill the disk with a file that takes no place.
func copyData(from, to int, size int64) (copied int64, err error) {
	buf := make([]byte, 256<<10)
	for pos := int64(0); pos < size; {
		start, err := unix.Seek(from, pos, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break // nothing but a hole up to the end
		}
		end := size
		if err != nil { // a file system that does not know
			start = pos
		} else if hole, err := unix.Seek(from, start, unix.SEEK_HOLE); err == nil {
			end = min(end, hole)
		}
		for pos = start; pos < end; {
			n, err := unix.Pread(from, buf[:min(int64(len(buf)), end-pos)], pos)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return copied, err
			}
			if n == 0 {
				return copied, unix.Ftruncate(to, pos)
			}
			if err := writeAt(to, buf[:n], pos); err != nil {
				return copied, err
			}
			pos, copied = pos+int64(n), copied+int64(n)
		}
	}
	return copied, unix.Ftruncate(to, size)
}

func writeAt(fd int, data []byte, pos int64) error {
	for len(data) > 0 {
		n, err := unix.Pwrite(fd, data, pos)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		data, pos = data[n:], pos+int64(n)
	}
	return nil
}

// attributes copies those that programs set for themselves.
func attributes(from, to int) error {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(from, names)
	if err != nil || n == 0 {
		return nil
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		value := make([]byte, 64<<10)
		m, err := unix.Fgetxattr(from, name, value)
		if err != nil {
			continue
		}
		if err := unix.Fsetxattr(to, name, value[:m], 0); err != nil && err != unix.EOPNOTSUPP {
			return err
		}
	}
	return nil
}
