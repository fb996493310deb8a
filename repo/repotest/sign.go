package repotest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

// Doc is the signed part of a metadata file.
type Doc = map[string]any

// Key is a signing key.
type Key struct{ Private ed25519.PrivateKey }

// NewKey makes the key that a name stands for: the same in every run.
func NewKey(name string) Key {
	seed := sha256.Sum256([]byte("repotest " + name))
	return Key{ed25519.NewKeyFromSeed(seed[:])}
}

// Public is the raw public key.
func (k Key) Public() []byte { return k.Private.Public().(ed25519.PublicKey) }

// Doc is the key as metadata names it.
func (k Key) Doc() Doc {
	return Doc{"keytype": "ed25519", "scheme": "ed25519", "keyval": Doc{"public": hex.EncodeToString(k.Public())}}
}

// ID is the name of the key: the hash of its canonical text.
func (k Key) ID() string { return hash(canonical(k.Doc())) }

// Sign signs bytes.
func (k Key) Sign(text []byte) []byte { return ed25519.Sign(k.Private, text) }

// Signed is the file of a document, signed by keys.
func Signed(d Doc, keys ...Key) []byte {
	text := canonical(d)
	signatures := []any{}
	for _, k := range keys {
		signatures = append(signatures, Doc{"keyid": k.ID(), "sig": hex.EncodeToString(k.Sign(text))})
	}
	data, err := json.Marshal(Doc{"signed": d, "signatures": signatures})
	if err != nil {
		panic(err)
	}
	return data
}

func canonical(v any) []byte {
	text, err := cjson.EncodeCanonical(v)
	if err != nil {
		panic(err)
	}
	return text
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// roleDoc is a role with its keys, for root and delegations.
func roleDoc(threshold int, keys []Key) Doc {
	ids := []any{}
	for _, k := range keys {
		ids = append(ids, k.ID())
	}
	return Doc{"keyids": ids, "threshold": threshold}
}

func keyDocs(sets ...[]Key) Doc {
	d := Doc{}
	for _, k := range slices.Concat(sets...) {
		d[k.ID()] = k.Doc()
	}
	return d
}
