package publish

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo"
)

// entry is a release as some role signs it.
type entry struct {
	repo.Release
	role    string
	target  string // ref or ref@n
	current bool   // the target is the ref itself
}

// releases are all there are, by ref, the newest first.
func (r *Repository) releases() ([]*entry, error) {
	return r.releasesThat(func(string) bool { return true })
}

// releasesOf are those of one ref, the newest first.
func (r *Repository) releasesOf(ref repo.Ref) ([]*entry, error) {
	text := ref.String()
	return r.releasesThat(func(target string) bool {
		rest, ok := strings.CutPrefix(target, text)
		return ok && (rest == "" || rest[0] == '@')
	})
}

func (r *Repository) releasesThat(want func(target string) bool) ([]*entry, error) {
	var all []*entry
	for role, m := range r.roles {
		for target, file := range m.Signed.Targets {
			if strings.HasPrefix(target, cataloguePrefix) || !want(target) {
				continue
			}
			e, err := r.parsed(role, target, file)
			if err != nil {
				return nil, fmt.Errorf("role %q: %w", role, err)
			}
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Or(compareRefs(a.Ref, b.Ref), cmp.Compare(b.N, a.N)) })
	return all, nil
}

func compareRefs(a, b repo.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Channel, b.Channel))
}

// parsed reads each target once: set makes a new file of what it changes, and
// never touches an old one.
func (r *Repository) parsed(role, target string, file *metadata.TargetFiles) (*entry, error) {
	if e := r.entries[file]; e != nil && e.role == role && e.target == target {
		return e, nil
	}
	e, err := parseEntry(role, target, file)
	if err != nil {
		return nil, err
	}
	if r.entries == nil {
		r.entries = map[*metadata.TargetFiles]*entry{}
	}
	r.entries[file] = e
	return e, nil
}

func parseEntry(role, target string, file *metadata.TargetFiles) (*entry, error) {
	ref, n, err := repo.ParseTarget(target)
	if err != nil {
		return nil, err
	}
	if file.Custom == nil {
		return nil, fmt.Errorf("%s describes no release", target)
	}
	rel, err := repo.ParseCustom(ref, *file.Custom)
	if err != nil {
		return nil, err
	}
	if n != 0 && n != rel.N {
		return nil, fmt.Errorf("%s is release %d", target, rel.N)
	}
	digest := file.Hashes["sha256"]
	if len(digest) != len(rel.Tree) {
		return nil, fmt.Errorf("%s has no SHA-256", target)
	}
	copy(rel.Tree[:], digest)
	rel.TreeLength = file.Length
	return &entry{Release: rel, role: role, target: target, current: n == 0}, nil
}

// roleOf is the role that clients ask for a target, and an error for a
// publisher that may not sign here.
func (r *Repository) roleOf(target string) (string, error) {
	role, ok := responsible(r.targets.Signed.Delegations, target)
	if !ok {
		return "", fmt.Errorf("internal error: nobody is responsible for %s", target)
	}
	return role.Name, nil
}

// set puts a release into the index.
func (r *Repository) set(target string, rel repo.Release) error {
	role, err := r.roleOf(target)
	if err != nil {
		return err
	}
	custom, err := rel.MarshalCustom()
	if err != nil {
		return err
	}
	raw := json.RawMessage(custom)
	m := r.touch(role)
	m.Signed.Targets[target] = &metadata.TargetFiles{
		Length: rel.TreeLength,
		Hashes: metadata.Hashes{"sha256": rel.Tree[:]},
		Custom: &raw,
		Path:   target,
	}
	return nil
}

// drop takes a target out of the index.
func (r *Repository) drop(e *entry) {
	delete(r.touch(e.role).Signed.Targets, e.target)
}

// floorsField is an additional field in the signed part of a role: for refs
// whose newest release was retracted, the number that the next one must exceed.
// Numbers are written as text.
const floorsField = "sandbox_floors"

func floors(m *metadata.Metadata[metadata.TargetsType]) map[string]uint64 {
	out := map[string]uint64{}
	fields, _ := m.Signed.UnrecognizedFields[floorsField].(map[string]any)
	for ref, v := range fields {
		text, _ := v.(string)
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			out[ref] = n
		}
	}
	return out
}

// floor is the highest number that the ref ever had.
func (r *Repository) floor(ref repo.Ref) (uint64, error) {
	var highest uint64
	for _, m := range r.roles {
		highest = max(highest, floors(m)[ref.String()])
	}
	of, err := r.releasesOf(ref)
	if err != nil {
		return 0, err
	}
	for _, e := range of {
		highest = max(highest, e.N)
	}
	return highest, nil
}

// next is the number of the ref's next release.
func (r *Repository) next(ref repo.Ref) (uint64, error) {
	n, err := r.floor(ref)
	if err == nil && n >= repo.MaxN {
		err = hint.With(fmt.Errorf("%s has used up its numbers", ref), "publish it under another channel")
	}
	return n + 1, err
}

// keepFloor records in role that ref has come to n.
func (r *Repository) keepFloor(role string, ref repo.Ref, n uint64) {
	m := r.touch(role)
	all := floors(m)
	all[ref.String()] = max(all[ref.String()], n)
	fields := map[string]any{}
	for ref, n := range all {
		fields[ref] = strconv.FormatUint(n, 10)
	}
	rest := maps.Clone(m.Signed.UnrecognizedFields)
	if rest == nil {
		rest = map[string]any{}
	}
	rest[floorsField] = fields
	m.Signed.UnrecognizedFields = rest
}

// keepFloors records numbers with the roles that are responsible for the refs.
func (r *Repository) keepFloors(all map[string]uint64) error {
	for text, n := range all {
		ref, err := repo.ParseRef(text)
		if err != nil {
			continue // nobody of ours wrote it
		}
		role, err := r.roleOf(text)
		if err != nil {
			return err
		}
		r.keepFloor(role, ref, n)
	}
	return nil
}
