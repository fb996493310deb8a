package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/store"
)

// Result is what Apply has done.
type Result struct {
	Done   []store.Record // what is current now
	Failed []Held
	Bytes  int64 // downloaded
}

// Apply does what a plan says. Every need must have been settled before. Each
// step is whole or not there; when one fails the others are tried all the same,
// but for those that need it, and unless the disk is full. What was downloaded
// stays for the next attempt.
func (c *Client) Apply(ctx context.Context, p *Plan) (Result, error) {
	var r Result
	if n := p.Needs(); n != 0 && !p.settled() {
		return r, fmt.Errorf("internal error: %w (%s)", ErrConsent, n)
	}
	if len(p.Steps) > 0 {
		if err := checkSpace(c.Store.Dir(), p.Disk()+p.scratch(), p.files()); err != nil {
			return r, err
		}
	}
	f, err := c.begin(ctx, p)
	if err != nil {
		return r, err
	}
	err = c.steps(ctx, p, f, &r)
	if len(r.Done) > 0 && c.AfterChange != nil {
		if err := c.AfterChange(ctx, r.Done); err != nil {
			c.warn(err.Error())
		}
	}
	return r, err
}

// begin notes under the store's lock what the plan knows, and begins to fetch. That
// goes on without the lock: others may change the store meanwhile, and what they
// remove is nothing that a download brings.
func (c *Client) begin(ctx context.Context, p *Plan) (*fetching, error) {
	l, err := c.Store.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	c.noteFloors(l, p)
	for _, ref := range p.wishes {
		if err := c.Store.Amend(l, ref, func(r *store.Record) { r.Explicit = true }); err != nil {
			return nil, err
		}
	}
	c.noteEnds(l, p)
	hold, err := c.Store.Fetch(l)
	if err != nil {
		return nil, err
	}
	return c.fetch(ctx, hold, slices.DeleteFunc(slices.Clone(p.Steps), c.overtaken)), nil
}

// steps installs each step when its turn comes and what it lacks is there.
func (c *Client) steps(ctx context.Context, p *Plan, f *fetching, r *Result) (err error) {
	defer func() {
		err = errors.Join(err, f.close())
		r.Bytes = f.came.Load()
	}()
	failed := map[repo.Ref]bool{}
	for _, s := range p.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		var done *store.Record
		err := errNoRuntime
		if !failed[s.Release.Runtime.WithArch("")] {
			done, err = c.perform(ctx, s, f)
		}
		switch {
		case err == nil && done != nil:
			r.Done = append(r.Done, *done)
		case err != nil:
			failed[s.Release.Ref.WithArch("")] = true
			r.Failed = append(r.Failed, Held{Ref: s.Release.Ref, Newer: s.Release.Version, Why: err.Error(), Err: err, Step: s})
		}
	}
	var errs []error
	for _, f := range r.Failed {
		errs = append(errs, f.Err)
	}
	return errors.Join(errs...)
}

func (p *Plan) files() (n int64) {
	for _, s := range p.Steps {
		n += int64(s.Files)
	}
	return n
}

func (p *Plan) settled() bool {
	for _, s := range p.Steps {
		if s.Needs != 0 && !s.agreed {
			return false
		}
	}
	return true
}

// noteFloors keeps in mind which numbers were seen, whether they are installed
// or not. It is worth a warning at most: the metadata has its own floors.
func (c *Client) noteFloors(l *store.Lock, p *Plan) {
	see := func(s *Step) {
		if s == nil || s.Origin.Root == "" {
			return
		}
		if s.Needs.Has(NeedPublisher) && !s.agreed {
			return // else whoever broke into a repository could use up all numbers
		}
		if err := c.Store.RaiseFloor(l, s.Release.Ref, s.Origin.Root, s.Release.N); err != nil {
			c.warn(err.Error())
		}
	}
	for i := range p.Held {
		see(p.Held[i].Step)
	}
	for _, s := range p.Steps {
		see(s)
	}
}

// noteEnds keeps in the records what is said about an end of life. It is worth a
// warning at most.
func (c *Client) noteEnds(l *store.Lock, p *Plan) {
	for _, rel := range p.ends {
		err := c.Store.Amend(l, rel.Ref, func(r *store.Record) {
			if r.Release.N == rel.N && r.Release.Tree == rel.Tree {
				r.Release.EOL, r.Release.ReplacedBy = rel.EOL, rel.ReplacedBy
			}
		})
		if err != nil {
			c.warn(err.Error())
		}
	}
}

// perform does one step, under the store's lock once all is there. Without a record
// nothing was to be done any more.
func (c *Client) perform(ctx context.Context, s *Step, f *fetching) (*store.Record, error) {
	cannot := func(err error) error { return fmt.Errorf("cannot %s %s: %w", s.Action, s.Release.Ref.ID, err) }
	if err := f.wait(s); err != nil && !errors.Is(err, errMoved) {
		return nil, cannot(err)
	}
	l, err := c.Store.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	now, err := c.current(s.Release.Ref)
	if err != nil {
		return nil, err
	}
	if moved(s.Old, now) {
		if now != nil && now.Release.N == s.Release.N && now.Release.Tree == s.Release.Tree && now.RemoteFingerprint == s.Origin.Root {
			return nil, c.wish(l, s, *now) // another process did it meanwhile
		}
		return nil, cannot(errMoved)
	}
	if err := f.wait(s); err != nil {
		return nil, cannot(err)
	}
	if base := s.Release.Runtime; !base.IsZero() && c.present(c.runtimes(base)) == nil {
		return nil, cannot(hint.With(errors.New("its runtime was removed meanwhile"), "do it again"))
	}
	c.tell(Event{Stage: "install", Text: string(s.Release.Ref.ID), Ref: s.Release.Ref})
	if s.Old != nil && c.BeforeUpdate != nil {
		if err := c.BeforeUpdate(ctx, *s.Old, s.Release); err != nil {
			return nil, err
		}
	}
	rec := s.record(c)
	if err := c.Store.Deploy(l, rec); err != nil {
		return nil, err
	}
	rec.Current = true
	c.tell(Event{Stage: "done", Text: string(s.Release.Ref.ID), Ref: s.Release.Ref})
	return &rec, nil
}

// overtaken tells whether nothing need be fetched for a step any more: perform will
// say why.
func (c *Client) overtaken(s *Step) bool {
	now, err := c.current(s.Release.Ref)
	return err != nil || moved(s.Old, now)
}

// moved tells whether what is installed is not what the plan was made for.
func moved(then, now *store.Record) bool {
	if then == nil || now == nil {
		return then != now
	}
	return then.Release.N != now.Release.N || then.Release.Tree != now.Release.Tree
}

// wish notes that something that is here was asked for by name.
func (c *Client) wish(l *store.Lock, s *Step, now store.Record) error {
	if !s.Explicit || now.Explicit {
		return nil
	}
	return c.Store.Amend(l, s.Release.Ref, func(r *store.Record) { r.Explicit = true })
}

func (s *Step) record(c *Client) store.Record {
	return store.Record{
		Release: s.Release, Remote: s.Origin.Name, RemoteFingerprint: s.Origin.Root,
		Publisher: s.Release.Publisher.Key, Explicit: s.Explicit, Accepted: s.Release.PermissionText,
		InstalledAt: c.now(), Downgrade: s.Action == Downgrade || s.back,
	}
}
