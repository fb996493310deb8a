package key

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/scrypt"

	"sandbox/repo/strictjson"
)

// envelope is the document in NAME.key.
type envelope struct {
	Type    string `json:"type"`
	Format  int    `json:"format"`
	Name    string `json:"name"`
	Public  string `json:"public"` // a line of ssh
	Created string `json:"created"`
	KDF     *kdf   `json:"kdf"` // null: the seed is not sealed
	Seed    string `json:"seed"`
}

// kdf says how the sealing key is made from the passphrase.
type kdf struct {
	Name string `json:"name"`
	N    int    `json:"n"`
	R    int    `json:"r"`
	P    int    `json:"p"`
	Salt string `json:"salt"`
}

const (
	envelopeType = "sandbox-key"
	scryptName   = "scrypt"
	saltSize     = 16

	// What reading a file may cost: 128·N·R bytes, 1 GiB at most.
	maxN, maxR, maxP = 1 << 20, 8, 4
	minN             = 1 << 10
)

// workFactor is scrypt's N: 128 MiB and a third of a second on the machine this
// was written on. Tests lower it.
var workFactor = 1 << 17

// seal makes the document of a key. An empty passphrase leaves the seed open:
// the caller has asked for it.
func seal(name string, public Public, secret ed25519.PrivateKey, passphrase []byte, now time.Time) (*envelope, error) {
	e := &envelope{
		Type: envelopeType, Format: 1, Name: name, Public: public.String(),
		Created: now.UTC().Format(time.RFC3339),
	}
	seed := secret.Seed()
	defer clear(seed)
	if len(passphrase) == 0 {
		e.Seed = base64.StdEncoding.EncodeToString(seed)
		return e, nil
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	e.KDF = &kdf{Name: scryptName, N: workFactor, R: 8, P: 1, Salt: base64.StdEncoding.EncodeToString(salt)}
	aead, bound, err := e.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(seed)+aead.Overhead())
	rand.Read(nonce)
	e.Seed = base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, seed, bound))
	return e, nil
}

type aead interface {
	NonceSize() int
	Overhead() int
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

// cipher is the one that seals the seed, and what the seal binds: all the other
// fields.
func (e *envelope) cipher(passphrase []byte) (aead, []byte, error) {
	salt, err := base64.StdEncoding.DecodeString(e.KDF.Salt)
	if err != nil || len(salt) != saltSize {
		return nil, nil, errors.New("its salt is damaged")
	}
	k, err := scrypt.Key(passphrase, salt, e.KDF.N, e.KDF.R, e.KDF.P, chacha20poly1305.KeySize)
	if err != nil {
		return nil, nil, err
	}
	defer clear(k)
	c, err := chacha20poly1305.NewX(k)
	if err != nil {
		return nil, nil, err
	}
	open := *e
	open.Seed = ""
	bound, err := json.Marshal(open)
	return c, bound, err
}

// open returns the secret half. A seed that does not belong to the public half
// is refused, sealed or not.
func (e *envelope) open(public Public, passphrase []byte) (ed25519.PrivateKey, error) {
	stored, err := base64.StdEncoding.DecodeString(e.Seed)
	if err != nil {
		return nil, errors.New("its secret half is damaged")
	}
	seed := stored
	if e.KDF != nil {
		c, bound, err := e.cipher(passphrase)
		if err != nil {
			return nil, err
		}
		if len(stored) < c.NonceSize() {
			return nil, errors.New("its secret half is cut")
		}
		if seed, err = c.Open(nil, stored[:c.NonceSize()], stored[c.NonceSize():], bound); err != nil {
			return nil, ErrPassphrase
		}
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("its secret half has a wrong length")
	}
	secret := ed25519.NewKeyFromSeed(seed)
	if Public(secret.Public().(ed25519.PublicKey)) != public {
		return nil, errors.New("its two halves do not belong together")
	}
	return secret, nil
}

// parseEnvelope reads a document that may come from anywhere.
func parseEnvelope(data []byte) (*envelope, Public, error) {
	e := &envelope{}
	if err := strictjson.Unmarshal(data, e); err != nil {
		return nil, Public{}, fmt.Errorf("it is no key file: %w", err)
	}
	switch {
	case e.Type != envelopeType:
		return nil, Public{}, fmt.Errorf("it is no key file: its type is %q", e.Type)
	case e.Format != 1:
		return nil, Public{}, fmt.Errorf("it has format %d, and this program knows 1", e.Format)
	}
	if err := CheckName(e.Name); err != nil {
		return nil, Public{}, err
	}
	if _, err := time.Parse(time.RFC3339, e.Created); err != nil {
		return nil, Public{}, errors.New("its date is damaged")
	}
	if k := e.KDF; k != nil {
		if k.Name != scryptName {
			return nil, Public{}, fmt.Errorf("it is sealed by %q, and this program knows %s", k.Name, scryptName)
		}
		if k.N < minN || k.N > maxN || k.N&(k.N-1) != 0 || k.R < 1 || k.R > maxR || k.P < 1 || k.P > maxP {
			return nil, Public{}, fmt.Errorf("its work factor n=%d r=%d p=%d is out of bounds", k.N, k.R, k.P)
		}
	}
	p, _, err := ParsePublic(e.Public)
	return e, p, err
}
