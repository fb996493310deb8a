package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"crypto/sha256"

	"sandbox/repo"
	"sandbox/repo/installed"
)

// objectName is where a content lies: one file for each mode, since the mode is
// shared by all names of a file.
func objectName(d repo.Digest, exec bool) string {
	h := d.String()
	if exec {
		return "objects/" + h[:2] + "/" + h + ".x"
	}
	return "objects/" + h[:2] + "/" + h + ".f"
}

func mode(exec bool) uint32 {
	if exec {
		return 0o755
	}
	return 0o644
}

// HasObject reports whether a content is there, in either mode: Deploy makes the
// other from it. It may be called by several goroutines.
func (s *Store) HasObject(d repo.Digest, exec bool) bool {
	return s.hasExactly(d, exec) || s.hasExactly(d, !exec)
}

func (s *Store) hasExactly(d repo.Digest, exec bool) bool {
	var st unix.Stat_t
	return unix.Fstatat(s.fd, objectName(d, exec), &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// errContent is what a wrong content is refused with.
var errContent = errors.New("it is not what was signed")

// WriteObject stores the content that r gives: exactly size bytes whose hash is
// want, or nothing. The file has no name until it is complete and checked. It may
// be called by several goroutines, under the lock or in a Fetch. Nothing is forced to
// the disk: Deploy does that.
func (s *Store) WriteObject(want repo.Digest, size int64, exec bool, r io.Reader) error {
	err := s.writeObject(want, size, exec, r)
	if err != nil {
		return explain(fmt.Errorf("cannot store the content %s: %w", want.Short(), err), s.system)
	}
	return nil
}

func (s *Store) writeObject(want repo.Digest, size int64, exec bool, r io.Reader) error {
	if size <= 0 {
		return fmt.Errorf("internal error: a content of %d bytes", size)
	}
	return s.store(objectName(want, exec), mode(exec), func(w io.Writer) error { return copyChecked(w, r, want, size) })
}

// store gives a file that fill writes its name once it is complete. A name that
// is there already stays.
func (s *Store) store(name string, mode uint32, fill func(io.Writer) error) error {
	if err := s.fan(path.Dir(name)); err != nil {
		return err
	}
	defer s.written()
	if err := s.step("content %s", name); err != nil {
		return err
	}
	f, tmp, err := s.nameless(path.Dir(name))
	if err != nil {
		return err
	}
	defer f.Close()
	drop := func() {
		if tmp != "" {
			s.root.Remove(tmp)
		}
	}
	if err = fill(f); err == nil {
		err = settle(int(f.Fd()), mode)
	}
	if err == nil {
		err = s.step("name %s", name)
	}
	if err == nil && tmp == "" {
		err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), s.fd, name, unix.AT_SYMLINK_FOLLOW)
	} else if err == nil {
		err = s.root.Rename(tmp, name)
	}
	if err != nil {
		drop()
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// fan makes the directory of an object, and notes on the disk, before the first
// of many, that contents may be lost until the next Sync. It counts the content as
// one that is being written, until written is called.
func (s *Store) fan(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending {
		if err := s.markUnsynced(); err != nil {
			return err
		}
		s.pending = true
	}
	if !s.fanned[dir] {
		if err := s.mkdir(dir); err != nil {
			return err
		}
		s.fanned[dir] = true
	}
	s.writing++
	return nil
}

func (s *Store) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
}

// nameless opens a new file without a name in dir, or, where a file system has no
// such thing, with one in tmp/.
func (s *Store) nameless(dir string) (f *os.File, tmp string, err error) {
	s.mu.Lock()
	named := s.noTmp
	s.mu.Unlock()
	if !named {
		fd, err := installed.Beneath(s.fd, dir, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return nil, "", os.NewSyscallError("open", err)
		}
		defer unix.Close(fd)
		file, err := unix.Openat(fd, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(file), "content"), "", nil
		}
		if err != unix.EOPNOTSUPP && err != unix.EISDIR && err != unix.ENOENT {
			return nil, "", os.NewSyscallError("open", err)
		}
		s.mu.Lock()
		s.noTmp = true
		s.mu.Unlock()
	}
	tmp = temp("content")
	f, err = s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, tmp, err
}

// settle gives an open file its mode, whatever the umask, and the time of
// everything in a bundle.
func settle(fd int, mode uint32) error {
	if err := unix.Fchmod(fd, mode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(fd, "", fixedTimes(), unix.AT_EMPTY_PATH))
}

// fixedTimes are those of package bundle: not 0, which some programs take for
// "unknown".
func fixedTimes() []unix.Timespec { return []unix.Timespec{{Sec: 1}, {Sec: 1}} }

var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// copyChecked writes what it has hashed, and no more than size bytes of it.
func copyChecked(w io.Writer, r io.Reader, want repo.Digest, size int64) error {
	buf := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buf)
	h := sha256.New()
	n := int64(0)
	for {
		m, err := r.Read(buf[:])
		if n += int64(m); n > size {
			return fmt.Errorf("%w: more than %d bytes", errContent, size)
		}
		h.Write(buf[:m])
		if _, err := w.Write(buf[:m]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if n != size || [sha256.Size]byte(h.Sum(nil)) != want {
		return fmt.Errorf("%w: %d of %d bytes, or another hash", errContent, n, size)
	}
	return nil
}

// openObject opens a content for reading, in either mode.
func (s *Store) openObject(d repo.Digest) (*os.File, error) {
	for _, exec := range [...]bool{false, true} {
		fd, err := installed.Beneath(s.fd, objectName(d, exec), unix.O_RDONLY|unix.O_NONBLOCK)
		if err == nil {
			return os.NewFile(uintptr(fd), "content "+d.Short()), nil
		}
		if err != unix.ENOENT {
			return nil, os.NewSyscallError("open", err)
		}
	}
	return nil, &Missing{Object: d}
}

// OpenObject opens a content for reading: of a delta's base, say. What is read
// is checked by whoever needs to be sure.
func (s *Store) OpenObject(d repo.Digest) (*os.File, error) { return s.openObject(d) }

// Missing says that a content, or a tree file, is not in the store.
type Missing struct {
	Object repo.Digest
	Tree   bool
}

func (m *Missing) Error() string {
	if m.Tree {
		return fmt.Sprintf("the tree file %s is not in the store", m.Object.Short())
	}
	return fmt.Sprintf("the content %s is not in the store", m.Object.Short())
}

// parseObjectName is the reverse of objectName, for a name found in objects/ab.
func parseObjectName(dir, unsafeName string) (d repo.Digest, exec, ok bool) {
	hex, exec := strings.CutSuffix(unsafeName, ".x")
	if !exec {
		if hex, ok = strings.CutSuffix(unsafeName, ".f"); !ok {
			return d, false, false
		}
	}
	d, err := repo.ParseDigest(hex)
	return d, exec, err == nil && hex[:2] == dir
}
