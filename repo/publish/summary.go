package publish

import (
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Role is a role as it is shown.
type Role struct {
	Name      string
	Threshold int
	Keys      []string // fingerprints
	Version   int64    // 0: nothing was signed yet
	Expires   time.Time
	Patterns  []string // of a publisher
}

// Roles are all roles of the repository; the bins, which are alike, are one.
func (r *Repository) Roles() []Role {
	var all []Role
	for _, name := range topRoles {
		a := r.authority(name)
		role := Role{Name: name, Threshold: a.threshold, Keys: a.fingerprints()}
		switch name {
		case metadata.ROOT:
			role.Version, role.Expires = r.root.Signed.Version, r.root.Signed.Expires
		case metadata.TARGETS:
			role.Version, role.Expires = r.targets.Signed.Version, r.targets.Signed.Expires
		case metadata.SNAPSHOT:
			role.Version, role.Expires = r.snapshot.Signed.Version, r.snapshot.Signed.Expires
		case metadata.TIMESTAMP:
			role.Version, role.Expires = r.timestamp.Signed.Version, r.timestamp.Signed.Expires
		}
		all = append(all, role)
	}
	return append(all, r.delegated()...)
}

func (r *Repository) delegated() []Role {
	var all []Role
	bins := Role{Name: binsRole}
	for _, d := range r.targets.Signed.Delegations.Roles {
		a := r.authority(d.Name)
		role := Role{Name: d.Name, Threshold: a.threshold, Keys: a.fingerprints()}
		if m := r.roles[d.Name]; m != nil {
			role.Version, role.Expires = m.Signed.Version, m.Signed.Expires
		}
		if len(d.Paths) > 0 {
			for _, p := range patternsOf(d.Paths) {
				role.Patterns = append(role.Patterns, p.String())
			}
			all = append(all, role)
			continue
		}
		bins.Threshold, bins.Keys = role.Threshold, role.Keys
		bins.Version = max(bins.Version, role.Version)
		if bins.Expires.IsZero() || role.Expires.Before(bins.Expires) {
			bins.Expires = role.Expires // the first that ends
		}
	}
	return append(all, bins)
}

// Root is a root in a file.
type Root struct {
	*metadata.Metadata[metadata.RootType]
}

// RootSummary is what somebody sees before signing a root.
type RootSummary struct {
	Version    int64
	Expires    time.Time
	Roles      []Role
	Signatures []string // ids of the keys that have signed; not verified
}

// Summary says what the root would put in force.
func (m Root) Summary() RootSummary {
	s := RootSummary{Version: m.Signed.Version, Expires: m.Signed.Expires, Signatures: []string{}}
	for _, name := range topRoles {
		a := rootAuthority(&m.Signed, name)
		s.Roles = append(s.Roles, Role{Name: name, Threshold: a.threshold, Keys: a.fingerprints()})
	}
	for _, sig := range m.Signatures {
		s.Signatures = append(s.Signatures, sig.KeyID)
	}
	slices.Sort(s.Signatures)
	return s
}
