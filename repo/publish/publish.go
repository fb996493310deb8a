package publish

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/key"
)

// Request is one transaction of Publish.
type Request struct {
	Bundles []string // directories
	Channel string   // "": the one that each manifest names
	Arch    string   // of bundles for several; "": this machine's

	Force     bool       // a new release even of what is published already
	Author    key.Signer // signs the releases; nil: the key that signed before, else the role's
	NewAuthor bool       // the author's key may be another than before
	Publisher string     // publish only what this publisher may; "": whatever the keys allow
}

// Published is what became of one bundle.
type Published struct {
	repo.Release
	Dir       string
	Role      string
	Unchanged bool  // it was published already: nothing was done
	Packed    int64 // bytes that were compressed for it, those of its packs
	Objects   int   // that the repository did not have
}

// job is a bundle on its way.
type job struct {
	dir    string
	tree   *repo.Tree
	stored []byte // of the tree
	icon   []byte
	m      *manifest.Manifest
	out    Published
	prev   *entry // the current release, or nil
	author key.Signer
}

// Publish puts bundles into the repository, all of them or none.
func (r *Repository) Publish(ctx context.Context, q Request) ([]Published, error) {
	out, err := r.publish(ctx, q)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot publish: %w", err))
	}
	return out, nil
}

func (r *Repository) publish(ctx context.Context, q Request) ([]Published, error) {
	jobs, err := r.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	changed := slices.Clone(jobs)
	changed = slices.DeleteFunc(changed, func(j *job) bool { return j.out.Unchanged })
	if len(changed) > 0 {
		if err := r.perform(ctx, changed); err != nil {
			return nil, err
		}
	}
	var out []Published
	for _, j := range jobs {
		out = append(out, j.out)
	}
	return out, nil
}

// plan reads the bundles and decides everything that needs no writing: what is
// new, under which number, by whose keys.
func (r *Repository) plan(ctx context.Context, q Request) ([]*job, error) {
	if q.Channel != "" {
		if err := manifest.CheckChannel(q.Channel); err != nil {
			return nil, err
		}
	}
	var jobs []*job
	for i, dir := range q.Bundles {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.tell("checking", dir, int64(i), int64(len(q.Bundles)))
		j, err := r.read(dir, q)
		if err != nil {
			return nil, err
		}
		for _, other := range jobs {
			if other.out.Ref == j.out.Ref {
				return nil, fmt.Errorf("%q and %q are both %s", other.dir, dir, j.out.Ref)
			}
		}
		jobs = append(jobs, j)
	}
	return jobs, r.sanction(jobs, q)
}

func (r *Repository) read(dir string, q Request) (*job, error) {
	t, err := repo.TreeFor(dir, q.Arch)
	if err != nil {
		return nil, err
	}
	m, err := t.Manifest()
	if err != nil {
		return nil, err
	}
	j := &job{dir: dir, tree: t, m: m, out: Published{Dir: dir}}
	if j.stored, err = repo.EncodeTree(t); err != nil {
		return nil, fmt.Errorf("%q: %w", dir, err)
	}
	channel := q.Channel
	if channel == "" {
		channel = m.Channel
	}
	text := repo.PermissionText(m)
	rel := &j.out.Release
	*rel = repo.Release{
		Ref: t.Ref(channel), Version: t.Version,
		Tree: repo.Sum(j.stored), TreeLength: int64(len(j.stored)),
		Runtime: runtimeRef(t, m), Installed: t.Size,
		Time: r.now(), Permissions: repo.Sum([]byte(text)), PermissionText: text,
	}
	if j.icon, err = catalogueIcon(dir, t, m); err != nil {
		return nil, err
	}
	j.out.Role, err = r.roleOf(rel.Ref.String())
	return j, err
}

