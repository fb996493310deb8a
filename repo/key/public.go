package key

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// Public is the public half. The zero value verifies nothing.
type Public [ed25519.PublicKeySize]byte

const algorithm = "ssh-ed25519"

// ID is the name by which TUF metadata calls the key: the SHA-256 of its
// canonical form there.
func (p Public) ID() string {
	sum := sha256.Sum256([]byte(`{"keytype":"ed25519","keyval":{"public":"` + hex.EncodeToString(p[:]) + `"},"scheme":"ed25519"}`))
	return hex.EncodeToString(sum[:])
}

// String is the key as a line of ssh without a comment.
func (p Public) String() string {
	return algorithm + " " + base64.StdEncoding.EncodeToString(p.blob())
}

// Fingerprint is what ssh-add -l shows of it.
func (p Public) Fingerprint() string {
	sum := sha256.Sum256(p.blob())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// IsZero reports whether p is no key.
func (p Public) IsZero() bool { return p == Public{} }

// Verify reports whether sig is p's signature of message.
func (p Public) Verify(message, sig []byte) bool {
	return !p.IsZero() && ed25519.Verify(p[:], message, sig)
}

// ParsePublic reads a line of ssh: the word ssh-ed25519, the key, a comment.
func ParsePublic(line string) (p Public, comment string, err error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return p, "", notPublic(errors.New("it is no line of the form 'ssh-ed25519 KEY COMMENT'"))
	}
	if fields[0] != algorithm {
		return p, "", notPublic(fmt.Errorf("its type is %q", fields[0]))
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return p, "", notPublic(err)
	}
	if p, err = parseBlob(blob); err != nil {
		return p, "", notPublic(err)
	}
	return p, strings.Join(fields[2:], " "), nil
}

func notPublic(err error) error {
	return hint.With(fmt.Errorf("cannot read the public key: %w", err), "only plain Ed25519 keys can sign a repository: 'sandbox key create NAME' or 'ssh-keygen -t ed25519' makes one")
}

// blob is the key in ssh's wire form.
func (p Public) blob() []byte {
	return appendString(appendString(nil, []byte(algorithm)), p[:])
}

func parseBlob(blob []byte) (p Public, err error) {
	name, rest, ok := cutString(blob)
	if !ok || !bytes.Equal(name, []byte(algorithm)) {
		return p, errors.New("it is no plain Ed25519 key")
	}
	raw, rest, ok := cutString(rest)
	if !ok || len(rest) != 0 || len(raw) != len(p) {
		return p, errors.New("it is cut or too long")
	}
	copy(p[:], raw)
	return p, nil
}

// appendString and cutString are ssh's strings: four bytes of length, then the
// bytes.
func appendString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}
