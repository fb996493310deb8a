package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stateDir holds what is the publisher's and not the repository's: the lock,
// settings and what is quicker to keep than to find out again. Web servers and
// mirrors pass over it; losing it loses nothing that is signed.
const stateDir = ".publish"

const (
	noSpace   = unix.ENOSPC
	overQuota = unix.EDQUOT
	readOnly  = unix.EROFS
)

// Lock keeps out whoever else locks dir, until unlock; Open does it by itself.
func Lock(ctx context.Context, dir string, wait func(holder string)) (unlock func(), err error) {
	return lock(ctx, dir, wait)
}

// lock waits until no other publisher works on dir. The file says who does, for
// people; the lock itself is the kernel's and goes with its process.
func lock(ctx context.Context, dir string, wait func(holder string)) (unlock func(), err error) {
	state := filepath.Join(dir, stateDir)
	if err := os.Mkdir(state, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(state, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			break
		}
		if !told && wait != nil {
			told = true
			holder, _ := io.ReadAll(io.LimitReader(f, 200))
			wait(strings.TrimSpace(string(holder)))
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another publisher is at work: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("flock: %w", err)
	}
	f.Truncate(0)
	f.WriteAt(fmt.Appendf(nil, "process %d of uid %d\n", os.Getpid(), os.Getuid()), 0)
	return func() {
		f.Truncate(0)
		f.Close()
	}, nil
}
