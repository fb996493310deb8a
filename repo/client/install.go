package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

// PlanOptions are what a person said besides names.
type PlanOptions struct {
	From      string // the remote to take from, and no other
	Release   uint64 // this release and no other; 0: the current one
	Downgrade bool   // an older one than was seen is wanted
}

// PlanInstall finds out what installing the wanted would do.
func (c *Client) PlanInstall(ctx context.Context, wants []Want, opt PlanOptions) (*Plan, error) {
	origins, err := c.enabled(opt.From)
	if err != nil {
		return nil, err
	}
	p := &planner{c: c, opt: opt, origins: origins, plan: &Plan{}}
	for _, w := range wants {
		if err := p.install(ctx, w); err != nil {
			return nil, err
		}
	}
	return p.plan, ctx.Err()
}

// planner makes one plan.
type planner struct {
	c       *Client
	opt     PlanOptions
	origins []*Origin
	plan    *Plan
}

func (p *planner) install(ctx context.Context, w Want) error {
	if p.opt.From == "" {
		rec, err := p.c.Store.Find(w.Text)
		if err == nil && (w.Channel == "" || w.Channel == rec.Ref().Channel) {
			return p.again(ctx, rec)
		}
	}
	offer, err := p.c.resolve(ctx, w, p.origins)
	if err != nil {
		return err
	}
	old, err := p.c.current(offer.Release.Ref)
	if err != nil {
		return err
	}
	done, err := p.take(ctx, offer, old, true)
	if err == nil && !done {
		p.plan.note("%s %s is installed already", offer.Release.Ref.ID, old.Release.Version)
	}
	return err
}

// again is an install of what is installed: it stays with the repository it
// came from (B20), and is an update at most, which a hold or a pin keeps away as
// any other.
func (p *planner) again(ctx context.Context, rec store.Record) error {
	o, err := p.c.originOf(rec)
	if err != nil {
		return err
	}
	if err := p.c.refresh(ctx, o); err != nil {
		return err
	}
	rel, err := p.release(ctx, o, rec.Ref())
	if err != nil {
		return err
	}
	if p.stays(rec, rel) {
		return nil
	}
	done, err := p.take(ctx, &Offer{Origin: o, Release: rel}, &rec, true)
	if err == nil && !done {
		p.plan.note("%s %s is installed already", rec.Ref().ID, rec.Release.Version)
	}
	return err
}

// originOf is the configured repository that something came from, whatever it
// is called now. Where a user and the machine have it under two names, the name
// that it came by is preferred.
func (c *Client) originOf(rec store.Record) (*Origin, error) {
	all, err := c.load()
	if err != nil {
		return nil, err
	}
	var enabled, disabled *Origin
	for _, o := range all {
		switch {
		case o.Root != rec.RemoteFingerprint:
		case o.Disabled:
			disabled = o
		case enabled == nil || o.Name == rec.Remote:
			enabled = o
		}
	}
	if enabled != nil {
		return enabled, nil
	}
	if disabled != nil {
		return nil, fmt.Errorf("the remote %q, where it came from, is disabled", disabled.Name)
	}
	err = fmt.Errorf("%w: %s", ErrNoOrigin, rec.RemoteFingerprint)
	if rec.Remote != "" {
		err = fmt.Errorf("%w: %s, called %q then", ErrNoOrigin, rec.RemoteFingerprint, rec.Remote)
	}
	return nil, hint.With(err, "add that remote again, or take it from another one with --from REMOTE")
}

func (p *planner) release(ctx context.Context, o *Origin, ref repo.Ref) (repo.Release, error) {
	if p.opt.Release != 0 {
		return o.view.ReleaseAt(ctx, ref, p.opt.Release)
	}
	return o.view.Release(ctx, ref)
}

// take plans one offer and what it needs. It reports false when there is nothing
// to do.
func (p *planner) take(ctx context.Context, offer *Offer, old *store.Record, explicit bool) (bool, error) {
	rel, c := offer.Release, p.c
	if s := p.plan.step(rel.Ref); s != nil {
		s.Explicit = s.Explicit || explicit
		return true, nil
	}
	if p.opt.Release != 0 && explicit && rel.N != p.opt.Release {
		var err error
		if rel, err = offer.Origin.view.ReleaseAt(ctx, rel.Ref, p.opt.Release); err != nil {
			return false, err
		}
	}
	floor, err := c.Store.Floor(rel.Ref, offer.Origin.Root)
	if err != nil {
		return false, err
	}
	known, err := c.publishers(old, rel.Ref)
	if err != nil {
		return false, err
	}
	action, needs, err := decide(question{old, rel, offer.Origin.Root, floor, p.opt.Downgrade, known})
	if err != nil {
		return false, err
	}
	if action == "" {
		if explicit && !old.Explicit {
			p.plan.wishes = append(p.plan.wishes, rel.Ref)
		}
		return false, nil
	}
	if !offer.Origin.Admits(string(rel.Ref.ID)) { // whichever way it was come upon: an update, a file, --from
		return false, hidden(rel.Ref.ID, offer.Origin)
	}
	s := &Step{Action: action, Origin: offer.Origin, Also: offer.Also, Release: rel, Old: old, Needs: needs, Explicit: explicit, back: rel.N < floor}
	if old != nil {
		s.Explicit = explicit || old.Explicit
	}
	if needs.Has(NeedPublisher) {
		s.OldPublisher = known[0]
	}
	if len(offer.Origin.Stale()) > 0 {
		s.Needs |= NeedExpired
	}
	if err := p.complete(ctx, s); err != nil {
		return false, err
	}
	p.plan.add(s)
	return true, nil
}

