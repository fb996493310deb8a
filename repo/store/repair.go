package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// Need is what is lost of one release and has to be fetched again.
type Need struct {
	Record  Record
	Tree    bool         // its tree file: WriteTree
	Objects []repo.Entry // files, one for each content: WriteObject
}

// Repaired is what Repair has done.
type Repaired struct {
	Contents int      `json:"contents"` // that were wrong or missing
	Releases int      `json:"releases"` // deployed anew
	Left     []Damage `json:"left"`     // what it could not mend
}

// Repair mends what Verify finds: wrong contents are taken away, what no other
// copy here can replace is fetched, and damaged releases are deployed anew in one
// step. A release that an instance runs from is left alone. fetch is called for
// one release after the other and stores what it brings; nil when there is
// nowhere to fetch from.
func (s *Store) Repair(ctx context.Context, l *Lock, fetch func(context.Context, Need) error) (Repaired, error) {
	done := Repaired{Left: []Damage{}}
	if err := s.holds(l); err != nil {
		return done, err
	}
	found, err := s.Verify(ctx, VerifyOptions{})
	if err != nil || len(found) == 0 {
		return done, err
	}
	m := &mender{s: s, ctx: ctx, fetch: fetch, done: &done}
	if err := m.mend(found); err != nil {
		return done, explain(fmt.Errorf("cannot repair the store: %w", err), s.system)
	}
	left, err := s.Verify(ctx, VerifyOptions{})
	done.Left = append(done.Left, left...)
	return done, errors.Join(append(m.failed, err)...)
}

type mender struct {
	s      *Store
	ctx    context.Context
	fetch  func(context.Context, Need) error
	done   *Repaired
	failed []error
}

func (m *mender) mend(found []Damage) error {
	hurt := map[repo.Ref]map[uint64]bool{}
	for _, d := range found {
		if d.Ref.IsZero() {
			if err := m.dropContent(d.Object); err != nil {
				return err
			}
			continue
		}
		if hurt[d.Ref] == nil {
			hurt[d.Ref] = map[uint64]bool{}
		}
		hurt[d.Ref][d.N] = true
	}
	refs, err := m.s.refs()
	if err != nil {
		return err
	}
	for _, r := range refs {
		list, err := m.s.Deployments(r)
		if err != nil { // a record that cannot be read: only an install mends that
			m.failed = append(m.failed, hint.With(err, "install it again"))
			continue
		}
		for _, rec := range list {
			if err := m.release(rec, hurt[r][rec.Release.N]); err != nil {
				m.failed = append(m.failed, explain(fmt.Errorf("cannot repair %s: %w", r.At(rec.Release.N), err), m.s.system))
			}
		}
		if err := m.current(r, list); err != nil {
			return err
		}
	}
	return nil
}

// dropContent takes a wrong content away, in both modes when both are wrong.
func (m *mender) dropContent(d repo.Digest) error {
	for _, exec := range [...]bool{false, true} {
		name := objectName(d, exec)
		var st unix.Stat_t
		if unix.Fstatat(m.s.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o7777 == mode(exec) && m.s.sound(object{name: name, d: d, mode: st.Mode}) {
			continue
		}
		if err := m.s.remove(name); err != nil {
			return err
		}
		m.done.Contents++
	}
	return nil
}

// release brings back what is lost of it, and deploys it anew if it was hurt.
func (m *mender) release(rec Record, hurt bool) error {
	t, err := m.tree(rec)
	if err != nil {
		return err
	}
	lost, err := m.lost(rec, t)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		if err := m.bring(Need{Record: rec, Objects: lost}); err != nil {
			return err
		}
		m.done.Contents += len(lost)
	}
	if !hurt {
		return nil
	}
	if m.s.Busy(rec) {
		return hint.With(errors.New("an instance runs from it"), "'sandbox stop' it, then repair again")
	}
	if err := m.s.redeploy(rec, t); err != nil {
		return err
	}
	m.done.Releases++
	return nil
}

func (m *mender) tree(rec Record) (*repo.Tree, error) {
	t, err := m.s.Tree(rec.Release.Tree)
	if err == nil {
		return t, nil
	}
	if err := m.s.remove(treeName(rec.Release.Tree)); err != nil {
		return nil, err
	}
	if err := m.bring(Need{Record: rec, Tree: true}); err != nil {
		return nil, err
	}
	m.done.Contents++
	return m.s.Tree(rec.Release.Tree)
}

// lost are the contents that are nowhere here: neither as an object nor, intact,
// in the deployed directory.
func (m *mender) lost(rec Record, t *repo.Tree) ([]repo.Entry, error) {
	var list []repo.Entry
	seen := map[repo.Digest]bool{}
	for _, e := range t.Entries {
		if e.Type != repo.File || e.Size == 0 || seen[e.Object] {
			continue
		}
		seen[e.Object] = true
		if m.s.HasObject(e.Object, e.Exec) || m.salvage(rec, &e) {
			continue
		}
		list = append(list, e)
	}
	return list, m.ctx.Err()
}

// salvage makes an object from the deployed file.
func (m *mender) salvage(rec Record, e *repo.Entry) bool {
	fd, err := installed.Beneath(m.s.fd, path.Join(place(rec.Release), e.Path), unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), e.Path)
	defer f.Close()
	return m.s.writeObject(e.Object, e.Size, e.Exec, f) == nil
}

func (m *mender) bring(n Need) error {
	if m.fetch == nil {
		return errors.New("what is lost has to be fetched again")
	}
	return m.fetch(m.ctx, n)
}

// current points to the newest whole release when the link is lost.
func (m *mender) current(r repo.Ref, list []Record) error {
	d, err := m.s.current(r)
	if errors.Is(err, fs.ErrNotExist) || len(list) == 0 {
		return nil
	}
	for _, rec := range list {
		if err == nil && deployment(rec.Release) == d {
			return nil
		}
	}
	return m.s.flip(list[0].Release)
}

// redeploy puts a fresh directory in the place of a damaged one.
func (s *Store) redeploy(rec Record, t *repo.Tree) error {
	tmp, name := temp("tree"), place(rec.Release)
	if err := s.checkout(t, tmp); err != nil {
		return err
	}
	if err := s.lockFile(name); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	if err := s.swap(tmp, name); err != nil {
		return err
	}
	return s.note(Event{Action: "repair", Ref: rec.Ref(), To: rec.Release.N, ToVersion: rec.Release.Version})
}

// swap exchanges two names in one step, where a file system can, so that the
// second is there at every moment, and removes what was there.
func (s *Store) swap(fresh, name string) error {
	if _, err := s.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return s.rename(fresh, name)
	}
	if err := s.step("swap %s %s", fresh, name); err != nil {
		return err
	}
	dir, err := installed.Beneath(s.fd, path.Dir(name), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(dir)
	err = unix.Renameat2(s.fd, fresh, dir, path.Base(name), unix.RENAME_EXCHANGE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		if err := s.discard(name); err != nil {
			return err
		}
		return s.rename(fresh, name)
	}
	if err != nil {
		return os.NewSyscallError("renameat2", err)
	}
	if err := s.syncDir(path.Dir(name)); err != nil {
		return err
	}
	return s.discard(fresh)
}
