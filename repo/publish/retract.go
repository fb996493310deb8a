package publish

import (
	"errors"
	"fmt"
	"slices"

	"sandbox/internal/hint"
	"sandbox/repo"
)

// Retract takes a release out of the index, or with all every release of its
// ref. Who has it keeps it, and gets the next update that has a higher number;
// nobody is led back to an older release, since numbers only grow.
func (r *Repository) Retract(name string, all bool) ([]*Release, error) {
	gone, err := r.retract(name, all)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot retract %q: %w", name, err))
	}
	return gone, nil
}

func (r *Repository) retract(name string, all bool) ([]*Release, error) {
	e, err := r.find(name)
	if err != nil && all {
		e, err = r.findOld(name, err)
	}
	if err != nil {
		return nil, err
	}
	take := []*entry{e}
	if all {
		if take, err = r.releasesOf(e.Ref); err != nil {
			return nil, err
		}
	}
	owner, err := r.roleOf(e.Ref.String())
	if err != nil {
		return nil, err
	}
	roles := []string{owner}
	for _, e := range take {
		roles = append(roles, e.role)
	}
	if err := r.prepare(slices.Compact(slices.Sorted(slices.Values(roles)))...); err != nil {
		return nil, err
	}
	highest, err := r.floor(e.Ref)
	if err != nil {
		return nil, err
	}
	r.keepFloor(owner, e.Ref, highest)
	var gone []*Release
	for _, e := range take {
		r.drop(e)
		gone = append(gone, e.public())
	}
	if err := r.catalogue(nil); err != nil {
		return nil, err
	}
	return gone, r.commit()
}

// findOld finds a ref whose current release is gone already.
func (r *Repository) findOld(name string, notFound error) (*entry, error) {
	ref, err := repo.ParseRef(name)
	if err != nil {
		return nil, notFound
	}
	of, err := r.releasesOf(ref)
	if err != nil || len(of) == 0 {
		return nil, notFound
	}
	return of[0], nil
}

// EndOfLife says that a ref gets no more releases.
type EndOfLife struct {
	Why        string // one sentence for its users
	ReplacedBy string // the ref that takes over: a ref, or an id for the same arch and channel
	Undo       bool
}

// EndOfLife marks the current release of a ref, without a new number: users are
// told, and nothing is installed.
func (r *Repository) EndOfLife(name string, l EndOfLife) (*Release, error) {
	out, err := r.endOfLife(name, l)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot mark %q: %w", name, err))
	}
	return out, nil
}

func (r *Repository) endOfLife(name string, l EndOfLife) (*Release, error) {
	e, err := r.find(name)
	if err != nil {
		return nil, err
	}
	if !e.current {
		return nil, hint.With(errors.New("it is an older release"), "mark its ref, %s", e.Ref)
	}
	if l.Undo != (l.Why == "" && l.ReplacedBy == "") {
		return nil, hint.With(errors.New("nothing says why"), "give the reason, or what replaces it; undo takes neither")
	}
	rel := e.Release
	rel.EOL, rel.ReplacedBy = l.Why, ""
	if l.ReplacedBy != "" {
		if rel.ReplacedBy, err = r.successor(e.Ref, l.ReplacedBy); err != nil {
			return nil, err
		}
		if rel.EOL == "" {
			rel.EOL = "replaced by " + rel.ReplacedBy
		}
	}
	if err := r.prepare(e.role); err != nil {
		return nil, err
	}
	if err := r.set(e.target, rel); err != nil {
		return nil, err
	}
	marked := *e
	marked.Release = rel
	return marked.public(), r.commit()
}

// successor completes an id to a ref like the one it replaces. It has to be
// there: users are led to it.
func (r *Repository) successor(ref repo.Ref, text string) (string, error) {
	next, err := repo.ParseRef(text)
	if err != nil {
		if next, err = repo.ParseRef(string(ref.Kind) + "/" + text + "/" + ref.Arch + "/" + ref.Channel); err != nil {
			return "", err
		}
	}
	of, err := r.releasesOf(next)
	if err != nil {
		return "", err
	}
	if len(of) == 0 || !of[0].current {
		return "", hint.With(fmt.Errorf("%s, which shall replace it, is not here", next), "publish it first")
	}
	return next.String(), nil
}