// complete looks at the content of a step and plans its runtime.
func (p *planner) complete(ctx context.Context, s *Step) error {
	c := p.c
	if err := s.grants(); err != nil {
		return err
	}
	if s.Old != nil {
		s.OldManifest, _ = manifest.Load(c.Store.BundleDir(*s.Old)) // without it all counts as new
	}
	c.tell(Event{Stage: "look", Text: string(s.Release.Ref.ID)})
	t, err := c.fetchTree(ctx, s)
	if err != nil {
		return err
	}
	l, err := c.fetchLocator(ctx, s, t)
	if err != nil {
		return err
	}
	if s.Old != nil && len(s.Registers()) > 0 {
		s.Needs |= NeedPermissions
	}
	c.measure(s, t, l)
	p.endOfLife(s.Release)
	return p.runtime(ctx, s)
}

// publishers are the keys of those who published a ref here until now. Where it is
// not installed, those of the same app from another channel, for the whole machine,
// or from before it was uninstalled: a new publisher would get the data in its home.
func (c *Client) publishers(old *store.Record, ref repo.Ref) ([][]byte, error) {
	if old != nil {
		return [][]byte{old.Publisher}, nil
	}
	if ref.Kind != manifest.App {
		return nil, nil
	}
	all, err := c.Store.Publishers(ref.Kind, ref.ID)
	for _, s := range c.Others {
		more, err := s.Publishers(ref.Kind, ref.ID)
		if err != nil {
			c.warn(err.Error()) // nothing that its reader could mend
		}
		all = append(all, more...)
	}
	return all, err
}

// hidden is the error for what a filter does not let through.
func hidden(id manifest.ID, o *Origin) error {
	return hint.With(fmt.Errorf("cannot take %s: %w", id, ErrNotOffered), "the filter of the remote %q hides it", o.Name)
}

func (p *planner) endOfLife(r repo.Release) {
	if r.EOL == "" {
		return
	}
	text := fmt.Sprintf("%s gets no more releases: %s", r.Ref.ID, r.EOL)
	if next, err := repo.ParseRef(r.ReplacedBy); err == nil {
		text += fmt.Sprintf("; %s takes over: sandbox install %s", next.ID, next.ID)
	}
	p.plan.note("%s", text)
}

// runtime plans what a step runs on, when it is not here: from the same
// repository if it has it, else from the most preferred one that does.
func (p *planner) runtime(ctx context.Context, s *Step) error {
	want := s.Release.Runtime
	if want.IsZero() {
		return nil
	}
	refs := p.c.runtimes(want)
	if slices.ContainsFunc(refs, func(r repo.Ref) bool { return p.plan.step(r) != nil }) {
		return nil
	}
	if base := p.c.present(refs); base != nil {
		p.sharesRuntime(s, base)
		return nil
	}
	all, err := p.c.load()
	if err != nil {
		return err
	}
	asked := []*Origin{s.Origin}
	for _, o := range all {
		if !o.Disabled && o != s.Origin && s.Origin.File == "" {
			asked = append(asked, o)
		}
	}
	for _, o := range asked {
		if o.File == "" && p.c.refresh(ctx, o) != nil || !o.Admits(string(want.ID)) {
			continue
		}
		for _, ref := range refs {
			rel, err := o.view.Release(ctx, ref)
			if errors.Is(err, trust.ErrNoRef) {
				continue
			}
			if err != nil {
				return err
			}
			_, err = p.take(ctx, &Offer{Origin: o, Release: rel}, nil, false)
			return err
		}
	}
	return hint.With(fmt.Errorf("cannot install %s: its runtime %s: %w", s.Release.Ref.ID, manifest.RuntimeRef{ID: want.ID, Channel: want.Channel}, ErrNotOffered), "add the remote that has it")
}

// sharesRuntime tells of a runtime that another repository has brought here. It is
// named by nothing but its id: a repository that brought it along for an app of its
// own gets to run code in those of others.
func (p *planner) sharesRuntime(s *Step, base *store.Record) {
	if base.RemoteFingerprint != s.Origin.Root {
		p.plan.note("%s will run on %s %s, which came from another repository: %s", s.Release.Ref.ID, base.Ref().ID, base.Release.Version, cmp.Or(base.Remote, base.RemoteFingerprint))
	}
}

// runtimes are the refs that can be below an app which names want, the one it
// names first.
func (c *Client) runtimes(want repo.Ref) []repo.Ref {
	refs := []repo.Ref{want}
	for _, arch := range []string{c.arch(), repo.AnyArch} {
		if want.Arch != arch && (want.Arch == repo.AnyArch || arch == repo.AnyArch) {
			refs = append(refs, want.WithArch(arch))
		}
	}
	return refs
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
