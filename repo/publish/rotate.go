package publish

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// Rotation changes who may sign. Roles are root, targets, snapshot, timestamp
// and bins. An empty one renews the root for another year.
type Rotation struct {
	Add       map[string][]key.Public
	Remove    map[string][]string // fingerprints or TUF ids
	Threshold map[string]int
}

// Rotated is what became of a rotation.
type Rotated struct {
	Root     int64  // version of the root that is in force or proposed
	Complete bool   // it is in force
	Proposal []byte // the root with the signatures so far, when it is not
	Missing  string // what it still takes
}

// Rotate changes the keys of roles. A new root counts when as many keys of the
// old root and of the new one have signed it as each asks for. When those at
// hand do not suffice, nothing changes on disk, and Rotated holds the proposal
// for the others to sign (SignRoot) and to apply (ApplyRoot).
func (r *Repository) Rotate(c Rotation) (*Rotated, error) {
	out, err := r.rotate(c)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot rotate the keys of %q: %w", r.called(), err))
	}
	return out, nil
}

func (r *Repository) rotate(c Rotation) (*Rotated, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	bins := c.of(binsRole)
	if !bins.empty() {
		if err := r.rotateBins(bins); err != nil {
			return nil, err
		}
	}
	if c.onlyBins() {
		return &Rotated{Root: r.root.Signed.Version, Complete: true}, r.commitRoles()
	}
	next, err := r.nextRoot(c)
	if err != nil {
		return nil, err
	}
	if err := cosign(next, r.rootSigners(next)); err != nil {
		return nil, err
	}
	if missing := r.missing(next); missing != "" {
		if !bins.empty() {
			return nil, hint.With(errors.New("the root needs other signers, so that the bins cannot change along with it"), "rotate the bins by themselves")
		}
		data, err := encode(next)
		return &Rotated{Root: next.Signed.Version, Proposal: data, Missing: missing}, err
	}
	return &Rotated{Root: next.Signed.Version, Complete: true}, r.applyRoot(next)
}

func (c Rotation) check() error {
	for _, roles := range [][]string{slices.Collect(maps.Keys(c.Add)), slices.Collect(maps.Keys(c.Remove)), slices.Collect(maps.Keys(c.Threshold))} {
		for _, role := range roles {
			if !slices.Contains(InitRoles, role) {
				return hint.With(fmt.Errorf("there is no role %q", role), "the roles are %s; publishers change with 'sandbox repo publisher add --replace'", strings.Join(InitRoles, ", "))
			}
		}
	}
	return nil
}

// roleChange is what a rotation does to one role.
type roleChange struct {
	add       []key.Public
	remove    []string
	threshold int
}

func (c Rotation) of(role string) roleChange {
	return roleChange{c.Add[role], c.Remove[role], c.Threshold[role]}
}

func (c roleChange) empty() bool { return len(c.add) == 0 && len(c.remove) == 0 && c.threshold == 0 }

func (c Rotation) onlyBins() bool {
	for _, role := range topRoles {
		if !c.of(role).empty() {
			return false
		}
	}
	return !c.of(binsRole).empty()
}

// nextRoot is the root after this, not signed.
func (r *Repository) nextRoot(c Rotation) (*metadata.Metadata[metadata.RootType], error) {
	data, err := encode(r.root)
	if err != nil {
		return nil, err
	}
	next, err := (&metadata.Metadata[metadata.RootType]{}).FromBytes(data) // a copy
	if err != nil {
		return nil, err
	}
	next.ClearSignatures()
	next.Signed.Version++
	next.Signed.Expires = r.now().Add(rootLife)
	for _, role := range topRoles {
		change := c.of(role)
		for _, p := range change.add {
			if err := next.Signed.AddKey(tufKey(p), role); err != nil {
				return nil, err
			}
		}
		for _, word := range change.remove {
			id, err := keyID(rootAuthority(&next.Signed, role), word)
			if err != nil {
				return nil, err
			}
			if err := next.Signed.RevokeKey(id, role); err != nil {
				return nil, err
			}
		}
		if change.threshold != 0 {
			next.Signed.Roles[role].Threshold = change.threshold
		}
	}
	return next, checkRoles(&next.Signed)
}

