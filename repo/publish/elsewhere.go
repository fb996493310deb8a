package publish

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/repo"
)

// Elsewhere is what a repository holds that its directory lacks: the directory
// is a working copy then, with all of the repository but the packs, and somebody
// else (package upload) brings to the repository what changes in it.
type Elsewhere struct {
	Packs map[string]int64 // their lengths, by the names of the files

	// Fetch brings a pack of this length into the directory. It is set in every
	// working copy.
	Fetch func(ctx context.Context, name string, length int64) error
}

// openPack opens a pack, and has it fetched first where it is elsewhere.
func (r *Repository) openPack(ctx context.Context, p repo.PackInfo) (*os.File, error) {
	name := repo.PackPath(p.Digest)
	f, err := os.Open(r.path(name))
	if _, there := r.Elsewhere.Packs[name]; !there || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := r.Elsewhere.Fetch(ctx, name, p.Length); err != nil {
		return nil, err
	}
	return os.Open(r.path(name))
}

// visitElsewhere calls visit for the packs that are not in the directory.
func (r *Repository) visitElsewhere(visit func(name string, size int64) error) error {
	for name, size := range r.Elsewhere.Packs {
		if _, err := os.Lstat(r.path(name)); err == nil {
			continue // seen there
		}
		if err := visit(name, size); err != nil {
			return err
		}
	}
	return nil
}

// Needed names the files that clients may ask for: what every release refers to
// and the newest metadata. Packs are among them only where a locator refers to
// them that is fresh: to read all locators takes long.
func (r *Repository) Needed(ctx context.Context, fresh func(name string) bool) (map[string]bool, error) {
	return r.mark(ctx, fresh)
}

// Swept names what GC has removed since the repository was opened.
func (r *Repository) Swept() []string { return r.swept }

// RootFirst reports whether clients must have the newest root before the
// timestamp, because the root before it vouches for none of the keys that
// signed the timestamp.
func (r *Repository) RootFirst() bool {
	return r.before != nil && r.before.VerifyDelegate(metadata.TIMESTAMP, r.timestamp) != nil
}

// Names of files whose content changes.
const (
	TimestampFile = timestampFile
	LayoutFile    = layoutFile
	ConfigFile    = configFile
	WaitingFile   = waitingFile
	StateDir      = stateDir
	RemoteSuffix  = remoteSuffix
	TempPrefix    = tempPrefix
)

// Headers are what a server says of a file: how long caches may keep it, and its
// type. A name that no repository has is not ok.
func Headers(name string) (cache, kind string, ok bool) {
	cache, _ = policy(name)
	return cache, contentType(name), cache != ""
}

// Constant reports whether a file never changes, so that whoever has it need not
// ask again.
func Constant(name string) bool { return hashed().MatchString(name) || versioned().MatchString(name) }
