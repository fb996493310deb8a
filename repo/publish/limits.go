package publish

import (
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
)

// What clients read; more would be published for nobody.
const (
	maxRoleFile   = 16 << 20
	maxSnapshot   = 1 << 20
	maxTimestamp  = 16 << 10
	maxRoleKeys   = 32
	maxKeys       = 256
	maxPublishers = 512
	maxPaths      = 240
)

// checkSize refuses metadata that clients would refuse for its length.
func checkSize(role string, length int) error {
	limit := maxRoleFile
	switch role {
	case metadata.ROOT:
		limit = maxTop
	case metadata.SNAPSHOT:
		limit = maxSnapshot
	case metadata.TIMESTAMP:
		limit = maxTimestamp
	}
	if length <= limit {
		return nil
	}
	return hint.With(fmt.Errorf("the metadata of role %q would have %d bytes, and clients read %d", role, length, limit),
		"keep fewer releases of a channel, or begin a repository with more bins")
}

// checkDelegations refuses more of anything than clients read.
func checkDelegations(d *metadata.Delegations, bins int) error {
	if len(d.Keys) > maxKeys {
		return fmt.Errorf("all publishers together have %d keys, and clients read %d", len(d.Keys), maxKeys)
	}
	if n := len(d.Roles) - bins; n > maxPublishers {
		return fmt.Errorf("there would be %d publishers, and clients read %d", n, maxPublishers)
	}
	for _, r := range d.Roles {
		if len(r.KeyIDs) > maxRoleKeys {
			return fmt.Errorf("role %q has %d keys, and clients read %d", r.Name, len(r.KeyIDs), maxRoleKeys)
		}
		if len(r.Paths) > maxPaths {
			return fmt.Errorf("role %q has %d patterns, and clients read %d", r.Name, len(r.Paths)/len(kinds), maxPaths/len(kinds))
		}
	}
	return nil
}
