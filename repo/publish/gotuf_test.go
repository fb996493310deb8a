package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/repo/key"
)

// A repository whose metadata go-tuf wrote and signed, with its own types and
// its own signer: we open it, and so does the client.
func TestWeReadWhatTheLibraryWrites(t *testing.T) {
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadSigner(secret, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	k, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	id, err := k.ID()
	if err != nil {
		t.Fatal(err)
	}
	// A release to point to, from a repository of ours.
	ours, o := newRepo(t)
	publish(t, ours, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	r := open(t, ours, o)
	target := r.roles["bin-00"].Signed.Targets[stable]
	catalogue := r.roles["bin-00"].Signed.Targets["catalogue/any"]
	r.Close()

	dir := copyDir(t, ours)
	expires := time.Now().UTC().Add(30 * day).Truncate(time.Second)
	root, targets, bin := metadata.Root(expires), metadata.Targets(expires), metadata.Targets(expires)
	for _, role := range topRoles {
		if err := root.Signed.AddKey(k, role); err != nil {
			t.Fatal(err)
		}
	}
	targets.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{id: k}, Roles: []metadata.DelegatedRole{
		{Name: "bin-00", KeyIDs: []string{id}, Threshold: 1, Terminating: true, PathHashPrefixes: []string{""}},
	}}
	bin.Signed.Targets = map[string]*metadata.TargetFiles{stable: target, "catalogue/any": catalogue}
	os.RemoveAll(filepath.Join(dir, metaDir))
	os.MkdirAll(filepath.Join(dir, metaDir), 0o755)
	put := func(name string, data []byte, err error) *metadata.MetaFiles {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return metaInfo(1, data)
	}
	bytesOf := func(m interface {
		Sign(signature.Signer) (*metadata.Signature, error)
		ToBytes(bool) ([]byte, error)
	}) ([]byte, error) {
		if _, err := m.Sign(signer); err != nil {
			return nil, err
		}
		return m.ToBytes(true)
	}
	data, err := bytesOf(root)
	put("1.root.json", data, err)
	snapshot, timestamp := metadata.Snapshot(expires), metadata.Timestamp(expires)
	data, err = bytesOf(bin)
	snapshot.Signed.Meta["bin-00.json"] = put("meta/1.bin-00.json", data, err)
	data, err = bytesOf(targets)
	snapshot.Signed.Meta["targets.json"] = put("meta/1.targets.json", data, err)
	data, err = bytesOf(snapshot)
	timestamp.Signed.Meta["snapshot.json"] = put("meta/1.snapshot.json", data, err)
	data, err = bytesOf(timestamp)
	put(timestampFile, data, err)

	accepts(t, dir, Options{})
	if got := list(t, dir, Options{}); len(got) != 1 || got[0] != stable+" n=1 1" {
		t.Errorf("we read %q", got)
	}
	// And we go on from there, with the same key.
	mine := Options{Keys: []key.Signer{fromSecret{secret}, o.Keys[0]}}
	if _, err := tryPublish(t, dir, mine, Request{Bundles: []string{newBundle(t, app, "2", "", nil)}}); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, mine)
	checkAll(t, dir, mine)
}

type fromSecret struct{ secret ed25519.PrivateKey }

func (f fromSecret) Public() key.Public               { return key.Public(f.secret.Public().(ed25519.PublicKey)) }
func (f fromSecret) Sign(data []byte) ([]byte, error) { return ed25519.Sign(f.secret, data), nil }
func (f fromSecret) Label() string                    { return "go-tuf's" }

func FuzzIndex(f *testing.F) {
	f.Add(encodeIndex(newIndex()))
	dir, o := newRepo(f)
	publish(f, dir, o, Request{Bundles: []string{newBundle(f, app, "1", "", nil)}})
	if data, err := os.ReadFile(filepath.Join(dir, indexFile)); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// With the sum made right: what is behind it must hold by itself.
		for _, d := range [][]byte{data, resum(data)} {
			if x, err := decodeIndex(d); err == nil {
				if _, err := decodeIndex(encodeIndex(x)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func TestSettings(t *testing.T) {
	dir, o := newRepo(t)
	set := func(s Settings) (path string, err error) {
		err = with(t, dir, o, func(r *Repository) error { path, err = r.Set(s); return err })
		return path, err
	}
	title, url, keep, days := "New", "https://new.example.org/", 1, 30
	path, err := set(Settings{Title: &title, URL: &url, Keep: &keep, TimestampDays: &days})
	if err != nil || filepath.Base(path) != "repo.sandboxremote" {
		t.Fatalf("%q, %v", path, err)
	}
	data, _ := os.ReadFile(path)
	var f remoteFile
	if json.Unmarshal(data, &f); f.URL != url || f.Title != title {
		t.Errorf("%+v", f)
	}
	for v := range 2 {
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, fmt.Sprint(v), "", nil)}})
	}
	if got := list(t, dir, o); len(got) != 1 {
		t.Errorf("kept %q", got)
	}
	if r := open(t, dir, o); r.timestamp.Signed.Expires.Sub(o.now()) < 29*day {
		t.Errorf("it expires %v", r.timestamp.Signed.Expires)
	} else {
		r.Close()
	}
	bad, far := "ftp://x", 100
	for _, s := range []Settings{{URL: &bad}, {TimestampDays: &far}, {Name: "../x"}} {
		if _, err := set(s); err == nil {
			t.Errorf("set %+v", s)
		}
	}
}

func TestReadOnlyWritesNothing(t *testing.T) {
	dir, o := newRepo(t)
	r := open(t, dir, o) // and does not wait for those who write
	defer r.Close()
	look := o
	look.ReadOnly = true
	again, err := Open(context.Background(), dir, look)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Refresh(); err == nil {
		t.Error("it wrote")
	}
}