// keyID finds the key of a role by its TUF id or its fingerprint.
func keyID(a authority, word string) (string, error) {
	for id, k := range a.keys {
		if p, ok := publicOf(k); id == word || ok && (p.Fingerprint() == word || p.String() == word) {
			return id, nil
		}
	}
	return "", hint.With(fmt.Errorf("role %q has no key %s", a.role, word), "it has %s", strings.Join(a.fingerprints(), ", "))
}

// rotateBins changes the keys of all bins, which then sign anew.
func (r *Repository) rotateBins(c roleChange) error {
	d := r.targets.Signed.Delegations
	for i := range d.Roles {
		role := &d.Roles[i]
		if !strings.HasPrefix(role.Name, binPrefix) {
			continue
		}
		for _, p := range c.add {
			d.Keys[p.ID()] = tufKey(p)
			if !slices.Contains(role.KeyIDs, p.ID()) {
				role.KeyIDs = append(slices.Clip(role.KeyIDs), p.ID())
			}
		}
		for _, word := range c.remove {
			id, err := keyID(roleAuthority(binsRole, role.KeyIDs, role.Threshold, d.Keys), word)
			if err != nil {
				return err
			}
			role.KeyIDs = slices.DeleteFunc(slices.Clone(role.KeyIDs), func(k string) bool { return k == id })
		}
		if c.threshold != 0 {
			role.Threshold = c.threshold
		}
		if err := checkThreshold(roleAuthority(role.Name, role.KeyIDs, role.Threshold, d.Keys)); err != nil {
			return err
		}
		r.touch(role.Name)
	}
	r.dropUnusedKeys()
	r.touch(metadata.TARGETS)
	return nil
}

// rootSigners are the keys at hand that the old root or the new one counts.
func (r *Repository) rootSigners(next *metadata.Metadata[metadata.RootType]) []key.Signer {
	old, _ := r.chain.signers(rootAuthority(&r.root.Signed, metadata.ROOT))
	fresh, _ := r.chain.signers(rootAuthority(&next.Signed, metadata.ROOT))
	return distinct(append(old, fresh...))
}

func distinct(signers []key.Signer) []key.Signer {
	seen := map[string]bool{}
	return slices.DeleteFunc(signers, func(s key.Signer) bool {
		id := s.Public().ID()
		was := seen[id]
		seen[id] = true
		return was
	})
}

// missing says what signatures a root still needs, "" for none.
func (r *Repository) missing(next *metadata.Metadata[metadata.RootType]) string {
	var parts []string
	for _, from := range []struct {
		name string
		root *metadata.Metadata[metadata.RootType]
	}{{"the root in force", r.root}, {"the new root", next}} {
		if from.root.VerifyDelegate(metadata.ROOT, next) == nil {
			continue
		}
		a := rootAuthority(&from.root.Signed, metadata.ROOT)
		parts = append(parts, fmt.Sprintf("%d of %s by %s", a.threshold, strings.Join(a.fingerprints(), ", "), from.name))
	}
	return strings.Join(parts, "; ")
}

// ReadRoot reads a proposal that came as a file.
func ReadRoot(path string) (Root, error) {
	data, err := readBounded(path, maxTop)
	if err != nil {
		return Root{}, fmt.Errorf("cannot read the root: %w", err)
	}
	m, err := (&metadata.Metadata[metadata.RootType]{}).FromBytes(data)
	if err == nil {
		err = checkRoles(&m.Signed)
	}
	if err != nil {
		return Root{}, hint.With(fmt.Errorf("cannot read the root %q: %w", path, err), "'sandbox repo rotate --out FILE' writes one")
	}
	return Root{m}, nil
}

