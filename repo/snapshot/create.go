package snapshot

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Options say what a snapshot is for.
type Options struct {
	Reason  Reason
	N       uint64 // the release that is current
	Version string
	Note    string
	Keep    int // automatic snapshots that stay, this one among them; 0: Kept

	// Freeze holds the running instances of the app still until thaw is called. nil:
	// a running app is refused.
	Freeze func() (thaw func(), err error)
}

// Kept is how many automatic snapshots of an app stay.
const Kept = 5

// Create makes a snapshot of the home as it is.
func (h *Home) Create(ctx context.Context, o Options) (Info, error) {
	w, err := h.begin(ctx)
	if err != nil {
		return Info{}, err
	}
	defer w.close()
	info, err := w.create(o)
	if err != nil {
		return Info{}, explain(fmt.Errorf("cannot make a snapshot of the data of %s: %w", h.ID, err))
	}
	if info.Automatic() {
		if err := w.prune(o.Keep); err != nil {
			return info, explain(fmt.Errorf("cannot remove old snapshots of %s: %w", h.ID, err))
		}
	}
	return info, nil
}

func (w *work) create(o Options) (Info, error) {
	running, err := w.still()
	if err != nil {
		return Info{}, err
	}
	thaw := func() {}
	if running {
		if o.Freeze == nil {
			return Info{}, hint.With(ErrRunning, "end it first: sandbox stop %s", w.h.ID)
		}
		if thaw, err = o.Freeze(); err != nil {
			return Info{}, err
		}
	}
	home, st, err := w.openHome()
	if err != nil {
		thaw()
		return Info{}, err
	}
	defer unix.Close(home)
	tmp := hidden("new")
	c, err := w.copyTo(tmp, home, st, true)
	// On the disk before anything goes on: a page that stays writable would let an
	// app change a file without a new time.
	if err == nil {
		err = w.sync()
	}
	thaw()
	if err != nil {
		w.purge(tmp)
		return Info{}, err
	}
	info := Info{App: string(w.h.ID), Time: time.Now().UTC().Truncate(time.Second), Reason: o.Reason, N: o.N, Version: o.Version, Note: o.Note,
		Running: running, Files: c.files, Bytes: c.bytes, Copied: c.copied, Skipped: c.skipped}
	if err := w.describe(tmp, &info, c.index); err != nil {
		w.purge(tmp)
		return Info{}, err
	}
	return info, w.publish(tmp, &info)
}

func (w *work) openHome() (int, *unix.Stat_t, error) {
	fd, err := unix.Openat(w.app, homeName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return -1, nil, ErrNoHome
	}
	if err != nil {
		return -1, nil, os.NewSyscallError("open", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, &st, nil
}

// copyTo makes snapshots/tmp/home a copy of an open directory. Copies of the home
// may share files with the snapshot before; one that will become the home must
// not.
func (w *work) copyTo(tmp string, from int, st *unix.Stat_t, share bool) (*copier, error) {
	if err := w.h.step("mkdir %s", tmp); err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(w.snaps, tmp, 0o700); err != nil {
		return nil, os.NewSyscallError("mkdir", err)
	}
	dir, err := unix.Openat(w.snaps, tmp, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	defer unix.Close(dir)
	if err := unix.Mkdirat(dir, homeName, 0o700); err != nil {
		return nil, os.NewSyscallError("mkdir", err)
	}
	to, err := unix.Openat(dir, homeName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	defer unix.Close(to)
	c := &copier{h: w.h, ctx: w.ctx, clone: &w.h.clone, top: to, links: map[inode]string{}, young: time.Now().UnixNano() - margin}
	old := -1
	if share {
		old = w.last(c)
		if old >= 0 {
			defer unix.Close(old)
		}
	}
	if err := c.tree(dirs{from, to, old}, "", 0); err != nil {
		return c, err
	}
	return c, c.settle(to, homeName, st)
}

// last opens the newest snapshot that has an index, for its files.
func (w *work) last(c *copier) int {
	infos, err := list(w.snaps)
	if err != nil {
		return -1
	}
	for i := len(infos) - 1; i >= 0; i-- {
		if c.before = readIndex(w.snaps, infos[i].Name); c.before == nil {
			continue
		}
		dir, err := unix.Openat(w.snaps, infos[i].Name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		fd, err := unix.Openat(dir, homeName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(dir)
		if err == nil {
			return fd
		}
	}
	return -1
}

// describe writes what goes beside a copy.
func (w *work) describe(tmp string, info *Info, index []entry) error {
	dir, err := unix.Openat(w.snaps, tmp, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(dir)
	if index != nil {
		if err := w.write(dir, indexName, encodeIndex(index)); err != nil {
			return err
		}
	}
	if err := w.writeInfo(dir, *info); err != nil {
		return err
	}
	return os.NewSyscallError("fsync", unix.Fsync(dir))
}

// publish gives a complete snapshot its name: one that comes after all others.
func (w *work) publish(tmp string, info *Info) error {
	infos, err := list(w.snaps)
	if err != nil {
		return err
	}
	info.Name = nameOf(info.Time, 1)
	if len(infos) > 0 {
		// A clock that was set back must not turn the order around.
		if last := infos[len(infos)-1].Name; last >= info.Name {
			info.Name = nameOf(stamp(last), number(last)+1)
		}
	}
	return w.rename(w.snaps, tmp, w.snaps, info.Name)
}

// prune removes the oldest automatic snapshots beyond those that stay.
func (w *work) prune(keep int) error {
	if keep == 0 {
		keep = Kept
	}
	infos, err := list(w.snaps)
	if err != nil {
		return err
	}
	for i := len(infos) - 1; i >= 0; i-- {
		if !infos[i].Automatic() {
			continue
		}
		if keep--; keep >= 0 {
			continue
		}
		if err := w.discard(infos[i].Name); err != nil {
			return err
		}
	}
	return nil
}