// runtimeRef is the runtime that an app of that arch runs on.
func runtimeRef(t *repo.Tree, m *manifest.Manifest) repo.Ref {
	if m.Runtime.ID == "" || m.Kind == manifest.Runtime {
		return repo.Ref{}
	}
	return repo.Ref{Kind: manifest.Runtime, ID: m.Runtime.ID, Arch: t.Arch, Channel: m.Runtime.Channel}
}

// sanction checks that the keys allow all of it, gives the numbers, and opens
// the keys.
func (r *Repository) sanction(jobs []*job, q Request) error {
	var roles []string
	for _, j := range jobs {
		if q.Publisher != "" && j.out.Role != publisherPrefix+q.Publisher {
			return hint.With(fmt.Errorf("%s is not of publisher %q", j.out.Ref, q.Publisher), "%s", r.responsibleHint(j.out.Role))
		}
		of, err := r.releasesOf(j.out.Ref)
		if err != nil {
			return err
		}
		if len(of) > 0 && of[0].current {
			j.prev = of[0]
		}
		if j.prev != nil && j.prev.Tree == j.out.Tree && !q.Force {
			role := j.out.Role
			j.out = Published{Release: j.prev.Release, Dir: j.dir, Role: role, Unchanged: true}
			continue
		}
		if j.out.N, err = r.next(j.out.Ref); err != nil {
			return err
		}
		signers, err := r.chain.signers(r.authority(j.out.Role))
		if err != nil {
			return fmt.Errorf("%s: %w", j.out.Ref, hint.With(err, "%s", r.responsibleHint(j.out.Role)))
		}
		if err := r.chooseAuthor(j, q, signers[0]); err != nil {
			return err
		}
		if j.prev != nil && j.prev.EOL != "" {
			r.warn("%s was marked as at its end of life, and gets a release", j.out.Ref)
		}
		touched, err := r.rolesOf(of, j.out.Ref, j.out.N)
		if err != nil {
			return err
		}
		roles = append(roles, touched...)
	}
	if len(roles) == 0 {
		return nil
	}
	if err := r.missRuntimes(jobs); err != nil {
		return err
	}
	return r.prepare(slices.Compact(slices.Sorted(slices.Values(roles)))...)
}

// missRuntimes tells of apps whose runtime is neither here nor on its way: their
// users need another repository that has it.
func (r *Repository) missRuntimes(jobs []*job) error {
	all, err := r.releases()
	if err != nil {
		return err
	}
	type runtime struct {
		id      manifest.ID
		channel string
	}
	have := map[runtime]bool{}
	for _, e := range all {
		have[runtime{e.Ref.ID, e.Ref.Channel}] = have[runtime{e.Ref.ID, e.Ref.Channel}] || e.current && e.Ref.Kind == manifest.Runtime
	}
	for _, j := range jobs {
		have[runtime{j.out.Ref.ID, j.out.Ref.Channel}] = true
	}
	for _, j := range jobs {
		if want := j.out.Runtime; !want.IsZero() && !have[runtime{want.ID, want.Channel}] {
			r.warn("%s runs on %s/%s, which is not in this repository: users need another one that has it", j.out.Ref, want.ID, want.Channel)
		}
	}
	return nil
}

// rolesOf are the roles that sign what a new release n of ref moves: with
// several bins every target may have another.
func (r *Repository) rolesOf(of []*entry, ref repo.Ref, n uint64) ([]string, error) {
	targets := []string{ref.String()}
	for _, e := range of {
		targets = append(targets, e.target, ref.At(e.N))
	}
	var roles []string
	for _, t := range targets {
		role, err := r.roleOf(t)
		if err != nil {
			return nil, err
		}
		roles = append(roles, role)
	}
	return roles, nil
}

