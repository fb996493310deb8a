package remote

import "errors"

var (
	// ErrNotFound says that the repository has no such file, or hides it.
	ErrNotFound = errors.New("the repository has no such file")
	// ErrTooLong says that a file is longer than it may be.
	ErrTooLong = errors.New("it is longer than it may be")
	// ErrTooSlow says that a server kept the connection but brought next to nothing.
	ErrTooSlow = errors.New("the server sends too slowly")
	// ErrUnreachable says that nobody answered, or the connection broke too often.
	ErrUnreachable = errors.New("the repository cannot be reached")
	// ErrRedirect says that the server pointed somewhere else.
	ErrRedirect = errors.New("the server leads to another place")
	// ErrNoRemote says that no remote of that name is configured.
	ErrNoRemote = errors.New("there is no such remote")
)
