package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// Options is what every operation on a repository needs.
type Options struct {
	Keys     []key.Signer // named for this run
	Ring     *key.Ring    // where to look for what else is needed; may be nil
	Progress func(Event)  // may be nil
	Now      func() time.Time

	// ReadOnly takes no lock and writes nothing: to look at a repository that
	// may be somebody else's.
	ReadOnly bool

	// Called is what messages call the repository; "": its directory.
	Called string

	// Elsewhere is set where the directory is a working copy.
	Elsewhere Elsewhere

	// Wait is told who holds the lock when it is not free; may be nil.
	Wait func(holder string)

	fault func(step string) error // tests: called after each step of a transaction
}

// Event is what Progress is told.
type Event struct {
	Stage, Text string
	Done, Total int64
	Warning     bool
}

func (o *Options) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC().Truncate(time.Second)
	}
	return time.Now().UTC().Truncate(time.Second)
}

// Repository is one that is open: verified, and locked against other
// publishers until Close. After an error it is good for nothing but Close: what
// is in memory may be ahead of what is on disk.
type Repository struct {
	Options
	dir    string
	bins   int
	config config
	unlock func()

	first     *metadata.Metadata[metadata.RootType]
	root      *metadata.Metadata[metadata.RootType]
	before    *metadata.Metadata[metadata.RootType] // the root before root, or nil
	timestamp *metadata.Metadata[metadata.TimestampType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	targets   *metadata.Metadata[metadata.TargetsType]
	roles     map[string]*metadata.Metadata[metadata.TargetsType]

	entries map[*metadata.TargetFiles]*entry // what was parsed

	chain chain
	// upcoming is a root that is about to follow: top roles are signed for
	// both.
	upcoming *metadata.Metadata[metadata.RootType]
	// stale: the top metadata is signed for the root before this one, because
	// a rotation was cut short. The next transaction signs all of it again.
	stale   bool
	dirty   map[string]bool // delegated roles to be signed by commit, and "targets"
	objects *index          // loaded when it is first needed
	written []string        // files to be brought to disk before the timestamp
	swept   []string        // files that gc removed

	telling sync.Mutex // Progress is called by one goroutine at a time
}

func (r *Repository) tell(stage, text string, done, total int64) {
	r.report(Event{Stage: stage, Text: text, Done: done, Total: total})
}

func (r *Repository) warn(format string, args ...any) {
	r.report(Event{Text: fmt.Sprintf(format, args...), Warning: true})
}

func (r *Repository) report(e Event) {
	if r.Progress != nil {
		r.telling.Lock()
		defer r.telling.Unlock()
		r.Progress(e)
	}
}

// Open locks the repository in dir and verifies all its metadata.
func Open(ctx context.Context, dir string, o Options) (*Repository, error) {
	r := &Repository{Options: o, dir: dir, dirty: map[string]bool{}}
	r.chain = chain{given: o.Keys, ring: o.Ring}
	if err := r.open(ctx); err != nil {
		r.Close()
		return nil, explain(fmt.Errorf("cannot open repository %q: %w", r.called(), err))
	}
	return r, nil
}

func (r *Repository) open(ctx context.Context) (err error) {
	if r.bins, err = readLayout(r.dir); err != nil {
		return err
	}
	if !r.ReadOnly {
		if r.unlock, err = lock(ctx, r.dir, r.Wait); err != nil {
			return err
		}
	}
	if r.config, err = readConfig(r.dir); err != nil {
		return err
	}
	return r.load()
}

// Close lets other publishers in. It may be called more than once.
func (r *Repository) Close() {
	if r.unlock != nil {
		r.unlock()
		r.unlock = nil
	}
}

// Dir is where the repository is.
func (r *Repository) Dir() string { return r.dir }

// called is what messages call it.
func (r *Repository) called() string { return cmp.Or(r.Called, r.dir) }

// Fingerprint names the repository.
func (r *Repository) Fingerprint() (string, error) { return Fingerprint(r.first) }

func (r *Repository) path(rel string) string { return filepath.Join(r.dir, filepath.FromSlash(rel)) }

// explain adds the way out to errors of the file system.
func explain(err error) error {
	switch {
	case err == nil || hint.Of(err) != "":
		return err
	case errors.Is(err, noSpace), errors.Is(err, overQuota):
		return hint.With(err, "free some space and run it again: nothing that is published was changed")
	case errors.Is(err, readOnly):
		return hint.With(err, "the file system is mounted read-only")
	case errors.Is(err, fs.ErrPermission):
		return hint.With(err, "the repository belongs to somebody else: run it as the user who owns it")
	}
	return err
}
