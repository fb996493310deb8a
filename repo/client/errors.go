package client

import "errors"

var (
	// ErrNotOffered says that no remote has what was asked for.
	ErrNotOffered = errors.New("no remote offers it")
	// ErrAmbiguous says that a name stands for several things.
	ErrAmbiguous = errors.New("the name stands for several apps")
	// ErrOlder says that a repository offers less than was seen before.
	ErrOlder = errors.New("it is older than what was seen before")
	// ErrSpace says that the disk would not hold it.
	ErrSpace = errors.New("there is not enough space")
	// ErrConsent says that somebody has to agree first.
	ErrConsent = errors.New("somebody has to agree to that")
	// ErrDamaged says that a file of a repository is not what was signed.
	ErrDamaged = errors.New("it is not what was signed")
	// ErrNoOrigin says that the repository something came from is not configured.
	ErrNoOrigin = errors.New("the repository it came from is not configured")
)
