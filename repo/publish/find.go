package publish

import (
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
)

// Find returns the release that a packager means by text: a ref, ref@n, or as
// much of it as is unique here: an id, or ID/CHANNEL.
func (r *Repository) Find(text string) (*Release, error) {
	e, err := r.find(text)
	if err != nil {
		return nil, err
	}
	return e.public(), nil
}

// Release is a release as it stands in the repository.
type Release struct {
	repo.Release
	Role    string
	Target  string // ref, or ref@n of an older one
	Current bool
}

func (e *entry) public() *Release { return &Release{e.Release, e.role, e.target, e.current} }

// Releases are all there are, by ref, the newest first.
func (r *Repository) Releases() ([]*Release, error) {
	all, err := r.releases()
	out := make([]*Release, len(all))
	for i, e := range all {
		out[i] = e.public()
	}
	return out, err
}

func (r *Repository) find(text string) (*entry, error) { return r.findBut(text, "") }

// findBut passes over a channel when text does not name one.
func (r *Repository) findBut(text, channel string) (*entry, error) {
	all, err := r.releases()
	if err != nil {
		return nil, err
	}
	if e := exact(all, text); e != nil {
		return e, nil
	}
	var found []*entry
	for _, e := range all {
		if e.current && (text == string(e.Ref.ID) && e.Ref.Channel != channel || text == string(e.Ref.ID)+"/"+e.Ref.Channel) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, missing(all, text)
	}
	var refs []string
	for _, e := range found {
		refs = append(refs, e.Ref.String())
	}
	return nil, hint.With(fmt.Errorf("%q may be any of %d releases", text, len(found)), "name one of %s", strings.Join(refs, ", "))
}

func exact(all []*entry, text string) *entry {
	ref, n, err := repo.ParseTarget(text)
	if err != nil {
		return nil
	}
	for _, e := range all {
		if e.Ref == ref && (e.N == n || n == 0 && e.current) {
			return e
		}
	}
	return nil
}

func missing(all []*entry, text string) error {
	err := fmt.Errorf("there is no release %q", text)
	ref, _, parse := repo.ParseTarget(text)
	id := manifest.ID(strings.SplitN(text, "/", 2)[0])
	if parse == nil {
		id = ref.ID
	}
	var near []string
	for _, e := range all {
		if e.Ref.ID == id && len(near) < 8 {
			near = append(near, e.target)
		}
	}
	if len(near) > 0 {
		return hint.With(err, "of %s there are %s", id, strings.Join(slices.Compact(near), ", "))
	}
	return hint.With(err, "'sandbox repo show' lists what there is; a release is KIND/ID/ARCH/CHANNEL, with @N for an older one")
}
