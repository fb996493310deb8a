package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// Publisher is somebody who may publish under some ids with keys of their own.
type Publisher struct {
	Name      string
	Patterns  []Pattern
	Keys      []key.Public
	Threshold int // 0 is 1
}

// Publishers are those there are, in the order in which clients ask them.
func (r *Repository) Publishers() []Publisher {
	var all []Publisher
	d := r.targets.Signed.Delegations
	for _, role := range d.Roles {
		name, ok := strings.CutPrefix(role.Name, publisherPrefix)
		if !ok {
			continue
		}
		p := Publisher{Name: name, Patterns: patternsOf(role.Paths), Threshold: role.Threshold}
		for _, id := range role.KeyIDs {
			if k, ok := publicOf(d.Keys[id]); ok {
				p.Keys = append(p.Keys, k)
			}
		}
		all = append(all, p)
	}
	return all
}

// AddPublisher lets somebody publish, or with replace changes what they may and
// with which keys. Releases under their patterns that the repository signed
// itself become theirs, which takes their key.
func (r *Repository) AddPublisher(p Publisher, replace bool) error {
	if err := r.addPublisher(p, replace); err != nil {
		return explain(fmt.Errorf("cannot add publisher %q: %w", p.Name, err))
	}
	return nil
}

func (r *Repository) addPublisher(p Publisher, replace bool) error {
	if p.Threshold == 0 {
		p.Threshold = 1
	}
	if err := r.checkPublisher(p, replace); err != nil {
		return err
	}
	d := r.targets.Signed.Delegations
	role := metadata.DelegatedRole{Name: publisherPrefix + p.Name, Threshold: p.Threshold, Terminating: true}
	for _, pattern := range p.Patterns {
		role.Paths = append(role.Paths, pattern.paths()...)
	}
	for _, k := range p.Keys {
		if !slices.Contains(role.KeyIDs, k.ID()) {
			role.KeyIDs = append(role.KeyIDs, k.ID())
			d.Keys[k.ID()] = tufKey(k)
		}
	}
	if err := checkThreshold(roleAuthority(role.Name, role.KeyIDs, role.Threshold, d.Keys)); err != nil {
		return err
	}
	before, err := r.releases()
	if err != nil {
		return err
	}
	if at := delegation(d, role.Name); at >= 0 {
		d.Roles[at] = role
	} else {
		d.Roles = slices.Insert(d.Roles, len(d.Roles)-r.bins, role) // before the bins
	}
	r.dropUnusedKeys()
	if err := r.moveReleases(before, role.Name); err != nil {
		return err
	}
	if m := r.roles[role.Name]; m != nil && r.targets.VerifyDelegate(role.Name, m) != nil {
		r.touch(role.Name) // other keys: they sign it again
	}
	return r.commitRoles()
}

func (r *Repository) checkPublisher(p Publisher, replace bool) error {
	if err := CheckPublisher(p.Name); err != nil {
		return err
	}
	if len(p.Patterns) == 0 || len(p.Keys) == 0 {
		return hint.With(errors.New("it has no patterns or no keys"), "say what it may publish, as in 'org.example.*', and with which public key")
	}
	for _, other := range r.Publishers() {
		if other.Name == p.Name {
			if !replace {
				return hint.With(errors.New("there is one of that name"), "--replace changes its patterns and keys")
			}
			continue
		}
		for _, a := range p.Patterns {
			for _, b := range other.Patterns {
				if a.overlaps(b) {
					return hint.With(fmt.Errorf("%s is already of publisher %q, by %s", a, other.Name, b), "two publishers of one id would be a matter of order: choose patterns that do not meet")
				}
			}
		}
	}
	return nil
}

// RemovePublisher takes a publisher's right away, and with it all their
// releases: clients do not find them any more. Their numbers stay used.
func (r *Repository) RemovePublisher(name string) (gone []*Release, err error) {
	gone, err = r.removePublisher(name)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot remove publisher %q: %w", name, err))
	}
	return gone, nil
}

func (r *Repository) removePublisher(name string) (gone []*Release, err error) {
	d := r.targets.Signed.Delegations
	role := publisherPrefix + name
	at := delegation(d, role)
	if at < 0 {
		return nil, hint.With(errors.New("there is none of that name"), "'sandbox repo show' lists the publishers")
	}
	all, err := r.releases()
	if err != nil {
		return nil, err
	}
	kept := floors(orEmpty(r.roles[role]))
	d.Roles = slices.Delete(d.Roles, at, at+1)
	r.dropUnusedKeys()
	delete(r.roles, role)
	for _, e := range all {
		if e.role != role {
			continue
		}
		gone = append(gone, e.public())
		kept[e.Ref.String()] = max(kept[e.Ref.String()], e.N)
	}
	if err := r.keepFloors(kept); err != nil {
		return nil, err
	}
	return gone, r.commitRoles()
}

func orEmpty(m *metadata.Metadata[metadata.TargetsType]) *metadata.Metadata[metadata.TargetsType] {
	if m == nil {
		return metadata.Targets()
	}
	return m
}

// commitRoles commits a change of delegations.
func (r *Repository) commitRoles() error {
	r.touch(metadata.TARGETS)
	if err := r.catalogue(nil); err != nil {
		return err
	}
	roles := []string{}
	for role := range r.dirty {
		roles = append(roles, role)
	}
	if err := r.prepare(roles...); err != nil {
		return err
	}
	return r.commit()
}

// moveReleases gives every release to the role that is responsible now. One
// that was changed may not be responsible any more for what it has.
func (r *Repository) moveReleases(before []*entry, role string) error {
	for _, e := range before {
		now, err := r.roleOf(e.target)
		if err != nil {
			return err
		}
		if now == e.role {
			continue
		}
		if !r.chain.can(r.authority(now)) {
			return hint.With(fmt.Errorf("%s, which is signed by %q, would have to be signed by %q, whose key is not here", e.target, e.role, now),
				"give that key too with --key, or retract it first")
		}
		r.drop(e)
		if err := r.set(e.target, e.Release); err != nil {
			return err
		}
	}
	return nil
}

// dropUnusedKeys takes the keys out of the delegations that no role has.
func (r *Repository) dropUnusedKeys() {
	d := r.targets.Signed.Delegations
	used := map[string]bool{}
	for _, role := range d.Roles {
		for _, id := range role.KeyIDs {
			used[id] = true
		}
	}
	for id := range d.Keys {
		if !used[id] {
			delete(d.Keys, id)
		}
	}
}

func delegation(d *metadata.Delegations, role string) int {
	return slices.IndexFunc(d.Roles, func(r metadata.DelegatedRole) bool { return r.Name == role })
}