// SignRoot adds the signatures of those keys to the proposal in the file that
// are keys of its root or may be of the one before; it needs no repository.
func SignRoot(path string, signers []key.Signer) (Root, error) {
	m, err := ReadRoot(path)
	if err != nil {
		return Root{}, err
	}
	if len(signers) == 0 {
		return Root{}, hint.With(errors.New("cannot sign the root: no key is named"), "name your key with --key")
	}
	if err := cosign(m.Metadata, signers); err != nil {
		return Root{}, fmt.Errorf("cannot sign the root: %w", err)
	}
	data, err := encode(m.Metadata)
	if err != nil {
		return Root{}, err
	}
	return m, explain(disk.WriteFile(path, data, 0o644))
}

// ApplyRoot puts a proposal in force that has all its signatures.
func (r *Repository) ApplyRoot(path string) (*Rotated, error) {
	out, err := r.applyFile(path)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot apply the root %q: %w", path, err))
	}
	return out, nil
}

func (r *Repository) applyFile(path string) (*Rotated, error) {
	file, err := ReadRoot(path)
	if err != nil {
		return nil, err
	}
	next := file.Metadata
	if want := r.root.Signed.Version + 1; next.Signed.Version != want {
		return nil, hint.With(fmt.Errorf("it is version %d, and the next is %d", next.Signed.Version, want), "propose it again from the repository as it is now")
	}
	if next.Signed.Expires.Before(r.now()) {
		return nil, fmt.Errorf("it expired on %s", next.Signed.Expires.Format(time.DateOnly))
	}
	if err := cosign(next, r.rootSigners(next)); err != nil {
		return nil, err
	}
	if missing := r.missing(next); missing != "" {
		return nil, hint.With(errors.New("it lacks signatures"), "it still takes %s: 'sandbox repo sign FILE'", missing)
	}
	return &Rotated{Root: next.Signed.Version, Complete: true}, r.applyRoot(next)
}

// applyRoot puts next in force. Where the metadata of today does not count
// under it, all of it is signed again: by the keys of both roots, so that it
// counts before and after, or when the old ones are gone, after.
func (r *Repository) applyRoot(next *metadata.Metadata[metadata.RootType]) error {
	if err := r.checkRoot(next, r.root.Signed.Version+1); err != nil {
		return err
	}
	data, err := encode(next)
	if err != nil {
		return err
	}
	counts := next.VerifyDelegate(metadata.TIMESTAMP, r.timestamp) == nil &&
		next.VerifyDelegate(metadata.SNAPSHOT, r.snapshot) == nil &&
		next.VerifyDelegate(metadata.TARGETS, r.targets) == nil
	if counts && len(r.dirty) == 0 {
		return r.placeRoot(next, data)
	}
	if !counts {
		r.touch(metadata.TARGETS)
	}
	r.upcoming = next
	if r.bridged() {
		if err := r.commit(); err != nil {
			return err
		}
		return r.placeRoot(next, data)
	}
	r.upcoming = nil
	if err := r.canSignUnder(next); err != nil {
		return err
	}
	if err := r.placeRoot(next, data); err != nil {
		return err
	}
	return r.commit()
}

// bridged reports whether what commit writes now counts under both roots.
func (r *Repository) bridged() bool {
	for _, role := range topRoles[1:] {
		for _, root := range []*metadata.Metadata[metadata.RootType]{r.root, r.upcoming} {
			if !r.chain.can(rootAuthority(&root.Signed, role)) {
				return false
			}
		}
	}
	return true
}

// canSignUnder refuses to put a root in force under which nobody here could
// sign the rest: clients would have nothing.
func (r *Repository) canSignUnder(next *metadata.Metadata[metadata.RootType]) error {
	for _, role := range topRoles[1:] {
		if _, err := r.chain.signers(rootAuthority(&next.Signed, role)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) placeRoot(next *metadata.Metadata[metadata.RootType], data []byte) error {
	name := r.path(rootFile(next.Signed.Version))
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s is there already", rootFile(next.Signed.Version))
	}
	if err := disk.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	r.before, r.root, r.upcoming = r.root, next, nil
	return r.step("root")
}
