package key

import (
	"crypto/ed25519"
	"errors"
)

// Signer holds the secret half of a key, or knows who does. Sign may ask the
// user for a passphrase the first time.
type Signer interface {
	Public() Public
	Sign(message []byte) ([]byte, error)
	Label() string // how to call it before the user
}

// ErrPassphrase says that a passphrase does not open the key.
var ErrPassphrase = errors.New("the passphrase is wrong, or the file was changed")

// Ask returns the passphrase of the key that the user knows as label. attempt
// counts the answers that were wrong; an Ask that can give no other answer
// returns an error.
type Ask func(label string, attempt int) ([]byte, error)

// attempts is how often a person may mistype.
const attempts = 3

// New makes a key that only this process knows.
func New() (Signer, error) {
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	return &opened{Public(public), secret, "a key in memory"}, nil
}

// opened is a key whose secret half is at hand.
type opened struct {
	public Public
	secret ed25519.PrivateKey
	label  string
}

func (o *opened) Public() Public { return o.public }
func (o *opened) Label() string  { return o.label }

func (o *opened) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(o.secret, message), nil
}

// Unlock opens s now and not when it first has to sign, so that the user is
// asked before long work and not after it.
func Unlock(s Signer) error {
	if u, ok := s.(interface{ Unlock() error }); ok {
		return u.Unlock()
	}
	return nil
}

// Ready reports whether s can sign without asking for a passphrase.
func Ready(s Signer) bool {
	c, ok := s.(*closed)
	return !ok || c.open != nil || !c.file.Sealed
}
