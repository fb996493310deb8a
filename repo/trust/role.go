package trust

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Limits of metadata. Sizes that a signed file names are smaller than these or
// refused.
const (
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 1 << 20
	maxTargets   = 16 << 20
	maxKeys      = 256
	maxRoleKeys  = 32
	maxSigs      = 64
	maxRoles     = 1024
	maxPatterns  = 256
	maxVersion   = 1 << 53 // beyond, JSON readers of other languages disagree
)

// head is what all metadata has, checked before the library sees it.
func checkHead(typ, want, spec string, version int64, expires time.Time, signatures int) error {
	switch {
	case typ != want:
		return fmt.Errorf("it is %q and not %q", typ, want)
	case !strings.HasPrefix(spec, "1.0.") && spec != "1.0":
		return fmt.Errorf("it follows version %q of the specification and this program knows 1.0", spec)
	case version < 1 || version > maxVersion:
		return fmt.Errorf("it has the version %d", version)
	case expires.IsZero():
		return errors.New("it does not say when it expires")
	case signatures < 1 || signatures > maxSigs:
		return fmt.Errorf("it has %d signatures", signatures)
	}
	return nil
}

// checkKeys wants plain ed25519 keys under the names that their bytes give
// them: the same key under two names would count twice.
func checkKeys(keys map[string]*metadata.Key) error {
	if len(keys) > maxKeys {
		return fmt.Errorf("it has %d keys", len(keys))
	}
	for id, k := range keys {
		if k.Type != metadata.KeyTypeEd25519 || k.Scheme != metadata.KeySchemeEd25519 {
			return fmt.Errorf("it has a key of the type %q, and this program knows ed25519", k.Type)
		}
		if raw, err := hex.DecodeString(k.Value.PublicKey); err != nil || len(raw) != 32 || k.Value.PublicKey != hex.EncodeToString(raw) {
			return fmt.Errorf("its key %q is not 32 bytes in hexadecimal", id)
		}
		if len(k.UnrecognizedFields) != 0 || len(k.Value.UnrecognizedFields) != 0 {
			return fmt.Errorf("its key %q says more than a key should", id)
		}
		if own, err := k.ID(); err != nil || own != id {
			return fmt.Errorf("its key %q is not the one of that name", id)
		}
	}
	return nil
}

// checkRole wants a threshold that can be met and means something.
func checkRole(name string, ids []string, threshold int, keys map[string]*metadata.Key) error {
	if threshold < 1 || threshold > len(ids) || len(ids) > maxRoleKeys {
		return fmt.Errorf("its role %q asks for %d of %d signatures", name, threshold, len(ids))
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			return fmt.Errorf("its role %q counts a key twice", name)
		}
		if keys[id] == nil {
			return fmt.Errorf("its role %q names a key that is not there", name)
		}
		seen[id] = true
	}
	return nil
}

func checkRoot(r *metadata.Metadata[metadata.RootType]) error {
	s := &r.Signed
	if err := checkHead(s.Type, metadata.ROOT, s.SpecVersion, s.Version, s.Expires, len(r.Signatures)); err != nil {
		return err
	}
	if !s.ConsistentSnapshot {
		return errors.New("its files have no versions in their names (consistent_snapshot)")
	}
	if err := checkKeys(s.Keys); err != nil {
		return err
	}
	if len(s.Roles) != len(metadata.TOP_LEVEL_ROLE_NAMES) {
		return fmt.Errorf("it has %d roles", len(s.Roles))
	}
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		role := s.Roles[name]
		if role == nil {
			return fmt.Errorf("it has no role %q", name)
		}
		if err := checkRole(name, role.KeyIDs, role.Threshold, s.Keys); err != nil {
			return err
		}
	}
	return nil
}

func checkTimestamp(t *metadata.Metadata[metadata.TimestampType]) error {
	s := &t.Signed
	if err := checkHead(s.Type, metadata.TIMESTAMP, s.SpecVersion, s.Version, s.Expires, len(t.Signatures)); err != nil {
		return err
	}
	if len(s.Meta) != 1 || s.Meta["snapshot.json"] == nil {
		return errors.New("it does not name the snapshot and that alone")
	}
	return checkMeta("snapshot.json", s.Meta["snapshot.json"], maxSnapshot)
}

