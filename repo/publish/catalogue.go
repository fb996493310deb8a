package publish

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/manifest"
	"sandbox/repo"
)

// The catalogue of each arch is a target of the bins, so that a search needs no
// other metadata than everything else does.
const cataloguePrefix = "catalogue/"

// catalogue writes the catalogues anew of those arches whose releases have
// changed, with fresh rows where given. Other rows are taken over from the
// catalogue there is, and made from the trees where it lacks them.
//
// A publisher who has no key of the bins cannot sign it. Then it is left as it
// is, and the next run with that key makes it right.
func (r *Repository) catalogue(fresh map[repo.Ref]repo.CatalogueRow) error {
	all, err := r.releases()
	if err != nil {
		return err
	}
	arches := map[string][]*entry{}
	for _, e := range all {
		if e.current {
			arches[e.Ref.Arch] = append(arches[e.Ref.Arch], e)
		}
	}
	for _, role := range r.roles { // an arch that has lost its last release
		for target := range role.Signed.Targets {
			if arch, ok := strings.CutPrefix(target, cataloguePrefix); ok && arches[arch] == nil {
				arches[arch] = []*entry{}
			}
		}
	}
	for arch, current := range arches {
		if err := r.catalogueOf(arch, current, fresh); err != nil {
			return fmt.Errorf("catalogue of %s: %w", arch, err)
		}
	}
	return nil
}

func (r *Repository) catalogueOf(arch string, current []*entry, fresh map[repo.Ref]repo.CatalogueRow) error {
	target := cataloguePrefix + arch
	role, err := r.roleOf(target)
	if err != nil {
		return err
	}
	old := r.roles[role].Signed.Targets[target]
	known := r.knownRows(old)
	rows := []repo.CatalogueRow{}
	for _, e := range current {
		row, ok := fresh[e.Ref]
		if before, had := known[e.Ref]; !ok && had && before.N == e.N {
			row, ok = before, true
		}
		if !ok {
			t, err := r.readTree(e.Release)
			if err != nil {
				return err
			}
			m, err := t.Manifest()
			if err != nil {
				return err
			}
			row = rowOf(e.Release, m, known[e.Ref].Icon)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b repo.CatalogueRow) int { return cmp.Compare(a.Ref.String(), b.Ref.String()) })
	stored, err := repo.EncodeCatalogue(rows)
	if err != nil {
		return err
	}
	digest := repo.Sum(stored)
	if old != nil && slices.Equal(old.Hashes["sha256"], digest[:]) {
		return nil
	}
	if !r.chain.can(r.authority(role)) {
		r.warn("the catalogue of %s stays as it is: the repository's own key, which signs it, is not here; search shows the change after the next 'sandbox repo refresh' with it", arch)
		return nil
	}
	if err := r.writeNew("catalogue", repo.CataloguePath(digest), stored); err != nil {
		return err
	}
	r.touch(role).Signed.Targets[target] = &metadata.TargetFiles{
		Length: int64(len(stored)), Hashes: metadata.Hashes{"sha256": digest[:]}, Path: target,
	}
	return nil
}

// knownRows reads the catalogue there is. It is a convenience: a damaged one is
// made anew.
func (r *Repository) knownRows(file *metadata.TargetFiles) map[repo.Ref]repo.CatalogueRow {
	known := map[repo.Ref]repo.CatalogueRow{}
	if file == nil || len(file.Hashes["sha256"]) != len(repo.Digest{}) {
		return known
	}
	digest := repo.Digest(file.Hashes["sha256"])
	data, err := r.readContent(repo.CataloguePath(digest), digest, file.Length)
	if err != nil {
		return known
	}
	rows, err := repo.DecodeCatalogue(data)
	if err != nil {
		return known
	}
	for _, row := range rows {
		known[row.Ref] = row
	}
	return known
}

func rowsOf(jobs []*job) map[repo.Ref]repo.CatalogueRow {
	rows := map[repo.Ref]repo.CatalogueRow{}
	for _, j := range jobs {
		rows[j.out.Ref] = rowOf(j.out.Release, j.m, j.icon)
	}
	return rows
}

func rowOf(rel repo.Release, m *manifest.Manifest, icon []byte) repo.CatalogueRow {
	return repo.CatalogueRow{
		Ref: rel.Ref, N: rel.N, Version: rel.Version,
		Name: m.Name, Summary: m.Summary, License: m.License, Homepage: m.Homepage,
		Permissions: rel.Permissions, Installed: rel.Installed, Download: rel.Download, Icon: icon,
	}
}

// catalogueIcon picks the exported PNG that suits a list: 64 pixels where there
// is one, and never more than a catalogue takes.
func catalogueIcon(dir string, t *repo.Tree, m *manifest.Manifest) ([]byte, error) {
	files := map[string]repo.Entry{}
	for _, e := range t.Entries {
		if e.Type == repo.File && strings.HasSuffix(e.Path, ".png") && e.Size > 0 && e.Size <= repo.MaxIcon {
			files[e.Path] = e
		}
	}
	best, bestRank := "", len(iconSizes)+1
	for _, x := range m.Exports.Icons {
		p := bundlePath(x.Path, m.Kind)
		if _, ok := files[p]; !ok {
			continue
		}
		rank := slices.IndexFunc(iconSizes, func(s string) bool { return strings.Contains(p, "/"+s+"/") })
		if rank < 0 {
			rank = len(iconSizes)
		}
		if rank < bestRank {
			best, bestRank = p, rank
		}
	}
	if best == "" {
		return nil, nil
	}
	data, err := readBounded(filepath.Join(dir, filepath.FromSlash(best)), repo.MaxIcon)
	if err != nil || !strings.HasPrefix(string(data), "\x89PNG\r\n\x1a\n") || repo.Sum(data) != files[best].Object {
		return nil, err
	}
	return data, nil
}

var iconSizes = []string{"64x64", "128x128", "48x48", "96x96", "256x256", "32x32"}

// bundlePath is where a bundle holds what is at path inside.
func bundlePath(path string, kind manifest.Kind) string {
	if rest, ok := strings.CutPrefix(path, "/app/"); ok {
		return "files/" + rest
	}
	if rest, ok := strings.CutPrefix(path, "/usr/"); ok && kind == manifest.Runtime {
		return "files/" + rest
	}
	return strings.TrimPrefix(path, "/")
}
