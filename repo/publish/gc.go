package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandbox/internal/disk"
	"sandbox/repo"
)

// Collection is how GC works.
type Collection struct {
	Now    bool // sweep at once, not after the time that a client may still need a file
	DryRun bool
}

// Collected is what GC did.
type Collected struct {
	Removed   []string // names of files
	Bytes     int64    // that they had
	Rewritten int      // packs
	Waiting   int      // files that nobody refers to and that are kept for some days
}

// keepVersions is how many versions of each role's metadata stay.
const keepVersions = 10

// GC removes what no release needs any more. A client that has read the
// timestamp of today may ask for its files as long as that timestamp lives: so
// a file goes when it has been seen unreferenced for that long and a day. Packs
// more than half of which is of no use are written anew without it; that
// changes locators, never trees or numbers. Roots stay for ever.
func (r *Repository) GC(ctx context.Context, c Collection) (*Collected, error) {
	out, err := r.gc(ctx, c)
	if err != nil {
		return out, explain(fmt.Errorf("cannot collect garbage in %q: %w", r.called(), err))
	}
	return out, nil
}

func (r *Repository) gc(ctx context.Context, c Collection) (*Collected, error) {
	out := &Collected{}
	var err error
	if out.Rewritten, err = r.rewritePacks(ctx, c.DryRun); err != nil {
		return out, err
	}
	live, err := r.mark(ctx, nil)
	if err != nil {
		return out, err
	}
	waiting := r.readWaiting()
	still := map[string]time.Time{}
	now := r.now()
	grace := r.config.timestampLife() + day
	err = r.walk(func(name string, size int64) error {
		if live[name] {
			return nil
		}
		since, known := waiting[name]
		if !known {
			since = now
		}
		if !c.Now && now.Sub(since) < grace {
			still[name] = since
			return nil
		}
		out.Removed = append(out.Removed, name)
		out.Bytes += size
		return nil
	})
	out.Waiting = len(still)
	if err != nil || c.DryRun {
		return out, err
	}
	if err := r.sweep(out.Removed); err != nil {
		return out, err
	}
	return out, r.writeWaiting(still)
}

// sweep removes files. Of a working copy the timestamp is renewed before: who
// publishes from another one at the same time, and counts on what goes, comes too
// late with theirs and looks again.
func (r *Repository) sweep(names []string) error {
	if len(names) == 0 {
		return nil
	}
	if r.Elsewhere.Fetch != nil {
		if err := r.prepareTimestamp(); err != nil {
			return err
		}
		if err := r.commit(); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := os.Remove(r.path(name)); err != nil && !os.IsNotExist(err) {
			return err
		}
		delete(r.Elsewhere.Packs, name)
		r.swept = append(r.swept, name)
		if err := r.step("sweep"); err != nil {
			return err
		}
	}
	// It may name packs that are gone.
	if err := os.Remove(r.path(indexFile)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// mark names every file that a client may ask for; with packs, only the packs of
// those locators.
func (r *Repository) mark(ctx context.Context, packs func(locator string) bool) (map[string]bool, error) {
	live := map[string]bool{}
	all, err := r.releases()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		live[repo.TreePath(e.Tree)] = true
		name := repo.LocatorPath(e.Locator)
		if live[name] {
			continue
		}
		live[name] = true
		if packs != nil && !packs(name) {
			continue
		}
		l, err := r.readLocator(e.Release)
		if err != nil {
			return nil, err
		}
		for _, p := range l.Packs {
			live[repo.PackPath(p.Digest)] = true
		}
	}
	for _, m := range r.roles {
		for target, file := range m.Signed.Targets {
			if digest := file.Hashes["sha256"]; strings.HasPrefix(target, cataloguePrefix) && len(digest) == len(repo.Digest{}) {
				live[repo.CataloguePath(repo.Digest(digest))] = true
			}
		}
	}
	return live, r.markMetadata(live)
}

// markMetadata keeps what is in force, the last versions of every role, and
// whatever the snapshot lists: a client refuses one from which something has
// vanished.
func (r *Repository) markMetadata(live map[string]bool) error {
	versions := map[string][]int64{}
	entries, err := os.ReadDir(r.path(metaDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if role, v, ok := parseMetaName(e.Name()); ok {
			versions[role] = append(versions[role], v)
		}
	}
	for role, of := range versions {
		slices.Sort(of)
		for _, v := range of[max(0, len(of)-keepVersions):] {
			live[metaFile(role, v)] = true
		}
	}
	for file, meta := range r.snapshot.Signed.Meta {
		live[metaFile(strings.TrimSuffix(file, ".json"), meta.Version)] = true
	}
	for file, meta := range r.timestamp.Signed.Meta {
		live[metaFile(strings.TrimSuffix(file, ".json"), meta.Version)] = true
	}
	return nil
}

// walk calls visit for every file that gc may remove: those of our own naming,
// and what a crash left without a name. Everything else in the directory is
// somebody else's.
func (r *Repository) walk(visit func(name string, size int64) error) error {
	for _, room := range []string{"man", "loc", "pack", "delta", "cat", metaDir, "."} {
		err := filepath.WalkDir(r.path(room), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			name, err := filepath.Rel(r.dir, path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				if room == "." && name != "." {
					return fs.SkipDir
				}
				return nil
			}
			name = filepath.ToSlash(name)
			stray := strings.HasPrefix(d.Name(), tempPrefix)
			ours := room != "." && (hashed().MatchString(name) || versioned().MatchString(name))
			if !d.Type().IsRegular() || !ours && !stray {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			return visit(name, info.Size())
		})
		if err != nil {
			return err
		}
	}
	return r.visitElsewhere(visit)
}

const waitingFile = stateDir + "/unreferenced.json"

// readWaiting says since when files are known to be unreferenced. When the file
// is lost, their time begins again.
func (r *Repository) readWaiting() map[string]time.Time {
	waiting := map[string]time.Time{}
	if data, err := readBounded(r.path(waitingFile), maxRole); err == nil {
		json.Unmarshal(data, &waiting)
	}
	return waiting
}

func (r *Repository) writeWaiting(waiting map[string]time.Time) error {
	data, err := json.MarshalIndent(waiting, "", " ")
	if err != nil {
		return err
	}
	return disk.WriteFile(r.path(waitingFile), append(data, '\n'), 0o644)
}
