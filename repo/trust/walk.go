package trust

import (
	"context"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// maxRootSteps bounds how many roots one look walks over.
const maxRootSteps = 256

// walkRoots follows the roots one by one. Each is stored once it is verified,
// so that a later interruption does not undo a key that was withdrawn.
func (r *Repository) walkRoots(ctx context.Context) error {
	for range maxRootSteps {
		next := r.tm.Root.Signed.Version + 1
		name := rootName(next)
		data, err := r.fetch(ctx, name, maxRoot)
		if err != nil && r.opt.NotFound != nil && r.opt.NotFound(err) {
			return r.unexpired("root", r.tm.Root.Signed.Expires)
		}
		if err != nil {
			return err
		}
		if err := r.nextRoot(data, next); err != nil {
			return fmt.Errorf("cannot trust %s: %w", name, err)
		}
		if err := r.write(rootDir+"/"+name, data); err != nil {
			return err
		}
	}
	return fmt.Errorf("cannot trust its root: there are more than %d after version %d", maxRootSteps, r.tm.Root.Signed.Version)
}

func (r *Repository) nextRoot(data []byte, version int64) error {
	m, err := parseRoot(data)
	if err != nil {
		return err
	}
	if m.Signed.Version != version {
		return fmt.Errorf("it has the version %d", m.Signed.Version)
	}
	_, err = r.tm.UpdateRoot(data)
	return translate(err)
}

// newTimestamp replaces the stored timestamp by the repository's and returns
// the one that counts.
func (r *Repository) newTimestamp(ctx context.Context, stored string) (string, error) {
	old := r.oldTimestamp(stored)
	data, err := r.fetch(ctx, "timestamp.json", maxTimestamp)
	if err != nil {
		return "", err
	}
	if err := r.takeTimestamp(data, old); err != nil {
		return "", fmt.Errorf("cannot trust its timestamp: %w", err)
	}
	if old != nil && r.tm.Timestamp.Signed.Version == old.Signed.Version {
		data = []byte(stored) // two of one version: the first one seen stays
	}
	return string(data), r.unexpired("timestamp", r.tm.Timestamp.Signed.Expires)
}

// oldTimestamp gives the library the stored timestamp, for comparison. One that
// today's root does not vouch for is none: its keys were withdrawn, and with
// them whatever they may have said about versions.
func (r *Repository) oldTimestamp(stored string) *metadata.Metadata[metadata.TimestampType] {
	if stored == "" || r.useTimestamp([]byte(stored)) != nil {
		return nil
	}
	return r.tm.Timestamp
}

// useTimestamp takes a timestamp without a word about its date.
func (r *Repository) useTimestamp(data []byte) error {
	if _, err := parse(data, maxTimestamp, checkTimestamp); err != nil {
		return err
	}
	_, err := r.tm.UpdateTimestamp(data)
	if _, expired := errors.AsType[*metadata.ErrExpiredMetadata](err); expired && r.tm.Timestamp != nil {
		return nil
	}
	return translate(err)
}

func (r *Repository) takeTimestamp(data []byte, old *metadata.Metadata[metadata.TimestampType]) error {
	m, err := parse(data, maxTimestamp, checkTimestamp)
	if err != nil {
		return err
	}
	_, err = r.tm.UpdateTimestamp(data)
	if _, same := errors.AsType[*metadata.ErrEqualVersionNumber](err); same {
		return nil
	}
	if _, expired := errors.AsType[*metadata.ErrExpiredMetadata](err); expired && r.tm.Timestamp != old {
		return nil // taken; unexpired tells of it
	}
	if err != nil || old == nil {
		return translate(err)
	}
	// What the library has done already, in our own words.
	if m.Signed.Version < old.Signed.Version || m.Signed.Meta["snapshot.json"].Version < old.Signed.Meta["snapshot.json"].Version {
		return ErrRollback
	}
	return nil
}

// newSnapshot does for the snapshot what newTimestamp does.
func (r *Repository) newSnapshot(ctx context.Context, stored string) (string, error) {
	meta := r.tm.Timestamp.Signed.Meta["snapshot.json"]
	var old *metadata.Metadata[metadata.SnapshotType]
	if stored != "" && r.oldSnapshot([]byte(stored)) {
		old = r.tm.Snapshot
		if old.Signed.Version == meta.Version && meta.VerifyLengthHashes([]byte(stored)) == nil {
			return stored, r.unexpired("snapshot", old.Signed.Expires)
		}
	}
	data, err := r.fetch(ctx, roleDir+"/"+roleName(metadata.SNAPSHOT, meta.Version), meta.Length)
	if err != nil {
		return "", err
	}
	if err := r.takeSnapshot(data, meta, old); err != nil {
		return "", fmt.Errorf("cannot trust its snapshot: %w", err)
	}
	return string(data), r.unexpired("snapshot", r.tm.Snapshot.Signed.Expires)
}

// oldSnapshot gives the library the stored snapshot, for comparison.
func (r *Repository) oldSnapshot(data []byte) bool {
	if _, err := parse(data, maxSnapshot, checkSnapshot); err != nil {
		return false
	}
	r.tm.UpdateSnapshot(data, true) // an old one is an error, and taken all the same
	return r.tm.Snapshot != nil
}

// useSnapshot takes the snapshot that the timestamp names.
func (r *Repository) useSnapshot(data []byte) error {
	if err := r.takeSnapshot(data, r.tm.Timestamp.Signed.Meta["snapshot.json"], nil); err != nil {
		return err
	}
	return r.unexpired("snapshot", r.tm.Snapshot.Signed.Expires)
}

func (r *Repository) takeSnapshot(data []byte, meta *metadata.MetaFiles, old *metadata.Metadata[metadata.SnapshotType]) error {
	if err := meta.VerifyLengthHashes(data); err != nil {
		return translate(err)
	}
	m, err := parse(data, maxSnapshot, checkSnapshot)
	if err != nil {
		return err
	}
	if m.Signed.Version != meta.Version {
		return fmt.Errorf("it has the version %d, not %d", m.Signed.Version, meta.Version)
	}
	if err := notLess(m, old); err != nil {
		return err
	}
	_, err = r.tm.UpdateSnapshot(data, false)
	if _, expired := errors.AsType[*metadata.ErrExpiredMetadata](err); expired && r.tm.Snapshot != old && r.tm.Snapshot != nil {
		return nil // taken; unexpired tells of it
	}
	return translate(err)
}

// notLess wants every file that the old snapshot lists in the new one, and not
// in an older version.
func notLess(m, old *metadata.Metadata[metadata.SnapshotType]) error {
	if old == nil {
		return nil
	}
	if m.Signed.Version < old.Signed.Version {
		return ErrRollback
	}
	for name, was := range old.Signed.Meta {
		is := m.Signed.Meta[name]
		if is == nil {
			return fmt.Errorf("%w: %s is gone", ErrRollback, name)
		}
		if is.Version < was.Version {
			return fmt.Errorf("%w: %s", ErrRollback, name)
		}
	}
	return nil
}
