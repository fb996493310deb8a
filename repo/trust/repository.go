package trust

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"sandbox/internal/hint"
)

// Fetcher brings the files of a repository, as remote.Source does.
type Fetcher interface {
	Fetch(ctx context.Context, path string, max int64) ([]byte, error)
	String() string
}

// Options say how a repository is looked at.
type Options struct {
	Dir      string           // the remote's directory, in which Init was called; "" with Root
	Root     []byte           // trusted in place of what Dir holds
	ReadOnly bool             // Dir is somebody else's: nothing is written
	Now      func() time.Time // nil for the clock
	// Expired takes metadata that has expired and keeps nothing of it; what had
	// expired is in Stale.
	Expired bool
	// NotFound tells that an error of the Fetcher means that there is no such file.
	NotFound func(error) bool
}

// Repository is the verified view of one repository. Its methods may be used by
// several goroutines once Refresh or Load has returned.
type Repository struct {
	src Fetcher
	opt Options

	mu      sync.Mutex // guards what follows
	tm      *trustedmetadata.TrustedMetadata
	now     time.Time // the latest that this machine has seen
	checked time.Time
	stale   []string
	lenient bool            // dates do not count
	asked   map[string]bool // roles, since Export has begun
}

// New prepares a view. src may be nil when only Load follows.
func New(src Fetcher, opt Options) *Repository {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Repository{src: src, opt: opt}
}

// Checked is when the repository was last asked and all was well.
func (r *Repository) Checked() time.Time { return r.checked }

// Stale lists what had expired and was taken all the same.
func (r *Repository) Stale() []string { return r.stale }

// start loads the newest trusted root. It sets the time by which things expire.
func (r *Repository) start() (state, error) {
	st, err := r.readState()
	if err != nil {
		return st, err
	}
	data := r.opt.Root
	if data == nil {
		if data, err = newestRoot(r.opt.Dir); err != nil {
			return st, err
		}
	}
	if _, err := parseRoot(data); err != nil {
		return st, fmt.Errorf("cannot trust the stored root: %w", err)
	}
	if r.tm, err = trustedmetadata.New(data); err != nil {
		return st, fmt.Errorf("cannot trust the stored root: %w", translate(err))
	}
	r.now, r.checked, r.stale = r.opt.Now().UTC(), st.Checked, nil
	if st.Checked.After(r.now) {
		r.now = st.Checked // a clock that is set back makes nothing younger
	}
	// The library asks the clock by itself otherwise. Without a time nothing
	// expires for it; unexpired sees to that in either case.
	r.tm.RefTime = r.now
	if r.lenient = r.lenient || r.opt.Expired; r.lenient {
		r.tm.RefTime = time.Time{}
	}
	return st, nil
}

// unexpired refuses what is past its date, or notes it.
func (r *Repository) unexpired(what string, expires time.Time) error {
	if !r.now.After(expires) {
		return nil
	}
	const day = "2006-01-02 15:04 UTC"
	if r.lenient {
		r.stale = append(r.stale, fmt.Sprintf("%s (%s)", what, expires.UTC().Format(day)))
		return nil
	}
	err := fmt.Errorf("cannot trust its %s: %w on %s", what, ErrExpired, expires.UTC().Format(day))
	if clock := r.opt.Now().UTC(); clock.Before(r.now) {
		return hint.With(err, "this machine's clock says %s, but it has been later already", clock.Format(day))
	}
	return hint.With(err, "either nobody renews it ('sandbox repo refresh' does), or somebody keeps newer metadata from you, or this machine's clock is wrong")
}

// Refresh asks the repository for its newest metadata and verifies it from the
// root down. What it stores is complete; on an error the stored state is as
// before, but for newer roots.
func (r *Repository) Refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := r.start()
	if err != nil {
		return err
	}
	if err := r.walkRoots(ctx); err != nil {
		return err
	}
	if st.Timestamp, err = r.newTimestamp(ctx, st.Timestamp); err != nil {
		return err
	}
	if st.Snapshot, err = r.newSnapshot(ctx, st.Snapshot); err != nil {
		return err
	}
	if _, err := r.role(ctx, metadata.TARGETS); err != nil {
		return err
	}
	if r.opt.Expired {
		return nil
	}
	st.Checked, r.checked = r.now, r.now
	if err := r.writeState(st); err != nil {
		return err
	}
	r.tidy()
	return nil
}

// Load takes the view that is stored, of whatever age: it is for looking, not
// for installing. What has expired is in Stale.
func (r *Repository) Load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lenient = true
	st, err := r.start()
	if err != nil {
		return err
	}
	if st.Timestamp == "" {
		return hint.With(fmt.Errorf("cannot tell what it holds: %w", ErrNeverSeen), "'sandbox update' asks it")
	}
	if err := r.unexpired("root", r.tm.Root.Signed.Expires); err != nil {
		return err
	}
	if err := r.useTimestamp([]byte(st.Timestamp)); err != nil {
		return fmt.Errorf("cannot trust the stored timestamp: %w", err)
	}
	if err := r.useSnapshot([]byte(st.Snapshot)); err != nil {
		return fmt.Errorf("cannot trust the stored snapshot: %w", err)
	}
	_, err = r.role(ctx, metadata.TARGETS)
	return err
}

// fetch brings a file and names it in errors.
func (r *Repository) fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	if r.src == nil {
		return nil, errors.New("it is not stored here")
	}
	return r.src.Fetch(ctx, path, max)
}