func (r *Repository) responsibleHint(role string) string {
	a := r.authority(role)
	keys := fmt.Sprintf("%d of %s", a.threshold, strings.Join(a.fingerprints(), ", "))
	for _, d := range r.targets.Signed.Delegations.Roles {
		if d.Name != role || !strings.HasPrefix(role, publisherPrefix) {
			continue
		}
		var words []string
		for _, p := range patternsOf(d.Paths) {
			words = append(words, p.String())
		}
		return fmt.Sprintf("publisher %s signs %s here, with %s; name the key with --key", strings.TrimPrefix(role, publisherPrefix), strings.Join(words, ", "), keys)
	}
	return fmt.Sprintf("the repository's own keys sign it, with %s; name the key with --key", keys)
}

// chooseAuthor finds the key for the author's signature: users are asked when
// it changes, so it stays what it was unless told otherwise.
func (r *Repository) chooseAuthor(j *job, q Request, fallback key.Signer) error {
	j.author = q.Author
	if j.prev == nil {
		if j.author == nil {
			j.author = fallback
		}
		return key.Unlock(j.author)
	}
	var before key.Public
	copy(before[:], j.prev.Publisher.Key)
	if j.author == nil {
		a := authority{role: "author", keys: map[string]*metadata.Key{before.ID(): tufKey(before)}, threshold: 1}
		if s, err := r.chain.signers(a); err == nil {
			j.author = s[0]
		} else {
			j.author = fallback
		}
	}
	if j.author.Public() != before && !q.NewAuthor {
		return hint.With(fmt.Errorf("the releases of %s were signed by %s until now, and %s is another key", j.out.Ref, before.Fingerprint(), j.author.Public().Fingerprint()),
			"name the author's key with --author; --new-author changes it, and everybody who has the app will be asked")
	}
	return key.Unlock(j.author)
}

// perform writes what plan decided.
func (r *Repository) perform(ctx context.Context, jobs []*job) error {
	x, err := r.loadIndex(ctx)
	if err != nil {
		return err
	}
	if err := r.packMissing(ctx, x, jobs); err != nil {
		return err
	}
	for _, j := range jobs {
		if err := r.describe(x, j); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		if err := r.writeNew("tree", repo.TreePath(j.out.Tree), j.stored); err != nil {
			return err
		}
		if err := r.release(j.out.Release); err != nil {
			return err
		}
	}
	if err := r.catalogue(rowsOf(jobs)); err != nil {
		return err
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.keepIndex()
	return nil
}

// describe writes the locator of j and completes its release.
func (r *Repository) describe(x *index, j *job) error {
	l, err := x.locator(j.tree)
	if err != nil {
		return err
	}
	stored, err := repo.EncodeLocator(l)
	if err != nil {
		return fmt.Errorf("%s: %w", j.out.Ref, err)
	}
	rel := &j.out.Release
	rel.Locator, rel.LocatorLength, rel.Download = repo.Sum(stored), int64(len(stored)), download(l)
	if err := signRelease(rel, j.author); err != nil {
		return err
	}
	x.covers[rel.Locator] = true
	return r.writeNew("locator", repo.LocatorPath(rel.Locator), stored)
}

// download is what one fetches who has nothing.
func download(l *repo.Locator) (n int64) {
	for _, f := range l.Frames {
		n += f.CLen
	}
	return n
}

func signRelease(rel *repo.Release, author key.Signer) error {
	sig, err := author.Sign(rel.SignedText())
	if err != nil {
		return err
	}
	p := author.Public()
	rel.Publisher = repo.Publisher{Key: bytes.Clone(p[:]), Sig: sig}
	return rel.VerifyPublisher()
}

// release makes rel the current release of its ref. The one before stays
// available as ref@n; what is beyond the number to keep goes.
func (r *Repository) release(rel repo.Release) error {
	of, err := r.releasesOf(rel.Ref)
	if err != nil {
		return err
	}
	for i, e := range of {
		switch {
		case i+2 > r.config.keep():
			r.drop(e)
		case e.current:
			r.drop(e)
			if err := r.set(rel.Ref.At(e.N), e.Release); err != nil {
				return err
			}
		}
	}
	return r.set(rel.Ref.String(), rel)
}
