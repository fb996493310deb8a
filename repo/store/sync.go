package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"crypto/sha256"

	"sandbox/repo"
	"sandbox/repo/installed"
)

// An object has its name before its bytes are on the disk: one syncfs(2) for all
// costs a hundredth of an fsync(2) for each. When the machine stops in between,
// a name may lead to a file that is empty or half. So before the first object
// the file "unsynced" is made durable, with the boot in which that was, and the
// next writer of another boot reads again what nothing refers to yet.

const unsyncedName = "unsynced"

func (s *Store) markUnsynced() error {
	if old, err := s.readFile(unsyncedName, 64); err == nil && strings.TrimSpace(string(old)) == s.boot() {
		return nil
	}
	return s.writeFile(unsyncedName, []byte(s.boot()+"\n"))
}

// bootID names this boot of the machine.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}

// Flush forces everything that was written to the disk, and leaves the mark: it
// needs no lock.
func (s *Store) Flush() error {
	if err := s.syncAll(); err != nil {
		return explain(fmt.Errorf("cannot write to the disk: %w", err), s.system)
	}
	return nil
}

// sync is Flush and takes away the mark. It must come before anything refers to an
// object, and under the lock. Where other contents are being written meanwhile, by us
// or by another download, the mark stays, for it covers them.
func (s *Store) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Flush(); err != nil {
		return err
	}
	if s.writing > 0 || s.othersFetch() {
		return nil
	}
	if err := s.remove(unsyncedName); err != nil {
		return explain(fmt.Errorf("cannot write to the disk: %w", err), s.system)
	}
	s.pending = false
	return nil
}

func (s *Store) syncAll() error {
	if err := s.step("syncfs"); err != nil {
		return err
	}
	top, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(top.Fd())))
}

// recheck looks at what was written and never synced: in this boot all is as it
// was written; after another, it is read again where nothing refers to it.
func (s *Store) recheck() error {
	mark, err := s.readFile(unsyncedName, 64)
	if errors.Is(err, fs.ErrNotExist) {
		s.pending = false // another writer has synced what we had not
		return nil
	}
	if err != nil {
		return err
	}
	boot := strings.TrimSpace(string(mark))
	if boot == s.boot() && boot != "unknown" {
		s.pending = true
		return nil
	}
	err = s.eachObject(func(o object) error {
		if o.links > 1 || s.sound(o) {
			return nil
		}
		return s.remove(o.name)
	})
	if err == nil {
		err = s.eachTree(func(d repo.Digest, name string) error {
			if data, err := s.readFile(name, repo.MaxTree); err == nil && repo.Sum(data) == d {
				return nil
			}
			return s.remove(name)
		})
	}
	if err != nil {
		return err
	}
	return s.sync()
}

// object is one file below objects/.
type object struct {
	name  string
	d     repo.Digest
	exec  bool
	size  int64
	links uint64
	mode  uint32
	ino   inode
}

type inode struct{ dev, ino uint64 }

// eachObject calls do for every object, and removes nothing itself. Other names
// are passed over.
func (s *Store) eachObject(do func(object) error) error {
	return s.eachFanned("objects", func(dir, name string) error {
		d, exec, ok := parseObjectName(dir, name)
		if !ok {
			return nil
		}
		o := object{name: "objects/" + dir + "/" + name, d: d, exec: exec}
		var st unix.Stat_t
		if err := unix.Fstatat(s.fd, o.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return os.NewSyscallError("stat", err)
		}
		o.size, o.links, o.mode, o.ino = st.Size, uint64(st.Nlink), st.Mode, inode{st.Dev, st.Ino}
		return do(o)
	})
}

func (s *Store) eachTree(do func(d repo.Digest, name string) error) error {
	return s.eachFanned("trees", func(dir, name string) error {
		d, err := repo.ParseDigest(name)
		if err != nil || name[:2] != dir {
			return nil
		}
		return do(d, "trees/"+dir+"/"+name)
	})
}

func (s *Store) eachFanned(top string, do func(dir, name string) error) error {
	dirs, err := s.names(top)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if len(dir) != 2 || strings.Trim(dir, "0123456789abcdef") != "" {
			continue
		}
		files, err := s.names(top + "/" + dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := do(dir, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sound reads an object again.
func (s *Store) sound(o object) bool {
	if o.mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	fd, err := installed.Beneath(s.fd, o.name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), o.name)
	defer f.Close()
	d, _, err := digestOf(f)
	return err == nil && d == o.d
}

func digestOf(r io.Reader) (d repo.Digest, n int64, err error) {
	buf := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buf)
	h := sha256.New()
	n, err = io.CopyBuffer(h, onlyReader{r}, buf[:])
	h.Sum(d[:0])
	return d, n, err
}

// onlyReader hides what would make io.CopyBuffer take another way.
type onlyReader struct{ io.Reader }
