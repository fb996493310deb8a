package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// Kept is how many releases besides the current one stay for a rollback.
const Kept = 2

// Freed is what GC removed.
type Freed struct {
	Bytes    int64      `json:"bytes"`
	Objects  int        `json:"objects"`
	Releases int        `json:"releases"` // deployed ones, of what is still installed
	Unused   []repo.Ref `json:"unused"`   // runtimes and extensions that nothing needs any more
	Busy     int        `json:"busy"`     // releases that instances still run from
	Partial  int        `json:"partial"`  // beginnings of downloads that broke off
	Fetching bool       `json:"fetching"` // a download goes on: what it may need stays
}

// GC removes what nobody needs: runtimes and extensions that were brought along
// for apps that are gone, releases beyond those kept for a rollback, contents that
// no release refers to, and what a crash or a download that broke off left. While a
// download goes on, it leaves alone what nothing refers to: that may be its. It may be stopped at any moment.
func (s *Store) GC(l *Lock) (Freed, error) { return s.gc(l, true) }

// Trim is GC after a change of what is installed. When no release goes, and no GC had
// to leave any, it leaves contents alone without reading what each release has: those
// that no release refers to are of downloads that will be taken up again.
func (s *Store) Trim(l *Lock) (Freed, error) { return s.gc(l, false) }

func (s *Store) gc(l *Lock, all bool) (Freed, error) {
	f := Freed{Unused: []repo.Ref{}}
	err := s.holds(l)
	if err == nil {
		err = s.dropReleases(l, &f)
	}
	f.Fetching = s.fetching()
	if err == nil && !f.Fetching {
		err = s.dropUnused(l, &f)
	}
	if err == nil {
		err = s.sweep(l, &f, all || f.Releases+len(f.Unused) > 0)
	}
	if err == nil && all {
		var freed int64
		f.Partial, freed, err = s.sweepPartials(true)
		f.Bytes += freed
	}
	if err != nil {
		return f, explain(fmt.Errorf("cannot clear the store up: %w", err), s.system)
	}
	return f, nil
}

// unsweptName is there when contents had to be left alone, for a download: whoever
// clears up after it takes them.
const unsweptName = "unswept"

func (s *Store) sweep(l *Lock, f *Freed, due bool) error {
	_, err := s.root.Lstat(unsweptName)
	owed := err == nil
	switch {
	case f.Fetching && due && !owed:
		return s.writeFile(unsweptName, nil)
	case f.Fetching || !due && !owed:
		return nil
	}
	if err := s.dropContents(l, f); err != nil {
		return err
	}
	return s.remove(unsweptName)
}

// Clear removes everything but what instances run from, whoever asked for it: of a
// store that can be filled again. Floors stay, as after an uninstall.
func (s *Store) Clear(l *Lock) (Freed, error) {
	if err := s.holds(l); err != nil {
		return Freed{}, err
	}
	if s.fetching() {
		return Freed{Unused: []repo.Ref{}, Fetching: true}, nil
	}
	gone, busy := []repo.Ref{}, 0
	refs, err := s.refs()
	for _, r := range refs {
		if rec, err := s.Current(r); err == nil && s.Busy(rec) {
			busy++ // it is run again from where it is
			continue
		}
		if _, err = s.uninstall(l, r); err != nil {
			break
		}
		gone = append(gone, r)
	}
	if err != nil {
		return Freed{Unused: gone}, explain(fmt.Errorf("cannot clear the store up: %w", err), s.system)
	}
	f, err := s.gc(l, true)
	f.Unused, f.Busy = append(gone, f.Unused...), f.Busy+busy
	return f, err
}

// dropUnused uninstalls what was brought along and is not needed now. An
// extension may need a runtime, so it is asked again until nothing changes.
func (s *Store) dropUnused(l *Lock, f *Freed) error {
	for {
		records, err := s.Records()
		if err != nil {
			return err
		}
		needed, err := s.needed(records)
		if err != nil {
			return err
		}
		dropped := false
		for _, r := range records {
			if r.Explicit || needed(r) {
				continue
			}
			if _, err := s.Uninstall(l, r.Ref()); err != nil {
				return err
			}
			f.Unused = append(f.Unused, r.Ref())
			dropped = true
		}
		if !dropped {
			return nil
		}
	}
}

