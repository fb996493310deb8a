package trust

import "errors"

var (
	// ErrExpired says that metadata is past its date.
	ErrExpired = errors.New("it has expired")
	// ErrRollback says that metadata is older than what was seen before.
	ErrRollback = errors.New("it is older than what this machine has seen")
	// ErrUnsigned says that signatures are missing or wrong.
	ErrUnsigned = errors.New("it is not signed by those who must sign it")
	// ErrNoRef says that the repository has no such ref.
	ErrNoRef = errors.New("the repository has no such bundle")
	// ErrNeverSeen says that nothing of the repository is stored here yet.
	ErrNeverSeen = errors.New("nothing has been fetched from it yet")
	// ErrFingerprint says that a root is not the one that is trusted.
	ErrFingerprint = errors.New("it has another fingerprint")
)
