package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Root is what a person is shown before trusting a repository.
type Root struct {
	Fingerprint string // of this root; the identity of a repository is that of its first
	Version     int64
	Expires     time.Time
	Threshold   int // signatures that a new root needs
	Keys        int // keys that can give them
	Data        []byte
}

// ReadRoot checks a root for itself: its shape, and that it is signed by its
// own keys. Whether it is the right one only the fingerprint tells.
func ReadRoot(data []byte) (*Root, error) {
	m, err := parseRoot(data)
	if err != nil {
		return nil, err
	}
	if _, err := trustedmetadata.New(data); err != nil {
		return nil, translate(err)
	}
	fingerprint, err := fingerprintOf(m)
	if err != nil {
		return nil, err
	}
	role := m.Signed.Roles[metadata.ROOT]
	return &Root{fingerprint, m.Signed.Version, m.Signed.Expires, role.Threshold, len(role.KeyIDs), data}, nil
}

func fingerprintOf(m *metadata.Metadata[metadata.RootType]) (string, error) {
	text, err := cjson.EncodeCanonical(m.Signed)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func parseRoot(data []byte) (*metadata.Metadata[metadata.RootType], error) {
	return parse(data, maxRoot, checkRoot)
}

// parse bounds, checks the shape, decodes and checks the meaning, in this order.
func parse[T metadata.Roles](data []byte, max int, check func(*metadata.Metadata[T]) error) (*metadata.Metadata[T], error) {
	if len(data) > max {
		return nil, fmt.Errorf("it has more than %d bytes", max)
	}
	if err := checkShape(data); err != nil {
		return nil, err
	}
	m, err := (&metadata.Metadata[T]{}).FromBytes(data)
	if err != nil {
		return nil, translate(err)
	}
	return m, check(m)
}

// translate says what the library's errors mean here.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*metadata.ErrUnsignedMetadata](err); ok {
		return fmt.Errorf("%w", ErrUnsigned)
	}
	if _, ok := errors.AsType[*metadata.ErrExpiredMetadata](err); ok {
		return fmt.Errorf("%w", ErrExpired)
	}
	if _, ok := errors.AsType[*metadata.ErrBadVersionNumber](err); ok {
		return fmt.Errorf("%w (%s)", ErrRollback, err)
	}
	if _, ok := errors.AsType[*metadata.ErrLengthOrHashMismatch](err); ok {
		return errors.New("it is not the file that the signed metadata names")
	}
	return err
}

// MaxRoot is the size of the largest root.
const MaxRoot = maxRoot

// Follows checks that a root belongs to the repository whose first root is
// given: each root up to it is signed by the one before.
func Follows(ctx context.Context, src Fetcher, first, root *Root) error {
	tm, err := trustedmetadata.New(first.Data)
	if err != nil {
		return translate(err)
	}
	last := first
	for v := first.Version + 1; v <= root.Version && v <= first.Version+maxRootSteps; v++ {
		data, err := src.Fetch(ctx, rootName(v), maxRoot)
		if err != nil {
			return err
		}
		if last, err = ReadRoot(data); err != nil {
			return err
		}
		if _, err := tm.UpdateRoot(data); err != nil {
			return translate(err)
		}
	}
	if last.Fingerprint != root.Fingerprint {
		return fmt.Errorf("%w: version %d is %s there, and %s was given", ErrFingerprint, root.Version, last.Fingerprint, root.Fingerprint)
	}
	return nil
}
