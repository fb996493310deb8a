package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// names lists a directory below the store; nothing when there is none.
func (s *Store) names(name string) ([]string, error) {
	fd, err := installed.Beneath(s.fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: s.shown(name), Err: err}
	}
	defer unix.Close(fd)
	return installed.Names(fd)
}

// refs are all for which there is a directory, with or without a release in it.
func (s *Store) refs() ([]repo.Ref, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var list []repo.Ref
	for _, id := range ids {
		of, err := s.refsOf(id)
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	return list, nil
}

// ids are the directories of all ids, of every kind, in the order of their refs.
func (s *Store) ids() ([]string, error) {
	var list []string
	for _, kind := range []manifest.Kind{manifest.App, manifest.Extension, manifest.Runtime} {
		found, err := s.below(path.Join("deploy", string(kind)), 1)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	for i := range list {
		list[i] += "/" // counts: Edit.Pro comes before Edit
	}
	slices.Sort(list)
	return list, nil
}

// refsOf are the refs in the directory of an id, by their names.
func (s *Store) refsOf(id string) ([]repo.Ref, error) {
	found, err := s.below(strings.TrimSuffix(id, "/"), 2)
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	var list []repo.Ref
	for _, name := range found {
		if r, err := repo.ParseRef(strings.TrimPrefix(name, "deploy/")); err == nil {
			list = append(list, r)
		}
	}
	return list, nil
}

// below lists the paths that lie depth levels below name.
func (s *Store) below(name string, depth int) ([]string, error) {
	fd, err := installed.Beneath(s.fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
	return s.belowOpened(nil, fd, err, name, depth)
}

// belowOpened appends what lies below a directory that was just opened, and closes
// it. Each level is opened by its one name in the level above.
func (s *Store) belowOpened(list []string, fd int, err error, name string, depth int) ([]string, error) {
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP:
		return list, nil
	default:
		return list, &fs.PathError{Op: "open", Path: s.shown(name), Err: err}
	}
	defer unix.Close(fd)
	names, err := installed.Names(fd)
	if err != nil {
		return list, err
	}
	for _, n := range names {
		at := name + "/" + n
		if depth == 1 {
			list = append(list, at)
			continue
		}
		deeper, err := unix.Openat(fd, n, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if list, err = s.belowOpened(list, deeper, err, at, depth-1); err != nil {
			return list, err
		}
	}
	return list, nil
}

// current is the deployment that a ref's link names; fs.ErrNotExist when nothing
// is installed.
func (s *Store) current(r repo.Ref) (installed.Deployment, error) {
	fd, err := installed.Beneath(s.fd, refDir(r), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return installed.Deployment{}, os.NewSyscallError("open", err)
	}
	defer unix.Close(fd)
	return installed.CurrentIn(fd)
}

// Current is the record of what is installed of a ref. The error is
// fs.ErrNotExist when nothing is.
func (s *Store) Current(r repo.Ref) (Record, error) {
	fd, err := installed.Beneath(s.fd, refDir(r), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return Record{}, fmt.Errorf("%s is not installed: %w", r, os.NewSyscallError("open", err))
	}
	defer unix.Close(fd)
	d, err := installed.CurrentIn(fd)
	if err != nil {
		return Record{}, fmt.Errorf("%s is not installed: %w", r, err)
	}
	rec, err := s.recordIn(fd, r, d)
	if err != nil {
		return Record{}, err
	}
	rec.Current = true
	return rec, s.decided(&rec)
}

func (s *Store) decided(r *Record) error {
	f, err := s.readState(r.Ref())
	r.State = f.state()
	return err
}

// Records are all that is installed, by ref. A record that cannot be read comes
// as an error beside the others.
func (s *Store) Records() ([]Record, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	all, errs := make([][]Record, len(ids)), make([]error, len(ids))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(goruntime.GOMAXPROCS(0), 4, len(ids)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ids)); i = next.Add(1) - 1 {
				all[i], errs[i] = s.recordsOf(ids[i])
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...), errors.Join(errs...)
}

// recordsOf are those in the directory of an id.
func (s *Store) recordsOf(id string) (list []Record, err error) {
	refs, err := s.refsOf(id)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, r := range refs {
		switch rec, err := s.Current(r); {
		case err == nil:
			list = append(list, rec)
		case !errors.Is(err, fs.ErrNotExist):
			failed = append(failed, err)
		}
	}
	return list, errors.Join(failed...)
}

// Deployments are all releases of a ref that lie here, the newest first.
func (s *Store) Deployments(r repo.Ref) ([]Record, error) {
	found, err := s.deployed(r)
	if err != nil {
		return nil, err
	}
	current, err := s.current(r)
	if err != nil {
		current = installed.Deployment{} // none; Current says what is wrong
	}
	var list []Record
	for _, d := range found {
		rec, err := s.readRecord(r, d)
		if errors.Is(err, fs.ErrNotExist) {
			continue // half made or half removed
		}
		if err != nil {
			return nil, err
		}
		rec.Current = d == current
		if err := s.decided(&rec); err != nil {
			return nil, err
		}
		list = append(list, rec)
	}
	return list, nil
}

// eachRelease calls do for every release that lies here, current or not.
func (s *Store) eachRelease(do func(Record) error) error {
	refs, err := s.refs()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		list, err := s.Deployments(ref)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := do(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// deployed are the deployments of a ref that have a directory or a record, the
// newest first.
func (s *Store) deployed(r repo.Ref) ([]installed.Deployment, error) {
	names, err := s.names(refDir(r))
	if err != nil {
		return nil, err
	}
	var list []installed.Deployment
	for _, n := range names {
		for _, suffix := range []string{"", installed.RecordSuffix, installed.LockSuffix} {
			if bare, ok := strings.CutSuffix(n, suffix); ok {
				if d, err := installed.ParseDeployment(bare); err == nil {
					list = append(list, d)
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b installed.Deployment) int {
		if a.N != b.N {
			if a.N > b.N {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Tree, b.Tree)
	})
	return slices.Compact(list), nil
}