// needed says what must stay although nobody asked for it by name: apps, the
// runtimes of every release that lies here (a rollback must find its own), and the
// extensions of what is installed.
func (s *Store) needed(records []Record) (func(Record) bool, error) {
	runtimes, extended := map[manifest.RuntimeRef]bool{}, map[manifest.ID]bool{}
	err := s.eachRelease(func(r Record) error {
		runtimes[runtimeOf(r.Release.Runtime)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.Ref().Kind != manifest.Extension {
			extended[r.Ref().ID] = true
		}
	}
	return func(r Record) bool {
		switch r.Ref().Kind {
		case manifest.Runtime:
			return runtimes[runtimeOf(r.Ref())]
		case manifest.Extension:
			t, err := s.Tree(r.Release.Tree)
			if err != nil {
				return true
			}
			m, err := t.Manifest()
			return err != nil || extended[m.Extends]
		}
		return true
	}, nil
}

// runtimeOf leaves the arch out: a launch takes a runtime of this machine's or of
// any.
func runtimeOf(r repo.Ref) manifest.RuntimeRef {
	return manifest.RuntimeRef{ID: r.ID, Channel: r.Channel}
}

// Needs reports whether a release runs on what has the ref.
func (r *Record) Needs(ref repo.Ref) bool {
	return ref.Kind == manifest.Runtime && !r.Release.Runtime.IsZero() && runtimeOf(r.Release.Runtime) == runtimeOf(ref)
}

// dropReleases removes the releases beyond those kept.
func (s *Store) dropReleases(l *Lock, f *Freed) error {
	refs, err := s.refs()
	if err != nil {
		return err
	}
	for _, r := range refs {
		surplus, err := s.surplus(r)
		if err != nil {
			return err
		}
		for _, d := range surplus {
			gone, err := s.undeploy(r, d)
			switch {
			case err != nil:
				return err
			case gone:
				f.Releases++
			default:
				f.Busy++
			}
		}
		if _, err := s.current(r); errors.Is(err, fs.ErrNotExist) {
			s.tidy(r)
		}
	}
	return nil
}

// surplus are the deployments of a ref that need not stay.
func (s *Store) surplus(r repo.Ref) ([]installed.Deployment, error) {
	all, err := s.deployed(r)
	if err != nil {
		return nil, err
	}
	current, err := s.current(r)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := s.readState(r)
	if err != nil {
		return nil, err
	}
	whole := func(d installed.Deployment) bool {
		_, err := s.root.Lstat(path.Join(refDir(r), d.String()+installed.RecordSuffix))
		return err == nil
	}
	return surplus(all, current, state.Pinned, whole), nil
}

// surplus decides: all are the newest first, whole says which have a record.
func surplus(all []installed.Deployment, current installed.Deployment, pinned uint64, whole func(installed.Deployment) bool) []installed.Deployment {
	kept := 0
	return slices.DeleteFunc(slices.Clone(all), func(d installed.Deployment) bool {
		switch {
		case d == current:
			return true
		case !whole(d):
			return false
		case d.N == pinned:
			return true
		}
		kept++
		return kept <= Kept
	})
}

// dropContents removes contents and tree files that no release here refers to.
func (s *Store) dropContents(_ *Lock, f *Freed) error {
	used, err := s.used()
	if err != nil {
		return err
	}
	err = s.eachObject(func(o object) error {
		if used[o.d] {
			return nil
		}
		if err := s.remove(o.name); err != nil {
			return err
		}
		f.Objects++
		if o.links == 1 { // else an instance's release still has the bytes
			f.Bytes += o.size
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.eachTree(func(d repo.Digest, name string) error {
		if used[d] {
			return nil
		}
		return s.remove(name)
	})
}

// used are the contents and tree files of every release that lies here. One whose
// tree cannot be read stops it: what it needs is not known.
func (s *Store) used() (map[repo.Digest]bool, error) {
	used := map[repo.Digest]bool{}
	err := s.eachRelease(func(r Record) error {
		if used[r.Release.Tree] {
			return nil
		}
		used[r.Release.Tree] = true
		t, err := s.Tree(r.Release.Tree)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Ref().At(r.Release.N), err)
		}
		for _, e := range t.Entries {
			if e.Type == repo.File && e.Size > 0 {
				used[e.Object] = true
			}
		}
		return nil
	})
	return used, err
}
