package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/repo/installed"
)

// Delete removes one snapshot, by its whole name.
func (h *Home) Delete(ctx context.Context, name string) error {
	w, err := h.begin(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	infos, err := list(w.snaps)
	if err != nil {
		return err
	}
	for _, i := range infos {
		if i.Name == name {
			if err := w.discard(name); err != nil {
				return explain(fmt.Errorf("cannot delete the snapshot %s of %s: %w", name, h.ID, err))
			}
			return nil
		}
	}
	return fmt.Errorf("cannot delete the snapshot %q of %s: there is none of that name", name, h.ID)
}

// RemoveAll removes the app's home and every snapshot of it. An app without a home
// is no error.
func (h *Home) RemoveAll(ctx context.Context) error {
	w, err := h.begin(ctx)
	if errors.Is(err, ErrNoHome) {
		return nil
	}
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.removeAll(); err != nil {
		return explain(fmt.Errorf("cannot remove the data of %s: %w", h.ID, err))
	}
	return nil
}

func (w *work) removeAll() error {
	if err := w.refuseRunning(); err != nil {
		return err
	}
	apps, err := unix.Openat(w.app, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(apps)
	out := hidden("gone")
	if err := w.rename(apps, string(w.h.ID), apps, out); err != nil {
		return err
	}
	return w.purgeIn(apps, out)
}

// Sweep removes what interrupted removals of whole apps left in the user's data
// directory.
func Sweep(data string) {
	apps, err := unix.Open(data+"/app", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(apps)
	names, _ := installed.Names(apps)
	for _, n := range names {
		if strings.HasPrefix(n, ".gone-") {
			(&work{h: &Home{}, ctx: context.Background()}).purgeIn(apps, n)
		}
	}
}

// discard takes a snapshot out of sight and removes it.
func (w *work) discard(name string) error {
	out := hidden("gone")
	if err := w.rename(w.snaps, name, w.snaps, out); err != nil {
		return err
	}
	return w.purge(out)
}

func (w *work) purge(name string) error { return w.purgeIn(w.snaps, name) }

// purgeIn removes a tree whatever its modes and however deep it is: an app made
// it. What lies deeper than a few levels is moved up, so that the number of open
// directories is bounded.
func (w *work) purgeIn(dir int, name string) error {
	if err := w.h.step("remove all of %s", name); err != nil {
		return err
	}
	top, err := openToEmpty(dir, name)
	if err == unix.ENOENT {
		return nil
	}
	if err == unix.ENOTDIR || err == unix.ELOOP {
		return os.NewSyscallError("unlink", unix.Unlinkat(dir, name, 0))
	}
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(top)
	p := &purger{top: top}
	for more := true; more; {
		p.moved = 0
		if err := p.empty(top, 0); err != nil {
			return err
		}
		more = p.moved > 0
	}
	return os.NewSyscallError("rmdir", unix.Unlinkat(dir, name, unix.AT_REMOVEDIR))
}

type purger struct {
	top   int
	moved int
}

const shallow = 64

func (p *purger) empty(dir, depth int) error {
	names, err := installed.Names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := unix.Unlinkat(dir, name, 0)
		if err == nil || err == unix.ENOENT {
			continue
		}
		if err != unix.EISDIR && err != unix.EPERM {
			return os.NewSyscallError("unlink", err)
		}
		if depth == shallow {
			if err := p.lift(dir, name); err != nil {
				return err
			}
			continue
		}
		if err := p.dir(dir, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (p *purger) dir(parent int, name string, depth int) error {
	fd, err := openToEmpty(parent, name)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	err = p.empty(fd, depth+1)
	unix.Close(fd)
	if err != nil {
		return err
	}
	return os.NewSyscallError("rmdir", unix.Unlinkat(parent, name, unix.AT_REMOVEDIR))
}

// lift moves a deep directory to the top, where it is found in the next round. A
// directory that is moved must be writable: its ".." changes.
func (p *purger) lift(parent int, name string) error {
	if fd, err := openToEmpty(parent, name); err == nil {
		unix.Close(fd)
	}
	p.moved++
	return os.NewSyscallError("rename", unix.Renameat(parent, name, p.top, hidden("deep")))
}

// openToEmpty opens a directory so that names in it can be removed.
func openToEmpty(dir int, name string) (int, error) {
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(path)
	var st unix.Stat_t
	if err := unix.Fstat(path, &st); err == nil && st.Mode&0o700 != 0o700 {
		unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", path), 0o700)
	}
	return unix.Openat(path, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// clear ends what an interrupted operation began.
func (w *work) clear() error {
	names, err := installed.Names(w.snaps)
	if err != nil {
		return err
	}
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, ".new-"), strings.HasPrefix(n, ".gone-"):
			err = w.purge(n)
		case strings.HasPrefix(n, ".swap-"):
			err = w.finish(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noSnapshot is the error for a name that does not lead to one.
func noSnapshot(name string) error {
	return hint.With(fmt.Errorf("there is no snapshot %q", name), "'sandbox snapshot list' shows those there are")
}
