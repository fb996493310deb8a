package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/installed"
)

// Store is one store, open. Its methods may be used by several goroutines where
// they say so; those that take a Lock by one at a time.
type Store struct {
	dir    string
	system bool
	write  bool
	root   *os.Root // for what changes the store
	fd     int      // the same directory, for what reads much
	fetch  *Fetch   // our download; nil: none

	mu      sync.Mutex
	fanned  map[string]bool // directories of objects that are there
	pending bool            // contents were written since the last Sync
	writing int             // contents that are being written now
	noTmp   bool            // the file system knows no O_TMPFILE
	noLink  bool            // or no hard links

	// Waiting is told once who holds the lock that Lock waits for.
	Waiting func(Holder)

	// fault is called before each change, by its name; tests make it fail, or
	// never return.
	fault func(step string) error
	boot  func() string
}

// UserDir is the user's own store.
func UserDir(d disk.Dirs) string { return installed.UserDir(d) }

// SystemDir is the store of the machine, which root fills and everybody reads.
func SystemDir() string { return installed.SystemDir(os.Getenv) }

const (
	formatName = "format"
	formatText = "sandbox-store 1\n"
)

// Open opens the store in dir for changes and makes it when it is not there.
func Open(dir string) (*Store, error) {
	system := filepath.Clean(dir) == SystemDir()
	if err := makeTop(dir, system); err != nil {
		return nil, explain(fmt.Errorf("cannot use the store %s: %w", dir, err), system)
	}
	s, err := open(dir, system)
	if err != nil {
		return nil, err
	}
	s.write = true
	if err := s.furnish(); err != nil {
		s.Close()
		return nil, explain(fmt.Errorf("cannot use the store %s: %w", dir, err), system)
	}
	return s, nil
}

// OpenReadOnly opens the store in dir as it is; fs.ErrNotExist when there is none.
func OpenReadOnly(dir string) (*Store, error) {
	return open(dir, filepath.Clean(dir) == SystemDir())
}

// Readable opens the stores that a user reads, their own first, and passes over
// those that do not exist.
func Readable(d disk.Dirs) ([]*Store, error) {
	var list []*Store
	for _, p := range installed.Places(d, os.Getenv) {
		s, err := OpenReadOnly(p.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			for _, s := range list {
				s.Close()
			}
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// Dir is the directory it was opened by.
func (s *Store) Dir() string { return s.dir }

// System reports whether it is the store of the machine.
func (s *Store) System() bool { return s.system }

// Close gives its descriptors back. It may be called again.
func (s *Store) Close() error {
	if s.fd < 0 {
		return nil
	}
	unix.Close(s.fd)
	s.fd = -1 // the number is somebody else's now
	return s.root.Close()
}

func open(dir string, system bool) (*Store, error) {
	fd, err := installed.OpenTrusted(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot open the store %s: %w", dir, err)
	}
	s := &Store{dir: dir, system: system, root: root, fd: fd, fanned: map[string]bool{}, boot: bootID}
	text, err := s.readFile(formatName, 64)
	switch {
	case errors.Is(err, fs.ErrNotExist): // just made, or its making was interrupted
	case err != nil:
		s.Close()
		return nil, fmt.Errorf("cannot open the store %s: %w", dir, err)
	case string(text) != formatText:
		s.Close()
		err := fmt.Errorf("cannot use the store %s: it is of the unknown format %q", dir, strings.TrimSpace(string(text)))
		return nil, hint.With(err, "a newer version of sandbox has made it")
	}
	return s, nil
}

// makeTop makes the store's own directory: private to a user, open to all in the
// machine's.
func makeTop(dir string, system bool) error {
	if !system {
		return disk.PrivateDir(dir)
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

// furnish makes what every store has.
func (s *Store) furnish() error {
	for _, name := range []string{"objects", "trees", "deploy", "state", "tmp", "partial"} {
		if err := s.mkdir(name); err != nil {
			return err
		}
	}
	if _, err := s.root.Lstat(formatName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.writeFile(formatName, []byte(formatText))
}

// readFile reads a regular file of at most limit bytes, by no link.
func (s *Store) readFile(name string, limit int64) ([]byte, error) {
	return readAt(s.fd, name, limit)
}

// rel is a path below the store for people.
func (s *Store) shown(name string) string {
	return filepath.Join(s.dir, filepath.FromSlash(path.Clean(name)))
}

// explain attaches the way out to what a disk refuses.
func explain(err error, system bool) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hint.With(err, "free some space and try again; nothing was left half-made")
	case errors.Is(err, unix.EROFS):
		return hint.With(err, "the disk is read-only")
	case system && errors.Is(err, fs.ErrPermission):
		return hint.With(err, "only root changes the store of the machine")
	case errors.Is(err, fs.ErrPermission):
		return hint.With(err, "it must be yours to write; XDG_DATA_HOME names another place for it")
	}
	return err
}
