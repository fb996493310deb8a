package publish

import (
	"context"
	"fmt"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/key"
)

// Promotion offers a release under another channel, or an older one of a
// channel again as its newest.
type Promotion struct {
	From      string // as Find takes it
	Channel   string
	Author    key.Signer // as in Request
	NewAuthor bool
}

// Promote publishes the same tree under another channel, with the next number
// there and a signature of its own. No byte of content is written.
func (r *Repository) Promote(ctx context.Context, p Promotion) (*Published, error) {
	out, err := r.promote(p)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot promote %q: %w", p.From, err))
	}
	return out, nil
}

func (r *Repository) promote(p Promotion) (*Published, error) {
	if err := manifest.CheckChannel(p.Channel); err != nil {
		return nil, err
	}
	from, err := r.findBut(p.From, p.Channel)
	if err != nil {
		return nil, err
	}
	j := &job{out: Published{Release: from.Release}}
	j.out.Ref.Channel = p.Channel
	j.out.Time = r.now()
	j.out.EOL, j.out.ReplacedBy = "", ""
	if j.out.Role, err = r.roleOf(j.out.Ref.String()); err != nil {
		return nil, err
	}
	if err := r.sanction([]*job{j}, Request{Author: p.Author, NewAuthor: p.NewAuthor}); err != nil || j.out.Unchanged {
		return &j.out, err
	}
	if err := signRelease(&j.out.Release, j.author); err != nil {
		return nil, err
	}
	if err := r.release(j.out.Release); err != nil {
		return nil, err
	}
	if err := r.catalogue(map[repo.Ref]repo.CatalogueRow{}); err != nil {
		return nil, err
	}
	return &j.out, r.commit()
}
