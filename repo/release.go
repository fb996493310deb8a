package repo

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Release is one version of one ref, as the repository's metadata signs it.
type Release struct {
	Ref Ref
	// N orders the releases of a ref; it only grows. Version is for people.
	N       uint64
	Version string

	// Tree and TreeLength are the target's hash and length: of the stored
	// bytes. ParseCustom cannot know them; who verified the target sets them.
	Tree       Digest
	TreeLength int64

	Locator       Digest
	LocatorLength int64

	Runtime Ref // zero: none

	Download  int64 // bytes of the packs' frames for one who has nothing
	Installed int64 // bytes of all regular files

	Time time.Time // when it was published, in whole seconds UTC

	// PermissionText is what the release asks for, in canonical form (see
	// PermissionText), and Permissions its digest.
	Permissions    Digest
	PermissionText string

	EOL        string // why there will be no more releases; empty: there will
	ReplacedBy string // the ref that takes over, or empty

	Publisher Publisher
}

// MaxN is the largest release number: what a double holds exactly, so that
// every JSON library reads it alike.
const MaxN = 1<<53 - 1

// Publisher is the author's own signature, apart from the repository's keys: a
// client remembers the key from the first installation on.
type Publisher struct {
	Key []byte // Ed25519 public key, 32 bytes
	Sig []byte // over Release.SignedText, 64 bytes
}

// SignedText is what the publisher signs. It binds the content to the ref and
// the number, so that a signed tree cannot be passed off as another app's or as
// a newer one.
func (r Release) SignedText() []byte {
	return []byte("sandbox-release-1\n" + r.Ref.String() + "\n" + strconv.FormatUint(r.N, 10) + "\n" + r.Tree.String() + "\n")
}

// VerifyPublisher checks the publisher's signature with the key that the
// release carries. Whether that key is the right one is for the caller to say.
func (r Release) VerifyPublisher() error {
	if r.Ref.IsZero() || r.N == 0 || r.Tree.IsZero() {
		return errors.New("internal error: a release without ref, number or tree")
	}
	if err := r.Publisher.check(); err != nil {
		return err
	}
	if !ed25519.Verify(r.Publisher.Key, r.SignedText(), r.Publisher.Sig) {
		return fmt.Errorf("the publisher's signature of %s is wrong", r.Ref.At(r.N))
	}
	return nil
}

func (p Publisher) check() error {
	if len(p.Key) != ed25519.PublicKeySize || len(p.Sig) != ed25519.SignatureSize {
		return fmt.Errorf("publisher key of %d and signature of %d bytes, not %d and %d", len(p.Key), len(p.Sig), ed25519.PublicKeySize, ed25519.SignatureSize)
	}
	return nil
}
