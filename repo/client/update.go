package client

import (
	"context"
	"errors"
	"fmt"

	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

// PlanUpdate finds out what would be newer: of the named, or of all that is
// installed in the store. What cannot be updated is held, with the reason; one
// fault does not keep the others from being updated.
func (c *Client) PlanUpdate(ctx context.Context, names []string, opt PlanOptions) (*Plan, error) {
	records, err := c.chosen(names)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return &Plan{}, nil
	}
	p := &planner{c: c, opt: opt, plan: &Plan{}}
	if opt.From != "" {
		if p.origins, err = c.enabled(opt.From); err != nil {
			return nil, err
		}
	}
	if err := c.refreshAll(ctx, p.wanted(records)); err != nil {
		return nil, err
	}
	for _, rec := range records {
		if err := p.update(ctx, rec); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p.plan.Held = append(p.plan.Held, Held{Ref: rec.Ref(), Version: rec.Release.Version, Why: err.Error(), Err: err})
		}
	}
	return p.plan, ctx.Err()
}

// chosen are the records of names, or all of them.
func (c *Client) chosen(names []string) ([]store.Record, error) {
	all, err := c.Store.Records()
	if err != nil {
		c.warn(err.Error())
	}
	if len(names) == 0 {
		return all, nil
	}
	var some []store.Record
	for _, name := range names {
		rec, err := store.Choose(all, name)
		if err != nil {
			return nil, err
		}
		some = append(some, rec)
	}
	return c.withRuntimes(some), nil
}

// withRuntimes adds what the chosen run on: it is part of them to their users.
func (c *Client) withRuntimes(some []store.Record) []store.Record {
	seen := map[repo.Ref]bool{}
	for _, rec := range some {
		seen[rec.Ref()] = true
	}
	for _, rec := range some {
		if rec.Release.Runtime.IsZero() {
			continue
		}
		for _, want := range c.runtimes(rec.Release.Runtime) {
			if seen[want] {
				continue
			}
			seen[want] = true
			if base, err := c.Store.Current(want); err == nil {
				some = append(some, base)
			}
		}
	}
	return some
}

// wanted are the origins of records, each once, and the one that is switched to.
func (p *planner) wanted(records []store.Record) (all []*Origin) {
	seen := map[*Origin]bool{}
	for _, rec := range records {
		if o, err := p.c.originOf(rec); err == nil && !seen[o] && p.opt.From == "" {
			seen[o] = true
			all = append(all, o)
		}
	}
	return append(all, p.origins...)
}

func (p *planner) update(ctx context.Context, rec store.Record) error {
	o, err := p.source(rec)
	if err != nil {
		return err
	}
	if o.err != nil {
		return o.err
	}
	rel, err := p.release(ctx, o, rec.Ref())
	if errors.Is(err, trust.ErrNoRef) {
		return fmt.Errorf("%q does not offer it any more", o.Label())
	}
	if err != nil {
		return err
	}
	p.endOfLife(rel)
	p.noteEnd(rec, rel)
	if p.stays(rec, rel) {
		return nil
	}
	_, err = p.take(ctx, &Offer{Origin: o, Release: rel}, &rec, rec.Explicit)
	return err
}

// stays tells whether what was decided about an app keeps a release away. Whoever
// asks for that very release is not stopped by what was decided for all to come.
func (p *planner) stays(rec store.Record, rel repo.Release) bool {
	why := rec.Stays(rel.N)
	other := p.opt.From != "" // a switch, whose numbers are others
	if why == "" || p.opt.Release == rel.N || rel.N == rec.Release.N && !other {
		return false
	}
	if rel.N > rec.Release.N || other {
		p.plan.Held = append(p.plan.Held, Held{Ref: rec.Ref(), Version: rec.Release.Version, Newer: rel.Version, Why: why})
	}
	return true
}

// noteEnd remembers what the repository says now about the end of what is
// installed: it can be said long after the release was made.
func (p *planner) noteEnd(rec store.Record, rel repo.Release) {
	was := rec.Release
	if rel.N == was.N && rel.Tree == was.Tree && (rel.EOL != was.EOL || rel.ReplacedBy != was.ReplacedBy) {
		p.plan.ends = append(p.plan.ends, rel)
	}
}

// source is where a record is updated from: where it came from, or the remote
// that was named for a switch.
func (p *planner) source(rec store.Record) (*Origin, error) {
	if p.opt.From != "" {
		return p.origins[0], nil
	}
	return p.c.originOf(rec)
}
