package snapshot

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/repo/installed"
)

// Restore puts a copy of a snapshot, by its whole name, in the place of the home.
// The home that was there becomes a snapshot, which saved describes; it is empty
// when there was none. o says which release was current, and why it is done.
func (h *Home) Restore(ctx context.Context, name string, o Options) (saved Info, err error) {
	w, err := h.begin(ctx)
	if err != nil {
		return Info{}, err
	}
	defer w.close()
	if saved, err = w.restore(name, o); err != nil {
		return Info{}, explain(fmt.Errorf("cannot restore the data of %s: %w", h.ID, err))
	}
	if err := w.prune(o.Keep); err != nil {
		return saved, explain(fmt.Errorf("cannot remove old snapshots of %s: %w", h.ID, err))
	}
	return saved, nil
}

func (w *work) restore(name string, o Options) (Info, error) {
	if !validName(name) {
		return Info{}, noSnapshot(name)
	}
	if err := w.refuseRunning(); err != nil {
		return Info{}, err
	}
	from, err := installed.Beneath(w.snaps, name+"/"+homeName, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == unix.ENOENT {
		return Info{}, noSnapshot(name)
	}
	if err != nil {
		return Info{}, os.NewSyscallError("open", err)
	}
	defer unix.Close(from)
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return Info{}, err
	}
	tmp := hidden("new")
	_, err = w.copyTo(tmp, from, &st, false)
	if err == nil {
		err = w.sync()
	}
	if err != nil {
		w.purge(tmp)
		return Info{}, err
	}
	info := Info{App: string(w.h.ID), Time: time.Now().UTC().Truncate(time.Second), Reason: o.Reason, N: o.N, Version: o.Version, Note: o.Note}
	w.measure(&info)
	if err := w.describe(tmp, &info, nil); err != nil {
		w.purge(tmp)
		return Info{}, err
	}
	return w.exchange(tmp, info)
}

// measure counts what is in the home that becomes a snapshot.
func (w *work) measure(info *Info) {
	home, _, err := w.openHome()
	if err != nil {
		return
	}
	defer unix.Close(home)
	count(home, info, 0)
}

func count(dir int, info *Info, depth int) {
	names, err := installed.Names(dir)
	if err != nil || depth > maxDepth {
		return
	}
	for _, n := range names {
		var st unix.Stat_t
		if unix.Fstatat(dir, n, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			info.Files++
			info.Bytes += st.Size
		case unix.S_IFDIR:
			if fd, err := unix.Openat(dir, n, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
				count(fd, info, depth+1)
				unix.Close(fd)
			}
		}
	}
}

// exchange makes the copy in tmp the home. Its description is already that of the
// home which takes its place there, and the name says which inode the copy has:
// whoever finds it after a crash sees whether the exchange has taken place.
func (w *work) exchange(tmp string, info Info) (Info, error) {
	dir, err := unix.Openat(w.snaps, tmp, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return Info{}, os.NewSyscallError("open", err)
	}
	defer unix.Close(dir)
	var copied unix.Stat_t
	if err := unix.Fstatat(dir, homeName, &copied, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Info{}, os.NewSyscallError("stat", err)
	}
	swap := fmt.Sprintf(".swap-%d", copied.Ino)
	if err := w.rename(w.snaps, tmp, w.snaps, swap); err != nil {
		return Info{}, err
	}
	if err := w.h.step("exchange"); err != nil {
		return Info{}, err
	}
	err = unix.EINVAL
	if !w.h.plain {
		err = unix.Renameat2(dir, homeName, w.app, homeName, unix.RENAME_EXCHANGE)
	} else if !w.h.Exists() {
		err = unix.ENOENT
	}
	switch err {
	case nil:
	case unix.ENOENT: // there was no home
		if err := w.rename(dir, homeName, w.app, homeName); err != nil {
			return Info{}, err
		}
		return Info{}, w.purge(swap)
	case unix.EINVAL, unix.ENOSYS:
		if err := w.exchangeByTwo(dir); err != nil {
			return Info{}, err
		}
	default:
		return Info{}, os.NewSyscallError("renameat2", err)
	}
	if err := unix.Fsync(w.app); err != nil {
		return Info{}, os.NewSyscallError("fsync", err)
	}
	if err := unix.Fsync(dir); err != nil {
		return Info{}, os.NewSyscallError("fsync", err)
	}
	return info, w.publish(swap, &info)
}

// exchangeByTwo is for file systems that cannot exchange names: for a moment there
// is no home, and finish knows what to do about that.
func (w *work) exchangeByTwo(dir int) error {
	if err := w.rename(w.app, homeName, dir, "replaced"); err != nil {
		return err
	}
	if err := w.rename(dir, homeName, w.app, homeName); err != nil {
		return err
	}
	return w.rename(dir, "replaced", dir, homeName)
}

// finish ends an exchange that was interrupted: forward when the copy is the home
// already, else back.
func (w *work) finish(swap string) error {
	dir, err := unix.Openat(w.snaps, swap, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(dir)
	var copied uint64
	if _, err := fmt.Sscanf(swap, ".swap-%d", &copied); err != nil {
		return w.purge(swap)
	}
	var here, home, replaced unix.Stat_t
	isHere := unix.Fstatat(dir, homeName, &here, unix.AT_SYMLINK_NOFOLLOW) == nil
	isHome := unix.Fstatat(w.app, homeName, &home, unix.AT_SYMLINK_NOFOLLOW) == nil
	isReplaced := unix.Fstatat(dir, "replaced", &replaced, unix.AT_SYMLINK_NOFOLLOW) == nil
	switch {
	case isReplaced && !isHome: // between the two: back
		if err := w.rename(dir, "replaced", w.app, homeName); err != nil {
			return err
		}
		return w.purge(swap)
	case isReplaced:
		// The copy is the home; or an app began in between and has made a new one.
		if isHere {
			if err := w.purgeIn(dir, homeName); err != nil {
				return err
			}
		}
		if err := w.rename(dir, "replaced", dir, homeName); err != nil {
			return err
		}
	case !isHere || here.Ino == copied:
		return w.purge(swap)
	}
	info, err := readInfo(w.snaps, swap)
	if err != nil {
		info = Info{App: string(w.h.ID), Time: time.Now().UTC().Truncate(time.Second), Reason: Restored}
	}
	return w.publish(swap, &info)
}
