package store

import (
	"fmt"

	"sandbox/repo"
)

// Amend changes what the current record of a ref says about how it came here:
// that it is wanted for itself, or what the person has accepted. change must leave
// the release alone.
func (s *Store) Amend(l *Lock, r repo.Ref, change func(*Record)) error {
	if err := s.holds(l); err != nil {
		return err
	}
	rec, err := s.Current(r)
	if err != nil {
		return err
	}
	n, tree := rec.Release.N, rec.Release.Tree
	change(&rec)
	if rec.Release.N != n || rec.Release.Tree != tree {
		return fmt.Errorf("internal error: another release in the record of %s", r)
	}
	if err := s.writeRecord(rec); err != nil {
		return explain(fmt.Errorf("cannot write the record of %s: %w", r, err), s.system)
	}
	return nil
}
