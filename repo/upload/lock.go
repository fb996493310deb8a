package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo/publish"
)

// lockFile lies on the server while somebody changes the repository behind ssh, or
// removes files from a bucket.
const lockFile = publish.UploadLock

// holder is what the lock says.
type holder struct {
	Token string    `json:"token"` // known to the working copy that it was taken from
	Who   string    `json:"who"`
	Since time.Time `json:"since"`
}

func (h holder) String() string {
	if h.Who == "" {
		return "somebody"
	}
	return fmt.Sprintf("%s, since %s", safe.Text(h.Who), h.Since.Format("2006-01-02 15:04 MST"))
}

var errLocked = errors.New("it is locked")

// lock waits until the lock is ours. One that this very working copy left behind
// is ours: its process is gone, since the copy is claimed.
func (p *Place) lock(ctx context.Context, wait func(string)) (unlock func(), err error) {
	h := holder{Token: random() + random(), Who: whoami(), Since: time.Now().UTC().Truncate(time.Second)}
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	mine := p.token()
	if err := os.WriteFile(filepath.Join(p.home, "token"), []byte(mine+"\n"+h.Token), 0o600); err != nil {
		return nil, err
	}
	var waited watch
	for {
		err := p.put(ctx, step{name: lockFile, when: condition{absent: true}}, bytesOf(data), nil)
		if err == nil {
			break
		}
		if !errors.Is(err, errCondition) {
			return nil, err
		}
		if err := p.heed(ctx, &waited, mine, wait); err != nil {
			os.WriteFile(filepath.Join(p.home, "token"), []byte(mine), 0o600)
			return nil, err
		}
	}
	os.WriteFile(filepath.Join(p.home, "token"), []byte(h.Token), 0o600)
	if err := p.sweepStrays(ctx); err != nil {
		p.end(ctx)
		return nil, err
	}
	return func() { p.end(ctx) }, nil
}

// token is what the locks of this working copy say: the last, and the one that
// was about to follow.
func (p *Place) token() string {
	data, _ := os.ReadFile(filepath.Join(p.home, "token"))
	return strings.TrimSpace(string(data))
}

// end gives the lock up, even when the change was.
func (p *Place) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := p.retry(ctx, func() error { return p.store.remove(ctx, lockFile) }); err != nil {
		p.warn("the lock stays on the server (%v); the next change from here lifts it, and 'sandbox repo unlock %s'", err, p)
	}
}

// watch is how long one holder was waited for.
type watch struct {
	holder string
	since  time.Time
	vain   int // times the lock went and was there nevertheless
}

// again is for a lock that is no more: the next look should find none. A server may
// say otherwise for a moment, but not for ever.
func (w *watch) again(ctx context.Context, backoff time.Duration) error {
	if w.vain++; w.vain > attempts {
		return hint.With(errors.New("the server says that it is locked, and that it is not"), "look at what else writes %s there, or keeps it in a cache", lockFile)
	}
	if w.vain == 1 {
		return nil
	}
	return pause(ctx, backoff, 1)
}

// await waits until nobody holds the lock.
func (p *Place) await(ctx context.Context, w *watch, wait func(string)) error {
	for {
		_, err := p.readLock(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			return w.again(ctx, p.backoff)
		}
		if err == nil {
			err = p.heed(ctx, w, p.token(), wait)
		}
		if err != nil {
			return err
		}
	}
}

// heed looks who holds the lock: it lifts our own, and waits a little for others.
func (p *Place) heed(ctx context.Context, w *watch, mine string, wait func(string)) error {
	h, err := p.readLock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return w.again(ctx, p.backoff)
	}
	if err != nil {
		return err
	}
	if slices.Contains(strings.Fields(mine), h.Token) {
		if err := p.retry(ctx, func() error { return p.store.remove(ctx, lockFile) }); err != nil {
			return err
		}
		return w.again(ctx, p.backoff)
	}
	way := fmt.Sprintf("when nobody is at work there any more, 'sandbox repo unlock %s' lifts it", p)
	switch id := h.Token + h.Who; {
	case w.holder != id:
		w.holder, w.since, w.vain = id, time.Now(), 0
		if wait != nil {
			wait(h.String())
		}
		p.report(publish.Event{Stage: "waiting", Text: way})
	case time.Since(w.since) > p.patience:
		return hint.With(fmt.Errorf("%w by %s", errLocked, h), "%s", way)
	}
	return pause(ctx, p.backoff, 1)
}

func (p *Place) readLock(ctx context.Context) (h holder, err error) {
	data, _, err := p.read(ctx, lockFile)
	if err != nil {
		return h, err
	}
	json.Unmarshal(data, &h) // what cannot be read is somebody's
	if len(h.Who) > 200 {
		h.Who = h.Who[:200]
	}
	return h, nil
}

// Unlock lifts the lock, whoever holds it, and says whose it was; "" when there was
// none.
func (p *Place) Unlock(ctx context.Context) (string, error) {
	h, err := p.readLock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = p.retry(ctx, func() error { return p.store.remove(ctx, lockFile) })
	}
	if err != nil {
		return "", p.failed("unlock", err)
	}
	return h.String(), nil
}

// sweepStrays removes what uploads left that were cut off: we hold the lock, so
// nobody is at one.
func (p *Place) sweepStrays(ctx context.Context) error {
	if p.Scheme != "ssh" {
		return nil
	}
	files, err := p.list(ctx)
	if err != nil {
		return err
	}
	for name := range files {
		if isStray(name) {
			if err := p.retry(ctx, func() error { return p.store.remove(ctx, name) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func isStray(name string) bool {
	return strings.HasPrefix(name[strings.LastIndexByte(name, '/')+1:], strayPrefix)
}

func whoami() string {
	name := fmt.Sprint(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("%s@%s (process %d)", name, host, os.Getpid())
}

// maxSmall bounds a file whose content changes.
const maxSmall = 16 << 20

// read reads a small file as a whole.
func (p *Place) read(ctx context.Context, name string) (data []byte, tag string, err error) {
	err = p.retry(ctx, func() error {
		body, t, err := p.store.get(ctx, name)
		if err != nil {
			return err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, maxSmall+1)); err != nil {
			return err
		}
		if len(data) > maxSmall {
			return fmt.Errorf("%s has more than %d bytes", name, maxSmall)
		}
		tag = t
		return nil
	})
	return data, tag, err
}
