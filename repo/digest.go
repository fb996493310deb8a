package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256. The zero Digest names nothing.
type Digest [sha256.Size]byte

// ParseDigest reads 64 lower-case hex digits and nothing else: a digest
// becomes part of a path.
func ParseDigest(unsafeText string) (Digest, error) {
	var d Digest
	if len(unsafeText) != 2*len(d) {
		return Digest{}, fmt.Errorf("digest of %d characters, not %d", len(unsafeText), 2*len(d))
	}
	for i := range len(unsafeText) {
		if c := unsafeText[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Digest{}, fmt.Errorf("digest %q is not lower-case hex", unsafeText)
		}
	}
	if _, err := hex.Decode(d[:], []byte(unsafeText)); err != nil {
		return Digest{}, err
	}
	return d, nil
}

// Sum is the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short is the first 12 digits, for names and people.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes the zero Digest as nothing.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return []byte{}, nil
	}
	return hex.AppendEncode(nil, d[:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = ParseDigest(string(text))
	return err
}
