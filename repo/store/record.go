package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
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

// recordFile is the record's JSON. The release is kept as it was signed, and
// read by the same strict rules.
type recordFile struct {
	Format      int             `json:"format"`
	Ref         repo.Ref        `json:"ref"`
	Tree        repo.Digest     `json:"tree"`
	TreeLength  int64           `json:"tree_length"`
	Release     json.RawMessage `json:"release"`
	Remote      string          `json:"remote"`
	Fingerprint string          `json:"fingerprint"`
	Publisher   []byte          `json:"publisher"`
	Explicit    bool            `json:"explicit"`
	Accepted    string          `json:"accepted"`
	InstalledAt time.Time       `json:"installed_at"`
	Downgrade   bool            `json:"downgrade,omitempty"`
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
	return json.Marshal(recordFile{
		recordFormat, r.Release.Ref, r.Release.Tree, r.Release.TreeLength, custom,
		r.Remote, r.RemoteFingerprint, r.Publisher, r.Explicit, r.Accepted, r.InstalledAt.UTC().Truncate(time.Second), r.Downgrade,
	})
}

// decodeRecord reads a record, which must be that of the deployment at whose
// side it lies.
func decodeRecord(data []byte, ref repo.Ref, d installed.Deployment) (Record, error) {
	var f recordFile
	if err := strictjson.Unmarshal(data, &f); err != nil {
		return Record{}, err
	}
	if f.Format != recordFormat {
		return Record{}, fmt.Errorf("record of the unknown format %d", f.Format)
	}
	release, err := repo.ParseCustom(ref, f.Release)
	if err != nil {
		return Record{}, err
	}
	release.Tree, release.TreeLength = f.Tree, f.TreeLength
	if f.Ref != ref || release.N != d.N || release.Tree.Short() != d.Tree {
		return Record{}, errors.New("record of another release")
	}
	return Record{Release: release, Remote: f.Remote, RemoteFingerprint: f.Fingerprint, Publisher: f.Publisher,
		Explicit: f.Explicit, Accepted: f.Accepted, InstalledAt: f.InstalledAt, Downgrade: f.Downgrade}, nil
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
	data, err := s.readFile(path.Join(refDir(ref), d.String()+installed.RecordSuffix), maxRecord)
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
