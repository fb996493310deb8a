package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// authority is who may sign a role: keys and how many of them it takes.
type authority struct {
	role      string
	keys      map[string]*metadata.Key // by id
	threshold int
}

// chain is the keys that one run has at hand. It signs with no more of them
// than was asked for or is needed.
type chain struct {
	given []key.Signer // by the user, for this run
	ring  *key.Ring    // where to look for others; may be nil

	looked bool
	found  []key.Signer // in the ring
}

// signers are the keys at hand that count for a: all that were given, and of
// those found elsewhere as many as the threshold still needs. Too few is an
// error that says which would do.
func (c *chain) signers(a authority) ([]key.Signer, error) {
	var use []key.Signer
	have := map[string]bool{}
	add := func(s key.Signer) {
		if id := s.Public().ID(); a.keys[id] != nil && !have[id] {
			have[id] = true
			use = append(use, s)
		}
	}
	for _, s := range c.given {
		add(s)
	}
	if len(use) < a.threshold {
		for _, s := range c.others() {
			if len(use) < a.threshold {
				add(s)
			}
		}
	}
	if len(use) < a.threshold {
		return use, hint.With(fmt.Errorf("cannot sign as %q: %d of %d needed keys are here", a.role, len(use), a.threshold),
			"it takes %d of %s; name key files with --key, or add the key to your ssh-agent", a.threshold, strings.Join(a.fingerprints(), ", "))
	}
	return use, nil
}

// can reports whether the keys at hand suffice for a.
func (c *chain) can(a authority) bool {
	_, err := c.signers(a)
	return err == nil
}

// others are the keys of the ring, looked up once: a passphrase is asked for
// once.
func (c *chain) others() []key.Signer {
	if c.ring != nil && !c.looked {
		c.found = c.ring.All()
	}
	c.looked = true
	return c.found
}

func (a authority) fingerprints() []string {
	var list []string
	for _, k := range a.keys {
		if p, ok := publicOf(k); ok {
			list = append(list, p.Fingerprint())
		}
	}
	slices.Sort(list)
	return list
}

// rootAuthority is who may sign a top role.
func rootAuthority(r *metadata.RootType, role string) authority {
	return roleAuthority(role, r.Roles[role].KeyIDs, r.Roles[role].Threshold, r.Keys)
}

func delegatedAuthority(d *metadata.Delegations, role string) (authority, bool) {
	for _, r := range d.Roles {
		if r.Name == role {
			return roleAuthority(role, r.KeyIDs, r.Threshold, d.Keys), true
		}
	}
	return authority{}, false
}

func roleAuthority(role string, ids []string, threshold int, keys map[string]*metadata.Key) authority {
	a := authority{role: role, keys: map[string]*metadata.Key{}, threshold: threshold}
	for _, id := range ids {
		if k := keys[id]; k != nil {
			a.keys[id] = k
		}
	}
	return a
}

// sign replaces the signatures of m by those of the keys at hand.
func sign[T metadata.Roles](m *metadata.Metadata[T], signers []key.Signer) error {
	m.ClearSignatures()
	return cosign(m, signers)
}

// cosign adds signatures, one a key.
func cosign[T metadata.Roles](m *metadata.Metadata[T], signers []key.Signer) error {
	payload, err := cjson.EncodeCanonical(m.Signed)
	if err != nil {
		return fmt.Errorf("internal error: canonical form: %w", err)
	}
	for _, s := range signers {
		sig, err := s.Sign(payload)
		if err != nil {
			return err
		}
		id := s.Public().ID()
		m.Signatures = slices.DeleteFunc(m.Signatures, func(o metadata.Signature) bool { return o.KeyID == id })
		m.Signatures = append(m.Signatures, metadata.Signature{KeyID: id, Signature: sig})
	}
	return nil
}

// Fingerprint names a repository by its first root: what a user compares before
// trusting it.
func Fingerprint(root *metadata.Metadata[metadata.RootType]) (string, error) {
	signed, err := cjson.EncodeCanonical(root.Signed)
	if err != nil {
		return "", fmt.Errorf("internal error: canonical form: %w", err)
	}
	sum := sha256.Sum256(signed)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
