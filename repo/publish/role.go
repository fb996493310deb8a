package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/key"
)

// How long a signature holds. The timestamp's life is the repository's choice.
const (
	rootLife   = 365 * day
	binLife    = 90 * day // bins, publishers and the snapshot
	day        = 24 * time.Hour
	DefaultAge = 14 * day // of a timestamp
	maxAge     = 90 * day
)

const (
	binPrefix       = "bin-"
	publisherPrefix = "pub-"
	binsRole        = "bins" // stands for all bins where a user names a role
)

// topRoles in the order in which people think of them.
var topRoles = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// binNames are the roles over which refs are spread.
func binNames(bins int) []string {
	names := make([]string, bins)
	for i := range names {
		names[i] = fmt.Sprintf("%s%02x", binPrefix, i)
	}
	return names
}

// binPrefixes says which hashes belong to bin i of bins: the hexadecimal digits
// that the SHA-256 of a target's path begins with, as the TUF specification
// defines path_hash_prefixes. One bin has them all, which is the empty prefix.
func binPrefixes(i, bins int) []string {
	switch bins {
	case 1:
		return []string{""}
	case 16:
		return []string{fmt.Sprintf("%x", i)}
	}
	return []string{fmt.Sprintf("%02x", i)}
}

func validBins(bins int) bool { return bins == 1 || bins == 16 || bins == 256 }

// checkRoleName guards the names of files: a role's name is part of one.
func checkRoleName(name string) error {
	if slices.Contains(topRoles, name) {
		return nil
	}
	if n, ok := strings.CutPrefix(name, binPrefix); ok && len(n) == 2 {
		if _, err := hex.DecodeString(n); err == nil {
			return nil
		}
	}
	if n, ok := strings.CutPrefix(name, publisherPrefix); ok && CheckPublisher(n) == nil {
		return nil
	}
	return fmt.Errorf("%q is no role of a repository", name)
}

// CheckPublisher tells whether text can name a publisher: it becomes part of a
// file's name and of a role's.
func CheckPublisher(text string) error {
	ok := text != "" && len(text) <= 40
	for i, r := range text {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' && i > 0 && i < len(text)-1)
	}
	if !ok {
		return hint.With(fmt.Errorf("cannot call a publisher %q", text), "up to 40 of a-z, 0-9 and inner hyphens")
	}
	return nil
}

// responsible is the role that may provide the target of that path: the first
// delegation that matches, as clients walk it. Every delegation of ours is
// terminating, so there is no other.
//
// It is done here and not by go-tuf, whose 2.4.2 compares path_hash_prefixes
// with base64 and not with hexadecimal digits.
func responsible(delegations *metadata.Delegations, target string) (*metadata.DelegatedRole, bool) {
	sum := sha256.Sum256([]byte(target))
	digest := hex.EncodeToString(sum[:])
	for i := range delegations.Roles {
		r := &delegations.Roles[i]
		for _, p := range r.PathHashPrefixes {
			if strings.HasPrefix(digest, p) {
				return r, true
			}
		}
		for _, p := range r.Paths {
			if matches(p, target) {
				return r, true
			}
		}
	}
	return nil, false
}

// matches compares part by part: a star covers no slash.
func matches(pattern, target string) bool {
	p, t := strings.Split(pattern, "/"), strings.Split(target, "/")
	if len(p) != len(t) {
		return false
	}
	for i := range p {
		if ok, err := path.Match(p[i], t[i]); !ok || err != nil {
			return false
		}
	}
	return true
}

// Pattern is which refs a publisher may provide: an id, or the beginning of ids
// as far as a dot, for all kinds or for one.
type Pattern struct {
	kind manifest.Kind // "" is all
	id   string        // org.example.App or org.example.*
}

// ParsePattern reads [KIND/]ID or [KIND/]PREFIX.*.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{id: text}
	if kind, id, ok := strings.Cut(text, "/"); ok {
		p = Pattern{kind: manifest.Kind(kind), id: id}
		if !slices.Contains(kinds, p.kind) {
			return Pattern{}, hint.With(fmt.Errorf("cannot use pattern %q: %q is no kind of bundle", text, kind), "the kinds are app, runtime and extension")
		}
	}
	// A prefix is an id with one more part to come.
	probe := p.id
	if prefix, ok := strings.CutSuffix(p.id, ".*"); ok {
		probe = prefix + ".x"
	}
	if _, err := manifest.ParseID(probe); err != nil {
		return Pattern{}, hint.With(fmt.Errorf("cannot use pattern %q: %w", text, err), "a pattern is an id, or its beginning with at least two parts and .*, like org.example.*")
	}
	return p, nil
}

var kinds = []manifest.Kind{manifest.App, manifest.Runtime, manifest.Extension}

// String is the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	if p.kind == "" {
		return p.id
	}
	return string(p.kind) + "/" + p.id
}

// paths are the pattern in the words of a delegation. The last star covers the
// channel, and the number of an older release after it.
func (p Pattern) paths() []string {
	of := kinds
	if p.kind != "" {
		of = []manifest.Kind{p.kind}
	}
	var paths []string
	for _, k := range of {
		paths = append(paths, string(k)+"/"+p.id+"/*/*")
	}
	return paths
}

// overlaps reports whether some ref would match both.
func (p Pattern) overlaps(o Pattern) bool {
	if p.kind != "" && o.kind != "" && p.kind != o.kind {
		return false
	}
	a, aOpen := strings.CutSuffix(p.id, "*")
	b, bOpen := strings.CutSuffix(o.id, "*")
	switch {
	case aOpen && bOpen:
		return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
	case aOpen:
		return strings.HasPrefix(b, a)
	case bOpen:
		return strings.HasPrefix(a, b)
	}
	return a == b
}

// patternsOf reads the patterns back from a delegation.
func patternsOf(paths []string) []Pattern {
	var all []Pattern
	for _, p := range paths {
		parts := strings.Split(p, "/")
		if len(parts) == 4 {
			all = append(all, Pattern{kind: manifest.Kind(parts[0]), id: parts[1]})
		}
	}
	// Three kinds of one id are the pattern without a kind.
	var short []Pattern
	for _, p := range all {
		whole := true
		for _, k := range kinds {
			whole = whole && slices.Contains(all, Pattern{kind: k, id: p.id})
		}
		if whole {
			p.kind = ""
		}
		if !slices.Contains(short, p) {
			short = append(short, p)
		}
	}
	return short
}

// tufKey is a public key as metadata holds it.
func tufKey(p key.Public) *metadata.Key {
	return &metadata.Key{
		Type: metadata.KeyTypeEd25519, Scheme: metadata.KeySchemeEd25519,
		Value: metadata.KeyVal{PublicKey: hex.EncodeToString(p[:])},
	}
}

// publicOf is the way back. Keys of other kinds are none that we can sign with.
func publicOf(k *metadata.Key) (p key.Public, ok bool) {
	if k == nil || k.Type != metadata.KeyTypeEd25519 {
		return p, false
	}
	raw, err := hex.DecodeString(k.Value.PublicKey)
	if err != nil || len(raw) != len(p) {
		return p, false
	}
	copy(p[:], raw)
	return p, true
}
