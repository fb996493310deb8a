package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
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
	if err := heedUpload(ctx, filepath.Join(dir, UploadLock), wait); err != nil {
		f.Close()
		return nil, err
	}
	f.Truncate(0)
	f.WriteAt(fmt.Appendf(nil, "process %d of uid %d\n", os.Getpid(), os.Getuid()), 0)
	return func() {
		f.Truncate(0)
		f.Close()
	}, nil
}

// UploadLock is there while somebody changes the repository over a network, where
// the kernel's locks do not reach.
const UploadLock = stateDir + "/upload.lock"

// uploadPatience is how long an upload is waited for.
var uploadPatience = 10 * time.Minute

// heedUpload waits until nobody puts files here over a network.
func heedUpload(ctx context.Context, path string, wait func(holder string)) error {
	end := time.Now().Add(uploadPatience)
	for told := false; ; {
		data, err := readBounded(path, maxLayout)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		var doc struct{ Who string }
		json.Unmarshal(data, &doc)
		who := safe.Text(doc.Who)
		if !told && wait != nil {
			told = true
			wait(who)
		}
		if time.Now().After(end) {
			return hint.With(fmt.Errorf("it is locked by %s, who came over the network", who), "when nobody is at work there any more, remove %s", path)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another publisher is at work: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
