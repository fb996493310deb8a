package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// kinds are what a pattern may begin with: a publisher is given bundles, never
// the catalogue.
var kinds = [...]string{"app/", "runtime/", "extension/"}

// checkPattern wants the four elements of a ref, of the characters that refs
// have, with stars.
func checkPattern(p string) error {
	elements := strings.Split(p, "/")
	ok := len(elements) == 4 && len(p) <= 512
	if ok {
		ok = false
		for _, k := range kinds {
			ok = ok || strings.HasPrefix(p, k)
		}
	}
	for _, e := range elements {
		ok = ok && e != "" && e[0] != '.' && strings.Count(e, "*") <= 4
	}
	for i := range len(p) {
		c := p[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-@*/", c) >= 0)
	}
	if !ok {
		return fmt.Errorf("cannot use the pattern %q", p)
	}
	return nil
}

// delegated tells whether the target is of those that the role may speak about.
//
// The library's own test for hash prefixes compares with base64, where the
// specification says hexadecimal.
func delegated(r *metadata.DelegatedRole, target string) bool {
	for _, p := range r.Paths {
		if ok, err := path.Match(p, target); ok && err == nil { // a star stops at a slash
			return true
		}
	}
	if len(r.PathHashPrefixes) == 0 {
		return false
	}
	sum := sha256.Sum256([]byte(target))
	hash := hex.EncodeToString(sum[:])
	for _, p := range r.PathHashPrefixes {
		if strings.HasPrefix(hash, p) {
			return true
		}
	}
	return false
}
