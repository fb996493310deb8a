package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"crypto/rand"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

// ErrNoHome is returned when the app has no home: it has never run.
var ErrNoHome = errors.New("the app has no home yet")

// ErrRunning is returned when an instance of the app runs.
var ErrRunning = errors.New("the app is running")

const (
	homeName  = "home"
	snapsName = "snapshots"
	lockName  = "lock"
)

// Home is the place of one app.
type Home struct {
	ID   manifest.ID
	data string // of the user: disk.Dirs.Data
	dir  string // data/app/ID

	fault func(step string) error // called before each change; of tests
	plain bool                    // pretends that names cannot be exchanged; of tests
	clone int                     // whether files can be cloned here: 0 is not known yet
}

// Of is the place of an app; it need not be there.
func Of(d disk.Dirs, id manifest.ID) *Home {
	return &Home{ID: id, data: d.Data, dir: filepath.Join(d.Data, "app", string(id))}
}

// Dir holds the home and its snapshots.
func (h *Home) Dir() string { return h.dir }

// Exists reports whether the app has a home.
func (h *Home) Exists() bool {
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(h.dir, homeName), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Known reports whether there is anything of the app: a home or snapshots.
func (h *Home) Known() bool {
	var st unix.Stat_t
	return unix.Lstat(h.dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Running reports whether an instance runs in the home just now.
func (h *Home) Running() bool {
	fd, err := unix.Open(filepath.Join(h.dir, disk.HomeLock), unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	running, _ := behind(fd)
	return running
}

// All are the apps of which there is a home or a snapshot, by id.
func All(d disk.Dirs) ([]*Home, error) {
	names, err := os.ReadDir(filepath.Join(d.Data, "app"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the homes of apps: %w", err)
	}
	var list []*Home
	for _, n := range names {
		if id, err := manifest.ParseID(n.Name()); err == nil && n.IsDir() {
			list = append(list, Of(d, id))
		}
	}
	return list, nil
}

func (h *Home) step(format string, args ...any) error {
	if h.fault == nil {
		return nil
	}
	return h.fault(fmt.Sprintf(format, args...))
}

// work is what one operation has open.
type work struct {
	h     *Home
	ctx   context.Context
	app   int // the app's directory
	snaps int // its snapshots
	locks []int
}

func (w *work) close() {
	for _, fd := range append(w.locks, w.snaps, w.app) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// begin opens the app's directory, has it for itself among those who snapshot,
// and clears away what an interrupted one left.
func (h *Home) begin(ctx context.Context) (*work, error) {
	w := &work{h: h, ctx: ctx, app: -1, snaps: -1}
	var err error
	if w.app, err = unix.Open(h.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == unix.ENOENT {
		return nil, ErrNoHome
	} else if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", h.dir, err)
	}
	if err = ours(w.app); err == nil {
		if err = unix.Mkdirat(w.app, snapsName, 0o700); err == unix.EEXIST {
			err = nil
		}
	}
	if err == nil {
		w.snaps, err = unix.Openat(w.app, snapsName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		err = w.alone()
	}
	if err == nil {
		err = w.clear()
	}
	if err != nil {
		w.close()
		return nil, explain(fmt.Errorf("cannot use the snapshots of %s: %w", h.ID, err))
	}
	return w, nil
}

// ours refuses a directory that another user could have filled.
func ours(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("its directory belongs to uid %d with mode %#o", st.Uid, st.Mode&0o7777)
	}
	return nil
}

func openLock(dir int, name string) (int, error) {
	return unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
}

func (w *work) alone() error {
	fd, err := openLock(w.snaps, lockName)
	if err != nil {
		return err
	}
	w.locks = append(w.locks, fd)
	for {
		if err := disk.TryExclusive(fd); !errors.Is(err, disk.ErrLocked) {
			return err
		}
		select {
		case <-w.ctx.Done():
			return errors.New("another snapshot of it is being made")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// still lets no further instance begin until the end of the work, and reports
// whether one runs already.
func (w *work) still() (running bool, err error) {
	fd, err := openLock(w.app, disk.HomeLock)
	if err != nil {
		return false, err
	}
	w.locks = append(w.locks, fd)
	if err := disk.CloseGate(fd); err != nil {
		return false, err
	}
	return behind(fd)
}

// behind locks what instances hold, and reports whether one does.
func behind(fd int) (running bool, err error) {
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err = disk.TryBehind(fd)
		if !errors.Is(err, disk.ErrLocked) {
			return false, err
		}
		if time.Since(start) > ending {
			return true, nil
		}
	}
}

// ending is how long a supervisor may take to end after its instance.
const ending = 100 * time.Millisecond

func (w *work) refuseRunning() error {
	running, err := w.still()
	if err == nil && running {
		err = hint.With(ErrRunning, "end it first: sandbox stop %s", w.h.ID)
	}
	return err
}

// sync forces everything to the disk.
func (w *work) sync() error {
	if err := w.h.step("syncfs"); err != nil {
		return err
	}
	return os.NewSyscallError("syncfs", unix.Syncfs(w.app))
}

func (w *work) rename(fromDir int, from string, toDir int, to string) error {
	if err := w.h.step("rename %s %s", from, to); err != nil {
		return err
	}
	if err := unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE); err != nil {
		if err == unix.EINVAL { // a file system that cannot say "not over another"
			err = unix.Renameat(fromDir, from, toDir, to)
		}
		return os.NewSyscallError("rename", err)
	}
	return os.NewSyscallError("fsync", unix.Fsync(toDir))
}

func hidden(what string) string { return "." + what + "-" + rand.Text() }

func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hint.With(err, "free some space, or delete old snapshots: 'sandbox snapshot delete'; nothing was left half-made")
	case errors.Is(err, unix.EROFS):
		return hint.With(err, "the disk is read-only")
	}
	return err
}
