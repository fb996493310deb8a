package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/disk"
	"sandbox/repo"
)

// role returns a role's verified metadata: targets, or one that it delegates
// to. It comes from the store when the snapshot still names that version. nil
// without an error is a role that has not said anything yet. The caller holds mu.
func (r *Repository) role(ctx context.Context, name string) (*metadata.Metadata[metadata.TargetsType], error) {
	if r.asked != nil {
		r.asked[name] = true
	}
	if m := r.tm.Targets[name]; m != nil {
		return m, nil
	}
	meta := r.tm.Snapshot.Signed.Meta[name+".json"]
	if meta == nil {
		return nil, nil
	}
	file := roleDir + "/" + roleName(name, meta.Version)
	data, stored := r.stored(file, meta)
	if !stored {
		var err error
		if data, err = r.fetch(ctx, file, meta.Length); err != nil {
			return nil, err
		}
	}
	m, err := r.takeRole(data, name, meta)
	if errors.Is(err, ErrExpired) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot trust its role %q: %w", name, err)
	}
	if !stored && !r.opt.Expired {
		err = r.write(file, data)
	}
	return m, err
}

func (r *Repository) stored(file string, meta *metadata.MetaFiles) ([]byte, bool) {
	if r.opt.Dir == "" {
		return nil, false
	}
	data, err := disk.ReadFile(filepath.Join(r.opt.Dir, file), meta.Length)
	return data, err == nil && meta.VerifyLengthHashes(data) == nil
}

func (r *Repository) takeRole(data []byte, name string, meta *metadata.MetaFiles) (*metadata.Metadata[metadata.TargetsType], error) {
	if err := meta.VerifyLengthHashes(data); err != nil {
		return nil, translate(err)
	}
	m, err := parse(data, maxTargets, func(m *metadata.Metadata[metadata.TargetsType]) error { return checkTargets(name, m) })
	if err != nil {
		return nil, err
	}
	if m.Signed.Version != meta.Version {
		return nil, fmt.Errorf("it has the version %d, not %d", m.Signed.Version, meta.Version)
	}
	delegator := metadata.TARGETS
	if name == metadata.TARGETS {
		delegator = metadata.ROOT
	}
	if err := r.unexpired("role "+name, m.Signed.Expires); err != nil {
		return nil, err
	}
	_, err = r.tm.UpdateDelegatedTargets(data, name, delegator)
	return r.tm.Targets[name], translate(err)
}

// target is what the repository says about one path.
type target struct {
	length int64
	hash   repo.Digest
	custom []byte
	role   string
}

// target asks the roles in their order: the targets themselves, then each role
// to whom the path is delegated, up to one behind whom nobody else is asked.
// The caller holds mu.
func (r *Repository) target(ctx context.Context, path string, max int64) (*target, error) {
	if r.tm == nil || r.tm.Snapshot == nil {
		return nil, errors.New("internal error: a question before the metadata was loaded")
	}
	top, err := r.role(ctx, metadata.TARGETS)
	if err != nil {
		return nil, err
	}
	if f := top.Signed.Targets[path]; f != nil {
		return readTarget(metadata.TARGETS, path, f, max)
	}
	if top.Signed.Delegations == nil {
		return nil, ErrNoRef
	}
	for i := range top.Signed.Delegations.Roles {
		d := &top.Signed.Delegations.Roles[i]
		if !delegated(d, path) {
			continue
		}
		m, err := r.role(ctx, d.Name)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Signed.Targets[path] != nil {
			return readTarget(d.Name, path, m.Signed.Targets[path], max)
		}
		if d.Terminating {
			break
		}
	}
	return nil, ErrNoRef
}

func readTarget(role, path string, f *metadata.TargetFiles, max int64) (*target, error) {
	t := &target{length: f.Length, role: role}
	if f.Length < 1 || f.Length > max {
		return nil, fmt.Errorf("cannot use %q: its length is %d", path, f.Length)
	}
	sum := f.Hashes["sha256"]
	if len(f.Hashes) != 1 || len(sum) != len(t.hash) {
		return nil, fmt.Errorf("cannot use %q: it does not say its SHA-256 and that alone", path)
	}
	copy(t.hash[:], sum)
	if f.Custom != nil {
		t.custom = []byte(json.RawMessage(*f.Custom))
	}
	return t, nil
}

// Release returns the current release of a ref. Its publisher's signature has
// been checked against the key that the release names; whether that is the
// right key is for the caller.
func (r *Repository) Release(ctx context.Context, ref repo.Ref) (repo.Release, error) {
	return r.release(ctx, ref, 0)
}

// ReleaseAt returns a release by its number, as long as it is kept.
func (r *Repository) ReleaseAt(ctx context.Context, ref repo.Ref, n uint64) (repo.Release, error) {
	current, err := r.release(ctx, ref, 0)
	if err == nil && current.N == n || err != nil && !errors.Is(err, ErrNoRef) {
		return current, err
	}
	return r.release(ctx, ref, n)
}

