package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// Deploy makes a release current. Its tree file (WriteTree) and the contents
// that the tree names (WriteObject) are in the store; a *Missing says what is
// not. Whether the release may be installed at all, and what the person agreed
// to, the caller has decided; that it is what it says it is, is looked at again.
// What was current stays for a rollback, and for the instances that run from it.
func (s *Store) Deploy(l *Lock, rec Record) error {
	if err := s.holds(l); err != nil {
		return err
	}
	if err := s.deploy(l, rec); err != nil {
		return explain(fmt.Errorf("cannot install %s: %w", rec.Ref().At(rec.Release.N), err), s.system)
	}
	return nil
}

func (s *Store) deploy(l *Lock, rec Record) error {
	t, err := s.Tree(rec.Release.Tree)
	if err != nil {
		return err
	}
	if err := agree(rec.Release, t); err != nil {
		return err
	}
	floor, err := s.Floor(rec.Ref(), rec.RemoteFingerprint)
	if err != nil {
		return err
	}
	if rec.Release.N < floor && !rec.Downgrade {
		return hint.With(fmt.Errorf("release %d was seen of it before", floor), "to go back on purpose: --downgrade, or 'sandbox rollback'")
	}
	old, err := s.Current(rec.Ref())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		old = Record{} // it is being replaced: what cannot be read is not needed
	}
	if err := s.put(l, rec, t); err != nil {
		return err
	}
	if err := s.writeRecord(rec); err != nil {
		return err
	}
	if err := s.flip(rec.Release); err != nil {
		return err
	}
	if err := s.changeState(l, rec.Ref(), func(f *stateFile) bool {
		settled := f.Rejected != 0 && rec.Release.N >= f.Rejected // it is wanted after all, or past
		if settled {
			f.Rejected = 0
		}
		return settled
	}); err != nil {
		return err
	}
	return s.note(deployed(old, rec))
}

// agree: the tree, its manifest and the release speak of the same thing.
func agree(r repo.Release, t *repo.Tree) error {
	if t.Ref(r.Ref.Channel) != r.Ref {
		return fmt.Errorf("its tree is one of %s", t.Ref(r.Ref.Channel))
	}
	if t.Version != r.Version {
		return fmt.Errorf("its tree is one of version %q, not %q", t.Version, r.Version)
	}
	m, err := t.Manifest()
	if err != nil {
		return fmt.Errorf("its manifest is refused: %w", err)
	}
	if m.ID != r.Ref.ID || m.Kind != r.Ref.Kind || m.Version != r.Version || m.Runtime.String() != t.Runtime {
		return fmt.Errorf("its manifest is one of %s %s %s", m.Kind, m.ID, m.Version)
	}
	if !r.Runtime.IsZero() && (r.Runtime.ID != m.Runtime.ID || r.Runtime.Channel != m.Runtime.Channel) || r.Runtime.IsZero() != (m.Runtime.ID == "") {
		return fmt.Errorf("its manifest names the runtime %q, its release %q", m.Runtime, r.Runtime)
	}
	return nil
}

// deployed is what the history says of it.
func deployed(old, now Record) Event {
	e := Event{Action: "install", Ref: now.Ref(), To: now.Release.N, ToVersion: now.Release.Version, Remote: now.Remote}
	if old.Release.N == 0 {
		return e
	}
	e.From, e.FromVersion = old.Release.N, old.Release.Version
	switch {
	case e.To > e.From:
		e.Action = "update"
	case e.To < e.From:
		e.Action = "downgrade"
	default:
		e.Action = "reinstall"
	}
	return e
}

// put brings the release's directory to its place, complete and on the disk.
func (s *Store) put(l *Lock, rec Record, t *repo.Tree) error {
	name := place(rec.Release)
	if err := s.mkdirs(refDir(rec.Ref())); err != nil {
		return err
	}
	if err := s.remember(l, rec); err != nil {
		return err
	}
	_, errDir := s.root.Lstat(name)
	_, errRecord := s.root.Lstat(name + installed.RecordSuffix)
	if errDir == nil && errRecord == nil {
		if err := s.same(rec); err != nil {
			return err
		}
		return s.lockFile(name)
	}
	if errDir == nil {
		if err := s.discard(name); err != nil { // half made: no record, so nothing runs from it
			return err
		}
	}
	tmp := temp("tree")
	if err := s.checkout(t, tmp); err != nil {
		return err
	}
	if err := s.lockFile(name); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	return s.rename(tmp, name)
}

// same compares what lies in a release's place with the release. The name of the
// place holds only the beginning of the tree's digest, and a publisher can look
// for two trees that begin alike: without this the first would stay on the disk,
// with its permissions, behind the record of the second.
func (s *Store) same(rec Record) error {
	there, err := s.readRecord(rec.Ref(), deployment(rec.Release))
	if err == nil && there.Release.Tree != rec.Release.Tree {
		return hint.With(fmt.Errorf("another content lies here under the same number: tree %s", there.Release.Tree), "uninstall it and run `sandbox gc` first")
	}
	return nil // a record that cannot be read is of the same place, and is replaced
}

// lockFile makes the file that instances hold.
func (s *Store) lockFile(name string) error {
	name += installed.LockSuffix
	if err := s.step("lock file %s", name); err != nil {
		return err
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Chmod(0o644)
}

// flip makes a deployed release the current one.
func (s *Store) flip(r repo.Release) error {
	return s.link(deployment(r).String(), refDir(r.Ref)+"/"+installed.Current)
}
