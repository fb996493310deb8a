package publish

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/disk"
	"sandbox/repo/key"
)

// touch marks a delegated role, or "targets", for the next commit and returns
// it. A publisher's role begins with the first release.
func (r *Repository) touch(role string) *metadata.Metadata[metadata.TargetsType] {
	r.dirty[role] = true
	if role == metadata.TARGETS {
		return r.targets
	}
	if r.roles[role] == nil {
		r.roles[role] = metadata.Targets()
		r.roles[role].Signed.Version = 0
	}
	return r.roles[role]
}

// prepare makes sure that the roles, and what every commit needs, can be
// signed, and opens the keys: nobody is asked for a passphrase after minutes of
// work, or finds out then that a key is missing.
func (r *Repository) prepare(roles ...string) error {
	for _, role := range append(slices.Sorted(slices.Values(roles)), metadata.SNAPSHOT, metadata.TIMESTAMP) {
		signers, err := r.chain.signers(r.authority(role))
		if err != nil {
			return err
		}
		for _, s := range signers {
			if err := key.Unlock(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// authority is who may sign role: by the root as it is now, or by the targets as
// they are in memory.
func (r *Repository) authority(role string) authority {
	if slices.Contains(topRoles, role) {
		return rootAuthority(&r.root.Signed, role)
	}
	a, _ := delegatedAuthority(r.targets.Signed.Delegations, role)
	if a.role == "" {
		a.role = role
	}
	return a
}

// A metaFileData is one file of a commit.
type metaFileData struct {
	step, name string
	data       []byte
}

// commit signs what was touched and everything above it, and makes it what
// clients see. Nothing is written before all of it is signed.
func (r *Repository) commit() error {
	if r.ReadOnly {
		return errors.New("internal error: the repository was opened to be looked at")
	}
	files, timestamp, err := r.seal()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := r.writeNew(f.step, f.name, f.data); err != nil {
			return err
		}
	}
	if err := r.sync(); err != nil {
		return err
	}
	return r.publishTimestamp(timestamp)
}

func (r *Repository) publishTimestamp(data []byte) error {
	if err := disk.WriteFile(r.path(timestampFile), data, 0o644); err != nil {
		return err
	}
	r.dirty, r.stale = map[string]bool{}, false
	return r.step("timestamp")
}

// seal signs from the roles up to the timestamp. Only the metadata in memory
// changes.
func (r *Repository) seal() (files []metaFileData, timestamp []byte, err error) {
	if r.stale {
		r.touch(metadata.TARGETS)
	}
	now := r.now()
	roles := slices.DeleteFunc(slices.Sorted(maps.Keys(r.dirty)), func(role string) bool { return slices.Contains(topRoles, role) })
	if r.dirty[metadata.TARGETS] {
		if err := checkDelegations(r.targets.Signed.Delegations, r.bins); err != nil {
			return nil, nil, err
		}
		roles = append(roles, metadata.TARGETS) // after those it delegates to
	}
	for _, role := range roles {
		m, life, step := r.roles[role], binLife, "role"
		if role == metadata.TARGETS {
			m, life, step = r.targets, rootLife, "targets"
		}
		m.Signed.Version = r.nextVersion(role, m.Signed.Version)
		m.Signed.Expires = now.Add(life)
		data, err := signed(r, role, m)
		if err != nil {
			return nil, nil, err
		}
		r.snapshot.Signed.Meta[role+".json"] = metaInfo(m.Signed.Version, data)
		files = append(files, metaFileData{step, metaFile(role, m.Signed.Version), data})
	}
	if len(roles) > 0 || r.dirty[metadata.SNAPSHOT] {
		r.snapshot.Signed.Version = r.nextVersion(metadata.SNAPSHOT, r.snapshot.Signed.Version)
		r.snapshot.Signed.Expires = now.Add(binLife)
		data, err := signed(r, metadata.SNAPSHOT, r.snapshot)
		if err != nil {
			return nil, nil, err
		}
		r.timestamp.Signed.Meta[metadata.SNAPSHOT+".json"] = metaInfo(r.snapshot.Signed.Version, data)
		files = append(files, metaFileData{"snapshot", metaFile(metadata.SNAPSHOT, r.snapshot.Signed.Version), data})
	}
	r.timestamp.Signed.Version++
	r.timestamp.Signed.Expires = now.Add(r.config.timestampLife())
	timestamp, err = signed(r, metadata.TIMESTAMP, r.timestamp)
	return files, timestamp, err
}

func signed[T metadata.Roles](r *Repository, role string, m *metadata.Metadata[T]) ([]byte, error) {
	signers, err := r.chain.signers(r.authority(role))
	if err == nil && r.upcoming != nil && slices.Contains(topRoles, role) {
		var more []key.Signer
		more, err = r.chain.signers(rootAuthority(&r.upcoming.Signed, role))
		signers = distinct(append(signers, more...))
	}
	if err != nil {
		return nil, err
	}
	if err := sign(m, signers); err != nil {
		return nil, err
	}
	data, err := encode(m)
	if err == nil {
		err = checkSize(role, len(data))
	}
	return data, err
}

func encode[T metadata.Roles](m *metadata.Metadata[T]) ([]byte, error) {
	data, err := m.ToBytes(false)
	return append(data, '\n'), err
}

func metaInfo(version int64, data []byte) *metadata.MetaFiles {
	target, _ := metadata.TargetFile().FromBytes("", data, "sha256") // cannot fail: the hash is known
	return &metadata.MetaFiles{Version: version, Length: int64(len(data)), Hashes: target.Hashes}
}

// nextVersion is the one after current that no file has, not even one that a
// crash left behind: a name that was written once never has another content.
func (r *Repository) nextVersion(role string, current int64) int64 {
	highest := current
	if meta := r.snapshot.Signed.Meta[role+".json"]; meta != nil {
		highest = max(highest, meta.Version) // a publisher who was removed and came back
	}
	entries, _ := os.ReadDir(r.path(metaDir))
	for _, e := range entries {
		if name, version, ok := parseMetaName(e.Name()); ok && name == role {
			highest = max(highest, version)
		}
	}
	return highest + 1
}

// parseMetaName takes N.ROLE.json apart.
func parseMetaName(name string) (role string, version int64, ok bool) {
	number, rest, found := strings.Cut(name, ".")
	role, isJSON := strings.CutSuffix(rest, ".json")
	version, err := strconv.ParseInt(number, 10, 64)
	return role, version, found && isJSON && err == nil && version > 0
}

// step marks that something is done. Tests stop here.
func (r *Repository) step(name string) error {
	if r.fault != nil {
		return r.fault(name)
	}
	return nil
}

// writeNew writes a file that nobody refers to yet. A file that is there with
// the same content stays.
func (r *Repository) writeNew(step, name string, data []byte) error {
	target := r.path(name)
	if have, err := readBounded(target, int64(len(data))); err == nil && bytes.Equal(have, data) {
		r.written = append(r.written, target)
		return r.step(step)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(target), tempPrefix+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return r.place(step, f, target, err)
}

// tempPrefix marks files that have no name yet; gc removes what a crash left.
const tempPrefix = ".tmp-"

// place gives the temporary file f its name, or removes it when err says that
// writing failed.
func (r *Repository) place(step string, f *os.File, target string, err error) error {
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	r.written = append(r.written, target)
	return r.step(step)
}

// sync brings to disk what was written, and the names of it. Directories that
// are new have their own name in another.
func (r *Repository) sync() error {
	dirs := map[string]bool{}
	for _, name := range r.written {
		if err := syncFile(name); err != nil {
			return err
		}
		for dir := filepath.Dir(name); len(dir) >= len(filepath.Clean(r.dir)); dir = filepath.Dir(dir) {
			dirs[dir] = true
			if dir == filepath.Clean(r.dir) {
				break
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := disk.SyncDir(dir); err != nil {
			return err
		}
	}
	r.written = nil
	return r.step("sync")
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// exists reports whether a file of that length is there, or elsewhere.
func (r *Repository) exists(name string, length int64) bool {
	if n, ok := r.Elsewhere.Packs[name]; ok && n == length {
		return true
	}
	st, err := os.Stat(r.path(name))
	return err == nil && st.Mode().IsRegular() && st.Size() == length
}