func (r *Repository) release(ctx context.Context, ref repo.Ref, n uint64) (repo.Release, error) {
	path := ref.String()
	if n != 0 {
		path = ref.At(n)
	}
	r.mu.Lock()
	t, err := r.target(ctx, path, repo.MaxTree)
	r.mu.Unlock()
	if err != nil {
		if errors.Is(err, ErrNoRef) {
			err = fmt.Errorf("%w: %s", ErrNoRef, path)
		}
		return repo.Release{}, err
	}
	rel, err := repo.ParseCustom(ref, t.custom)
	if err != nil {
		return repo.Release{}, err
	}
	rel.Tree, rel.TreeLength = t.hash, t.length
	if n != 0 && rel.N != n {
		return repo.Release{}, fmt.Errorf("cannot use %s: it says it is release %d", path, rel.N)
	}
	if err := rel.VerifyPublisher(); err != nil {
		return repo.Release{}, err
	}
	return rel, nil
}

const (
	maxOlder   = 20 // that are listed
	olderTries = 40 // numbers that are looked for
)

// Older returns the kept releases of a ref below n, the newest first.
func (r *Repository) Older(ctx context.Context, ref repo.Ref, n uint64) ([]repo.Release, error) {
	var all []repo.Release
	for k, tries := n-1, 0; k > 0 && k < n && tries < olderTries && len(all) < maxOlder; k, tries = k-1, tries+1 {
		rel, err := r.release(ctx, ref, k)
		if errors.Is(err, ErrNoRef) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, rel)
	}
	return all, nil
}

// Catalogue returns what the repository offers for an arch; no rows when it
// has nothing for it.
func (r *Repository) Catalogue(ctx context.Context, arch string) ([]repo.CatalogueRow, error) {
	if err := repo.CheckArch(arch); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.target(ctx, "catalogue/"+arch, repo.MaxCatalogue)
	if errors.Is(err, ErrNoRef) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(catDir, arch+"."+t.hash.String())
	var data []byte
	if r.opt.Dir != "" {
		data, _ = disk.ReadFile(filepath.Join(r.opt.Dir, file), t.length)
	}
	stored := int64(len(data)) == t.length && repo.Sum(data) == t.hash
	if !stored {
		if data, err = r.fetch(ctx, repo.CataloguePath(t.hash), t.length); err != nil {
			return nil, err
		}
		if int64(len(data)) != t.length || repo.Sum(data) != t.hash {
			return nil, errors.New("cannot use its catalogue: it is not the file that the signed metadata names")
		}
	}
	rows, err := repo.DecodeCatalogue(data)
	if err == nil && !stored {
		if err = r.write(file, data); err == nil && !r.opt.ReadOnly && r.opt.Dir != "" {
			r.keepOnly(arch, t.hash)
		}
	}
	return rows, err
}

// File is a metadata file as the repository has it.
type File struct {
	Path string
	Data []byte
}

// Export returns the metadata that vouches for refs, for somebody without a
// network: every root from the first, the timestamp, the snapshot, and the roles
// that they are looked up in, by name. It depends on nothing else that was asked.
func (r *Repository) Export(ctx context.Context, refs []repo.Ref) ([]File, error) {
	r.mu.Lock()
	r.asked = map[string]bool{}
	r.mu.Unlock()
	for _, ref := range refs {
		if _, err := r.Release(ctx, ref); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var files []File
	for v := int64(1); v <= r.tm.Root.Signed.Version; v++ {
		data, err := disk.ReadFile(filepath.Join(r.opt.Dir, rootDir, rootName(v)), maxRoot)
		if err != nil { // from before this machine trusted it
			if data, err = r.fetch(ctx, rootName(v), maxRoot); err != nil {
				return nil, err
			}
		}
		files = append(files, File{rootName(v), data})
	}
	st, err := r.readState()
	if err != nil {
		return nil, err
	}
	files = append(files, File{"timestamp.json", []byte(st.Timestamp)},
		File{roleDir + "/" + roleName(metadata.SNAPSHOT, r.tm.Snapshot.Signed.Version), []byte(st.Snapshot)})
	for _, name := range slices.Sorted(maps.Keys(r.asked)) {
		if r.tm.Targets[name] == nil {
			continue
		}
		meta := r.tm.Snapshot.Signed.Meta[name+".json"]
		path := roleDir + "/" + roleName(name, meta.Version)
		data, ok := r.stored(path, meta)
		if !ok {
			if data, err = r.fetch(ctx, path, meta.Length); err != nil {
				return nil, err
			}
			if err := meta.VerifyLengthHashes(data); err != nil {
				return nil, translate(err)
			}
		}
		files = append(files, File{path, data})
	}
	return files, nil
}
