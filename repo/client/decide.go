package client

import (
	"bytes"
	"fmt"
	"slices"

	"sandbox/internal/hint"
	"sandbox/permissions"
	"sandbox/repo"
	"sandbox/repo/export"
	"sandbox/repo/store"
)

// question is everything that decides about one release.
type question struct {
	old         *store.Record // nil: nothing is installed
	release     repo.Release
	fingerprint string   // of the repository that offers it
	floor       uint64   // highest number seen there
	downgrade   bool     // going back is wanted
	known       [][]byte // with no old: the keys of those who published the app here before
}

// decide says what is to be done; no action and no error is nothing to do. It
// looks at no permissions.
func decide(q question) (Action, Need, error) {
	n := q.release.N
	if q.old == nil {
		if n < q.floor && !q.downgrade {
			return "", 0, older(q.release, q.floor)
		}
		if len(q.known) > 0 && !slices.ContainsFunc(q.known, func(k []byte) bool { return bytes.Equal(k, q.release.Publisher.Key) }) {
			return Install, NeedPublisher, nil
		}
		return Install, 0, nil
	}
	var needs Need
	if q.old.RemoteFingerprint != q.fingerprint {
		needs |= NeedOrigin
	}
	if !bytes.Equal(q.old.Publisher, q.release.Publisher.Key) {
		needs |= NeedPublisher
	}
	was := q.old.Release
	switch {
	case needs.Has(NeedOrigin): // numbers of two repositories have nothing to do with each other
		if n < q.floor && !q.downgrade {
			return "", 0, older(q.release, q.floor)
		}
		return Switch, needs, nil
	case n == was.N && q.release.Tree != was.Tree:
		return "", 0, hint.With(fmt.Errorf("cannot use release %d of %s: %w: it has another content than the one installed", n, q.release.Ref, ErrDamaged),
			"a repository never gives a number twice: ask its operator")
	case n == was.N:
		return "", 0, nil
	case n < max(q.floor, was.N) && !q.downgrade:
		return "", 0, older(q.release, max(q.floor, was.N))
	case n < was.N:
		return Downgrade, needs, nil
	}
	return Update, needs, nil
}

func older(r repo.Release, seen uint64) error {
	err := fmt.Errorf("cannot use release %d (%s) of %s: %w: release %d", r.N, r.Version, r.Ref.ID, ErrOlder, seen)
	return hint.With(err, "to go back on purpose, add --downgrade")
}

// grants compares what a release asks for with what was accepted.
func (s *Step) grants() error {
	var err error
	if s.Required, s.Optional, err = repo.ParsePermissionText(s.Release.PermissionText); err != nil {
		return err
	}
	if s.Old == nil {
		return nil
	}
	accepted, _, err := repo.ParsePermissionText(s.Old.Accepted)
	if err != nil {
		accepted = permissions.Set{} // what cannot be read was not accepted
	}
	s.Changes = permissions.Diff(accepted, s.Required)
	if s.Changes.Adds() {
		s.Needs |= NeedPermissions
	}
	return nil
}

// Registers is what the desktop would offer the app for that it is not offered for
// now, in words. It is agreed to like a permission: a scheme of addresses is a way in.
func (s *Step) Registers() []string {
	return export.Registers(s.Manifest).Lines(export.Registers(s.OldManifest))
}
