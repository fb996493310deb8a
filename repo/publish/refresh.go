package publish

import (
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// Refreshed is what Refresh has done.
type Refreshed struct {
	Timestamp time.Time // until when the repository is fresh now
	Renewed   []string  // roles that were signed again, besides the timestamp
	Expiring  []Expiry  // roles that need another key soon
}

// Expiry is a role and when its signature ends.
type Expiry struct {
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

// Refresh renews the timestamp, and every other role that has used up two
// thirds of its life and whose key was named or lies open. It asks for no
// passphrase but that of the timestamp: it is made to run from cron. A role that
// has expired already, so that clients refuse the repository, is an error; those
// that will are named.
func (r *Repository) Refresh() (*Refreshed, error) {
	out, err := r.refresh()
	if err != nil {
		return out, explain(fmt.Errorf("cannot refresh repository %q: %w", r.called(), err))
	}
	return out, nil
}

func (r *Repository) refresh() (*Refreshed, error) {
	now := r.now()
	out := &Refreshed{}
	snapshot := false
	for _, e := range r.expiries() {
		if e.Expires.Sub(now) > lifeOf(e.Role)/3 {
			continue
		}
		if e.Role == metadata.ROOT || !r.usable(e.Role) || !r.usable(metadata.SNAPSHOT) {
			out.Expiring = append(out.Expiring, e)
			continue
		}
		if e.Role != metadata.SNAPSHOT {
			r.touch(e.Role)
			snapshot = true
		}
		r.dirty[e.Role] = true
		out.Renewed = append(out.Renewed, e.Role)
	}
	if err := r.catchUp(out); err != nil {
		return nil, err
	}
	// The snapshot goes along with every role.
	if (snapshot || len(r.dirty) > 0) && !slices.Contains(out.Renewed, metadata.SNAPSHOT) {
		out.Renewed = append(out.Renewed, metadata.SNAPSHOT)
	}
	if err := r.prepareTimestamp(); err != nil {
		return nil, err
	}
	if err := r.commit(); err != nil {
		return nil, err
	}
	out.Timestamp = r.timestamp.Signed.Expires
	for _, e := range out.Expiring {
		if e.Expires.Before(now) {
			return out, hint.With(fmt.Errorf("role %q has expired on %s, and its key is not here: clients refuse the repository", e.Role, e.Expires.Format(time.DateOnly)), "%s", renewHint(e.Role, r.called()))
		}
	}
	return out, nil
}

// catchUp makes catalogues right that a publisher could not sign, when their
// key is here.
func (r *Repository) catchUp(out *Refreshed) error {
	for _, role := range append(binNames(r.bins), metadata.SNAPSHOT) {
		if !r.usable(role) {
			return nil
		}
	}
	before := len(r.dirty)
	if err := r.catalogue(nil); err != nil {
		return err
	}
	if len(r.dirty) > before {
		out.Renewed = append(out.Renewed, "catalogue")
	}
	return nil
}

// usable reports whether a role can be signed without a question: with keys that
// were named for this run, or that need no passphrase.
func (r *Repository) usable(role string) bool {
	signers, err := r.chain.signers(r.authority(role))
	return err == nil && !slices.ContainsFunc(signers, func(s key.Signer) bool {
		return !key.Ready(s) && !slices.Contains(r.chain.given, s)
	})
}

func (r *Repository) prepareTimestamp() error {
	_, err := r.chain.signers(r.authority(metadata.TIMESTAMP))
	return err
}

func renewHint(role, dir string) string {
	if role == metadata.ROOT {
		return "renew it with the root's keys: sandbox repo root rotate " + dir
	}
	return "run it with the key of that role: sandbox repo refresh --key KEY " + dir
}

// expiries are all roles but the timestamp, by their end.
func (r *Repository) expiries() []Expiry {
	all := []Expiry{
		{metadata.ROOT, r.root.Signed.Expires},
		{metadata.TARGETS, r.targets.Signed.Expires},
		{metadata.SNAPSHOT, r.snapshot.Signed.Expires},
	}
	for name, m := range r.roles {
		all = append(all, Expiry{name, m.Signed.Expires})
	}
	slices.SortFunc(all, func(a, b Expiry) int { return a.Expires.Compare(b.Expires) })
	return all
}

func lifeOf(role string) time.Duration {
	switch role {
	case metadata.ROOT, metadata.TARGETS:
		return rootLife
	}
	return binLife
}
