package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/amount"
	"sandbox/internal/hint"
)

// load verifies the metadata from the first root down and keeps it. What is not
// vouched for is an error, never passed over: the next transaction would sign
// it.
func (r *Repository) load() error {
	if err := r.loadRoots(); err != nil {
		return err
	}
	for _, load := range []func() error{r.loadTimestamp, r.loadSnapshot, r.loadTargets, r.loadRoles} {
		if err := load(); err != nil {
			return hint.With(fmt.Errorf("its metadata is not to be trusted: %w", err), "somebody or something else has written here: restore the directory from a mirror or a backup")
		}
	}
	return nil
}

func (r *Repository) loadRoots() error {
	for v := int64(1); v <= maxRootChain; v++ {
		data, err := readBounded(r.path(rootFile(v)), maxTop)
		if errors.Is(err, fs.ErrNotExist) && v > 1 {
			return nil
		}
		if err != nil {
			return err
		}
		next, err := (&metadata.Metadata[metadata.RootType]{}).FromBytes(data)
		if err != nil {
			return fmt.Errorf("%s: %w", rootFile(v), err)
		}
		if err := r.checkRoot(next, v); err != nil {
			return fmt.Errorf("%s: %w", rootFile(v), err)
		}
		if v == 1 {
			r.first = next
		}
		r.before, r.root = r.root, next
	}
	return errors.New("it has too many roots")
}

func (r *Repository) checkRoot(next *metadata.Metadata[metadata.RootType], version int64) error {
	if next.Signed.Version != version {
		return fmt.Errorf("it says version %d", next.Signed.Version)
	}
	if r.root != nil {
		if err := r.root.VerifyDelegate(metadata.ROOT, next); err != nil {
			return err
		}
	}
	if err := next.VerifyDelegate(metadata.ROOT, next); err != nil {
		return err
	}
	return checkRoles(&next.Signed)
}

// checkRoles refuses a root that leaves a role to nobody, whatever the library
// makes of it (CVE-2026-23992).
func checkRoles(root *metadata.RootType) error {
	for _, role := range topRoles {
		entry := root.Roles[role]
		if entry == nil {
			return fmt.Errorf("it has no role %q", role)
		}
		if err := checkThreshold(rootAuthority(root, role)); err != nil {
			return err
		}
	}
	return nil
}

func checkThreshold(a authority) error {
	if a.threshold < 1 || a.threshold > len(a.keys) {
		return hint.With(fmt.Errorf("role %q has %s and needs %d of them", a.role, amount.Of(len(a.keys), "key"), a.threshold), "a role needs at least one key, and no more than it has")
	}
	if len(a.keys) > maxRoleKeys {
		return fmt.Errorf("role %q has %d keys, and clients read %d", a.role, len(a.keys), maxRoleKeys)
	}
	return nil
}

// byRoot verifies a top role by the newest root, else by the one before it: a
// rotation that was cut short leaves metadata of the old keys below a new root.
func byRoot(r *Repository, role string, signed any) error {
	err := r.root.VerifyDelegate(role, signed)
	if err != nil && r.before != nil && r.before.VerifyDelegate(role, signed) == nil {
		r.stale = true
		return nil
	}
	return err
}

func (r *Repository) loadTimestamp() error {
	data, err := readBounded(r.path(timestampFile), maxTop)
	if err != nil {
		return err
	}
	if r.timestamp, err = (&metadata.Metadata[metadata.TimestampType]{}).FromBytes(data); err != nil {
		return fmt.Errorf("%s: %w", timestampFile, err)
	}
	if err := byRoot(r, metadata.TIMESTAMP, r.timestamp); err != nil {
		return err
	}
	if r.timestamp.Signed.Meta[metadata.SNAPSHOT+".json"] == nil {
		return errors.New("the timestamp names no snapshot")
	}
	return nil
}

func (r *Repository) loadSnapshot() error {
	data, err := r.readMeta(metadata.SNAPSHOT, r.timestamp.Signed.Meta[metadata.SNAPSHOT+".json"])
	if err != nil {
		return err
	}
	if r.snapshot, err = (&metadata.Metadata[metadata.SnapshotType]{}).FromBytes(data); err != nil {
		return err
	}
	return byRoot(r, metadata.SNAPSHOT, r.snapshot)
}

func (r *Repository) loadTargets() error {
	data, err := r.readMeta(metadata.TARGETS, r.snapshot.Signed.Meta[metadata.TARGETS+".json"])
	if err != nil {
		return err
	}
	if r.targets, err = (&metadata.Metadata[metadata.TargetsType]{}).FromBytes(data); err != nil {
		return err
	}
	if err := byRoot(r, metadata.TARGETS, r.targets); err != nil {
		return err
	}
	return r.checkDelegations()
}

// checkDelegations wants the publishers first, then exactly the bins that
// sandbox-repo.json promises.
func (r *Repository) checkDelegations() error {
	d := r.targets.Signed.Delegations
	if d == nil || len(d.Roles) < r.bins {
		return fmt.Errorf("it delegates to no %d bins", r.bins)
	}
	publishers := len(d.Roles) - r.bins
	for i, role := range d.Roles {
		if err := checkRoleName(role.Name); err != nil {
			return err
		}
		a, _ := delegatedAuthority(d, role.Name)
		if err := checkThreshold(a); err != nil {
			return err
		}
		if !role.Terminating {
			return fmt.Errorf("role %q is not terminating", role.Name)
		}
		if bin := i - publishers; bin >= 0 && (role.Name != binNames(r.bins)[bin] || !slices.Equal(role.PathHashPrefixes, binPrefixes(bin, r.bins))) {
			return hint.With(fmt.Errorf("role %q is not bin %d of %d", role.Name, bin, r.bins), "%s says how many bins there are, and nobody may change it", layoutFile)
		}
	}
	return nil
}

func (r *Repository) loadRoles() error {
	r.roles = map[string]*metadata.Metadata[metadata.TargetsType]{}
	for _, role := range r.targets.Signed.Delegations.Roles {
		meta := r.snapshot.Signed.Meta[role.Name+".json"]
		if meta == nil { // a publisher who has not published yet
			continue
		}
		data, err := r.readMeta(role.Name, meta)
		if err != nil {
			return err
		}
		m, err := (&metadata.Metadata[metadata.TargetsType]{}).FromBytes(data)
		if err != nil {
			return fmt.Errorf("%s: %w", role.Name, err)
		}
		if err := r.targets.VerifyDelegate(role.Name, m); err != nil {
			return err
		}
		if m.Signed.Version != meta.Version {
			return fmt.Errorf("%s: version %d, not %d", role.Name, m.Signed.Version, meta.Version)
		}
		r.roles[role.Name] = m
	}
	return nil
}

// readMeta reads the file that meta names and checks it against length and
// hash. Ours always has both.
func (r *Repository) readMeta(role string, meta *metadata.MetaFiles) ([]byte, error) {
	if meta == nil || len(meta.Hashes) == 0 || meta.Length <= 0 {
		return nil, fmt.Errorf("%s: nothing vouches for it", role)
	}
	name := metaFile(role, meta.Version)
	data, err := readBounded(r.path(name), maxRole)
	if err != nil {
		return nil, err
	}
	if err := meta.VerifyLengthHashes(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
