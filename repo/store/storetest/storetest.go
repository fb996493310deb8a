// Package storetest fills stores for tests, without a repository: from bundle
// directories, signed by a key of its own.
package storetest

import (
	"crypto/ed25519"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandbox/repo"
	"sandbox/repo/store"
)

// Fingerprint is of the repository that everything here pretends to come from.
const Fingerprint = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Key signs what is deployed.
var Key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// Open makes a store in a directory of the test's own.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenAt(t, filepath.Join(t.TempDir(), "store"))
}

// OpenAt opens a store for changes until the end of the test.
func OpenAt(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Lock takes the store's lock until the end of the test, or until it is given back.
func Lock(t testing.TB, s *store.Store) *store.Lock {
	t.Helper()
	l, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Unlock)
	return l
}

// Record is what a client would have made of the bundle as release n.
func Record(t testing.TB, bundle, channel string, n uint64) (store.Record, *repo.Tree, []byte) {
	t.Helper()
	tree, err := repo.TreeOf(bundle)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := repo.EncodeTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tree.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	text := repo.PermissionText(m)
	r := repo.Release{Ref: tree.Ref(channel), N: n, Version: tree.Version, Tree: repo.Sum(stored), TreeLength: int64(len(stored)),
		Locator: repo.Sum(nil), LocatorLength: 1, Installed: tree.Size, Time: time.Unix(1_700_000_000, 0).UTC(),
		Permissions: repo.Sum([]byte(text)), PermissionText: text}
	if m.Runtime.ID != "" {
		r.Runtime = repo.Ref{Kind: "runtime", ID: m.Runtime.ID, Arch: repo.HostArch(), Channel: m.Runtime.Channel}
	}
	r.Publisher = repo.Publisher{Key: Key.Public().(ed25519.PublicKey), Sig: ed25519.Sign(Key, r.SignedText())}
	return store.Record{Release: r, Remote: "test", RemoteFingerprint: Fingerprint, Publisher: r.Publisher.Key, Explicit: true,
		Accepted: text, InstalledAt: time.Now()}, tree, stored
}

// Fill stores the contents of a bundle's tree, and the tree file.
func Fill(t testing.TB, s *store.Store, bundle string, tree *repo.Tree, stored []byte) {
	t.Helper()
	if err := s.WriteTree(repo.Sum(stored), stored); err != nil {
		t.Fatal(err)
	}
	for _, e := range tree.Entries {
		if e.Type != repo.File || e.Size == 0 || s.HasObject(e.Object, e.Exec) {
			continue
		}
		if err := put(s, e, filepath.Join(bundle, e.Path)); err != nil {
			t.Fatal(err)
		}
	}
}

func put(s *store.Store, e repo.Entry, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.WriteObject(e.Object, e.Size, e.Exec, io.Reader(f))
}

// Deploy installs a bundle directory as release n of its channel.
func Deploy(t testing.TB, s *store.Store, l *store.Lock, bundle, channel string, n uint64) store.Record {
	t.Helper()
	rec, tree, stored := Record(t, bundle, channel, n)
	Fill(t, s, bundle, tree, stored)
	if err := s.Deploy(l, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}
