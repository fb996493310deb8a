package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"sandbox/repo"
	"sandbox/repo/installed"
	"sandbox/repo/strictjson"
)

// Record is one deployed release and how it came here.
type Record struct {
	Release repo.Release

	Remote            string // name of the remote it came from
	RemoteFingerprint string // of that remote's first root: names change
	Publisher         []byte // the publisher's key that was pinned
	Explicit          bool   // asked for by name, not brought along
	Accepted          string // the permission text that the person accepted
	InstalledAt       time.Time
	Downgrade         bool // the person asked for a release below the floor

	// Not of the record, but of where it lies and of its ref.
	State
	Current bool
	System  bool // it lies in the store of the machine
}

// Ref is whose release it is.
func (r *Record) Ref() repo.Ref { return r.Release.Ref }

// recordFile is the first line of a record. The second is the release as it was
// signed, and is read by the same strict rules.
type recordFile struct {
	Format      int         `json:"format"`
	Ref         repo.Ref    `json:"ref"`
	Tree        repo.Digest `json:"tree"`
	TreeLength  int64       `json:"tree_length"`
	Remote      string      `json:"remote"`
	Fingerprint string      `json:"fingerprint"`
	Publisher   []byte      `json:"publisher"`
	Explicit    bool        `json:"explicit"`
	Accepted    *string     `json:"accepted"` // null: just what the release asks for
	InstalledAt time.Time   `json:"installed_at"`
	Downgrade   bool        `json:"downgrade,omitempty"`
}

const (
	recordFormat = 1
	maxRecord    = 512 << 10
)

func (r *Record) encode() ([]byte, error) {
	custom, err := r.Release.MarshalCustom()
	if err != nil {
		return nil, err
	}
	f := recordFile{Format: recordFormat, Ref: r.Release.Ref, Tree: r.Release.Tree, TreeLength: r.Release.TreeLength,
		Remote: r.Remote, Fingerprint: r.RemoteFingerprint, Publisher: r.Publisher, Explicit: r.Explicit,
		InstalledAt: r.InstalledAt.UTC().Truncate(time.Second), Downgrade: r.Downgrade}
	if r.Accepted != r.Release.PermissionText {
		f.Accepted = &r.Accepted
	}
	head, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return slices.Concat(head, []byte("\n"), custom, []byte("\n")), nil
}

// decodeRecord reads a record, which must be that of the deployment at whose
// side it lies.
func decodeRecord(data []byte, ref repo.Ref, d installed.Deployment) (Record, error) {
	head, custom, _ := bytes.Cut(data, []byte("\n"))
	var f recordFile
	if err := strictjson.Unmarshal(head, &f); err != nil {
		return Record{}, err
	}
	if f.Format != recordFormat {
		return Record{}, fmt.Errorf("record of the unknown format %d", f.Format)
	}
	release, err := repo.ParseCustom(ref, bytes.TrimSuffix(custom, []byte("\n")))
	if err != nil {
		return Record{}, err
	}
	release.Tree, release.TreeLength = f.Tree, f.TreeLength
	if f.Ref != ref || release.N != d.N || release.Tree.Short() != d.Tree {
		return Record{}, errors.New("record of another release")
	}
	r := Record{Release: release, Remote: f.Remote, RemoteFingerprint: f.Fingerprint, Publisher: f.Publisher,
		Explicit: f.Explicit, Accepted: release.PermissionText, InstalledAt: f.InstalledAt, Downgrade: f.Downgrade}
	if f.Accepted != nil {
		r.Accepted = *f.Accepted
	}
	return r, nil
}

// place is where a release is deployed, below the store.
func place(r repo.Release) string {
	return path.Join(refDir(r.Ref), deployment(r).String())
}

func deployment(r repo.Release) installed.Deployment {
	return installed.Deployment{N: r.N, Tree: r.Tree.Short()}
}

func refDir(r repo.Ref) string {
	return installed.Ref{Kind: r.Kind, ID: r.ID, Arch: r.Arch, Channel: r.Channel}.Dir()
}

// Dir is the bundle directory of a record, absolute.
func (s *Store) BundleDir(r Record) string { return s.shown(place(r.Release)) }

// readRecord reads the record of one deployment.
func (s *Store) readRecord(ref repo.Ref, d installed.Deployment) (Record, error) {
	return s.recordAt(s.fd, path.Join(refDir(ref), d.String()+installed.RecordSuffix), ref, d)
}

// recordIn is readRecord for whom the ref's directory is open already.
func (s *Store) recordIn(dir int, ref repo.Ref, d installed.Deployment) (Record, error) {
	return s.recordAt(dir, d.String()+installed.RecordSuffix, ref, d)
}

func (s *Store) recordAt(dir int, name string, ref repo.Ref, d installed.Deployment) (Record, error) {
	data, err := readAt(dir, name, maxRecord)
	if err != nil {
		return Record{}, err
	}
	r, err := decodeRecord(data, ref, d)
	if err != nil {
		return Record{}, fmt.Errorf("cannot read the record of %s: %w", ref.At(d.N), err)
	}
	r.System = s.system
	return r, nil
}

// writeRecord replaces a record.
func (s *Store) writeRecord(r Record) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	return s.writeFile(place(r.Release)+installed.RecordSuffix, data)
}
