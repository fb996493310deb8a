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
	var list []repo.Ref
	for _, kind := range []manifest.Kind{manifest.App, manifest.Extension, manifest.Runtime} {
		found, err := s.below(path.Join("deploy", string(kind)), 3)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if r, err := repo.ParseRef(strings.TrimPrefix(name, "deploy/")); err == nil {
				list = append(list, r)
			}
		}
	}
	slices.SortFunc(list, func(a, b repo.Ref) int { return strings.Compare(a.String(), b.String()) })
	return list, nil
}

// below lists the paths that lie depth levels below name.
func (s *Store) below(name string, depth int) ([]string, error) {
	names, err := s.names(name)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for _, n := range names {
		if depth == 1 {
			list = append(list, path.Join(name, n))
			continue
		}
		deeper, err := s.below(path.Join(name, n), depth-1)
		if err != nil {
			return nil, err
		}
		list = append(list, deeper...)
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
	d, err := s.current(r)
	if err != nil {
		return Record{}, fmt.Errorf("%s is not installed: %w", r, err)
	}
	rec, err := s.readRecord(r, d)
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
	refs, err := s.refs()
	if err != nil {
		return nil, err
	}
	all, errs := make([]Record, len(refs)), make([]error, len(refs))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(goruntime.GOMAXPROCS(0), 4, len(refs)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(refs)); i = next.Add(1) - 1 {
				all[i], errs[i] = s.Current(refs[i])
			}
		})
	}
	wg.Wait()
	var list []Record
	var failed []error
	for i, err := range errs {
		switch {
		case err == nil:
			list = append(list, all[i])
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