func checkSnapshot(t *metadata.Metadata[metadata.SnapshotType]) error {
	s := &t.Signed
	if err := checkHead(s.Type, metadata.SNAPSHOT, s.SpecVersion, s.Version, s.Expires, len(t.Signatures)); err != nil {
		return err
	}
	if s.Meta["targets.json"] == nil || len(s.Meta) > maxRoles+1 {
		return fmt.Errorf("it does not name the targets, or %d files in all", len(s.Meta))
	}
	for name, m := range s.Meta {
		role, ok := strings.CutSuffix(name, ".json")
		if !ok || role != metadata.TARGETS && checkRoleName(role) != nil {
			return fmt.Errorf("it names the file %q", name)
		}
		if err := checkMeta(name, m, maxTargets); err != nil {
			return err
		}
	}
	return nil
}

func checkMeta(name string, m *metadata.MetaFiles, max int64) error {
	if m == nil || m.Version < 1 || m.Version > maxVersion || m.Length < 1 || m.Length > max {
		return fmt.Errorf("it does not say the version and length of %q, or too large ones", name)
	}
	if len(m.Hashes) != 1 || len(m.Hashes["sha256"]) != 32 {
		return fmt.Errorf("it does not say the SHA-256 of %q and that alone", name)
	}
	return nil
}

func checkTargets(name string, t *metadata.Metadata[metadata.TargetsType]) error {
	s := &t.Signed
	if err := checkHead(s.Type, metadata.TARGETS, s.SpecVersion, s.Version, s.Expires, len(t.Signatures)); err != nil {
		return err
	}
	d := s.Delegations
	if d == nil {
		return nil
	}
	if name != metadata.TARGETS {
		return errors.New("it delegates further, which only the targets may")
	}
	if d.SuccinctRoles != nil || len(d.Roles) > maxRoles {
		return fmt.Errorf("it delegates in a way this program does not know, or to %d roles", len(d.Roles))
	}
	if err := checkKeys(d.Keys); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range d.Roles {
		r := &d.Roles[i]
		if err := checkRoleName(r.Name); err != nil {
			return err
		}
		if seen[r.Name] {
			return fmt.Errorf("it delegates to %q twice", r.Name)
		}
		seen[r.Name] = true
		if err := checkRole(r.Name, r.KeyIDs, r.Threshold, d.Keys); err != nil {
			return err
		}
		if err := checkPaths(r); err != nil {
			return err
		}
	}
	return nil
}

// checkPaths wants a role to have patterns or hash prefixes, not both.
func checkPaths(r *metadata.DelegatedRole) error {
	if (len(r.Paths) > 0) == (len(r.PathHashPrefixes) > 0) || len(r.Paths) > maxPatterns || len(r.PathHashPrefixes) > 256 {
		return fmt.Errorf("its role %q has no paths, or too many", r.Name)
	}
	for _, p := range r.Paths {
		if err := checkPattern(p); err != nil {
			return fmt.Errorf("its role %q: %w", r.Name, err)
		}
	}
	for _, p := range r.PathHashPrefixes {
		if len(p) > 64 || strings.Trim(p, "0123456789abcdef") != "" {
			return fmt.Errorf("its role %q has the prefix %q", r.Name, p)
		}
	}
	return nil
}

// checkRoleName tells whether a role may be delegated to: bin- or pub- and
// lower-case letters, digits and "-". The name becomes part of a path.
func checkRoleName(name string) error {
	rest, ok := strings.CutPrefix(name, "bin-")
	if !ok {
		rest, ok = strings.CutPrefix(name, "pub-")
	}
	ok = ok && rest != "" && len(rest) <= 40
	for i := range len(rest) {
		c := rest[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("it names the role %q", name)
	}
	return nil
}
