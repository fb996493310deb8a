package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/trust"
)

// Hit is a row of a catalogue that a search found.
type Hit struct {
	repo.CatalogueRow
	Origin    *Origin
	Installed string // version; "" when it is not
}

// Listing is the outcome of a search.
type Listing struct {
	Hits []Hit
	// Age is how old the oldest catalogue is that was looked at; what is asked now
	// has none.
	Age     time.Duration
	Offline bool // at least one was looked at as it is stored
}

// SearchOptions say how far a search goes.
type SearchOptions struct {
	From    string
	Stored  bool // ask nobody
	Refresh bool // ask everybody, however lately that was
	All     bool // runtimes and extensions too
}

// freshFor is how long a catalogue is good enough to search without asking.
const freshFor = 6 * time.Hour

// Search looks for words in what the remotes list: in IDs, names and summaries.
// All words must be there. Without any, everything is found. It works without
// a network on what was seen last.
func (c *Client) Search(ctx context.Context, words []string, opt SearchOptions) (Listing, error) {
	origins, err := c.enabled(opt.From)
	if err != nil {
		return Listing{}, err
	}
	var out Listing
	var failed []error
	for _, o := range origins {
		stored, err := c.look(ctx, o, opt)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		rows, err := c.rows(ctx, o)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if stored {
			out.Offline = true
			out.Age = max(out.Age, c.now().Sub(o.view.Checked()))
		}
		for _, row := range rows {
			if (opt.All || row.Ref.Kind == manifest.App) && matches(&row, words) {
				out.Hits = append(out.Hits, Hit{row, o, c.version(row.Ref)})
			}
		}
	}
	slices.SortStableFunc(out.Hits, func(a, b Hit) int { return cmp.Compare(a.Ref.ID, b.Ref.ID) })
	if len(failed) == len(origins) {
		return out, errors.Join(failed...)
	}
	for _, err := range failed {
		c.warn(err.Error())
	}
	return out, ctx.Err()
}

// look prepares an origin for being read: as stored when that is recent or all
// there is to be had.
func (c *Client) look(ctx context.Context, o *Origin, opt SearchOptions) (stored bool, err error) {
	if !opt.Refresh {
		if err := c.loadStored(ctx, o, opt.Stored); err == nil && (opt.Stored || c.now().Sub(o.view.Checked()) < freshFor) {
			return true, nil
		} else if opt.Stored {
			return true, err
		}
		o.view = nil
	}
	if err := c.refresh(ctx, o); err == nil {
		return false, nil
	} else if ctx.Err() != nil {
		return false, err
	}
	err = o.err
	o.view = nil
	if c.loadStored(ctx, o, true) != nil {
		return true, err
	}
	c.warn(err.Error())
	return true, nil
}

// loadStored takes the view that is stored. Unless it is offline, catalogues and
// roles that are missing may still be fetched: what is stored says what they are.
func (c *Client) loadStored(ctx context.Context, o *Origin, offline bool) error {
	if offline {
		o.view = trust.New(nil, trust.Options{Dir: o.dir, Now: c.Now})
	} else if err := c.open(o, trust.Options{}); err != nil {
		return err
	}
	if err := o.view.Load(ctx); err != nil {
		o.view = nil
		return err
	}
	return nil
}

func matches(row *repo.CatalogueRow, words []string) bool {
	text := strings.ToLower(string(row.Ref.ID) + "\n" + row.Name + "\n" + row.Summary)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, strings.ToLower(w)) })
}

// version is what is installed of a ref, in any store that is read.
func (c *Client) version(ref repo.Ref) string {
	if rec, err := c.Store.Current(ref); err == nil {
		return rec.Release.Version
	}
	for _, s := range c.Others {
		if rec, err := s.Current(ref); err == nil {
			return rec.Release.Version
		}
	}
	return ""
}
