package store

import (
	"fmt"

	"sandbox/internal/hint"
	"sandbox/repo"
)

// Rollback makes another release that lies here the current one: n, or with 0 the
// newest that is older than the current. It downloads nothing and copies nothing.
// An update does not undo it by itself: see State.Rejected.
func (s *Store) Rollback(l *Lock, r repo.Ref, n uint64) (from, to Record, err error) {
	if err := s.holds(l); err != nil {
		return from, to, err
	}
	if from, err = s.Current(r); err != nil {
		return from, to, fmt.Errorf("cannot roll back: %w", err)
	}
	if to, err = s.target(from, n); err != nil {
		return from, to, fmt.Errorf("cannot roll back %s: %w", r.ID, err)
	}
	if err = s.rollback(l, from, to); err != nil {
		return from, to, explain(fmt.Errorf("cannot roll back %s: %w", r.ID, err), s.system)
	}
	return from, to, nil
}

// Target is the release that Rollback would take.
func (s *Store) Target(r repo.Ref, n uint64) (from, to Record, err error) {
	if from, err = s.Current(r); err == nil {
		to, err = s.target(from, n)
	}
	if err != nil {
		err = fmt.Errorf("cannot roll back %s: %w", r.ID, err)
	}
	return from, to, err
}

func (s *Store) target(from Record, n uint64) (Record, error) {
	list, err := s.Deployments(from.Ref())
	if err != nil {
		return Record{}, err
	}
	for _, rec := range list {
		if rec.Release.N == n && !rec.Current || n == 0 && rec.Release.N < from.Release.N {
			return rec, nil
		}
	}
	switch {
	case n == from.Release.N:
		return Record{}, fmt.Errorf("release %d is the current one", n)
	case n == 0:
		return Record{}, hint.With(fmt.Errorf("no release older than the current one (%d) is kept", from.Release.N), "'sandbox history %s' lists what there was", from.Ref().ID)
	}
	return Record{}, hint.With(fmt.Errorf("release %d is not kept", n), "'sandbox list --all %s' lists what is", from.Ref().ID)
}

func (s *Store) rollback(l *Lock, from, to Record) error {
	// First what keeps an update from undoing it; alone, that does no harm.
	err := s.changeState(l, from.Ref(), func(f *stateFile) bool {
		if to.Release.N > from.Release.N { // forward again
			f.Rejected = 0
		} else {
			f.Rejected = max(f.Rejected, from.Release.N)
		}
		return true
	})
	if err != nil {
		return err
	}
	if err := s.flip(to.Release); err != nil {
		return err
	}
	return s.note(Event{Action: "rollback", Ref: from.Ref(), From: from.Release.N, To: to.Release.N,
		FromVersion: from.Release.Version, ToVersion: to.Release.Version})
}
