package store

import (
	"bytes"
	"testing"
	"time"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// What is read back is what was written, and nothing else is read.
func FuzzRecord(f *testing.F) {
	ref := repo.Ref{Kind: manifest.App, ID: "org.example.Edit", Arch: "any", Channel: "stable"}
	r := Record{Release: repo.Release{Ref: ref, N: 3, Version: "1.0", Tree: repo.Sum([]byte("tree")), TreeLength: 4, Locator: repo.Sum(nil), LocatorLength: 1,
		Time: time.Unix(1_700_000_000, 0).UTC(), Permissions: repo.Sum(nil), Publisher: repo.Publisher{Key: make([]byte, 32), Sig: make([]byte, 64)}},
		Remote: "main", Explicit: true, InstalledAt: time.Unix(1_700_000_001, 0).UTC()}
	data, err := r.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	r.Accepted = "network:host\n"
	if data, err = r.encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	d := installed.Deployment{N: 3, Tree: r.Release.Tree.Short()}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeRecord(data, ref, d)
		if err != nil {
			return
		}
		if got.Release.Ref != ref || got.Release.N != 3 || got.Release.Tree.Short() != d.Tree {
			t.Fatalf("the record of another release: %+v", got.Release)
		}
		again, err := got.encode()
		if err != nil {
			t.Fatalf("it cannot be written again: %v", err)
		}
		back, err := decodeRecord(again, ref, d)
		if err != nil {
			t.Fatalf("written again, it cannot be read: %v", err)
		}
		if third, err := back.encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable: %v\n%s\n%s", err, again, third)
		}
	})
}
