package upload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo"
)

// What a publisher signs counts wherever its key does. So a server that shows
// another root, with the publisher's key and one more, could have signed what hands
// the true repository over to it. The roots that were seen first are kept in mind,
// and all later ones must come from them.

// roots is what is known of the roots at the server.
type roots struct {
	first, newest repo.Digest
	version       int64 // of the newest
}

func rootName(version int64) string { return fmt.Sprintf("%d.root.json", version) }

func (p *Place) rootsFile() string { return filepath.Join(p.home, "roots") }

// knownRoots is the zero value when nothing is known yet.
func (p *Place) knownRoots() (r roots, err error) {
	data, err := os.ReadFile(p.rootsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var first, newest string
	if _, err = fmt.Sscanf(string(data), "%s %d %s\n", &first, &r.version, &newest); err == nil {
		r.first, err = repo.ParseDigest(first)
	}
	if err == nil {
		r.newest, err = repo.ParseDigest(newest)
	}
	if err != nil || r.version < 1 {
		return r, hint.With(fmt.Errorf("%s is damaged", p.rootsFile()), "remove %s, and compare the fingerprint that 'sandbox repo show' prints with that of your users", p.rootsFile())
	}
	return r, nil
}

// checkRoots refuses a working copy whose roots are not those that are known.
func (p *Place) checkRoots() error {
	known, err := p.knownRoots()
	if err != nil || known.version == 0 {
		return err
	}
	for _, want := range []struct {
		version int64
		sum     repo.Digest
	}{{1, known.first}, {known.version, known.newest}} {
		data, err := os.ReadFile(p.file(rootName(want.version)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || repo.Sum(data) != want.sum {
			return hint.With(fmt.Errorf("it is another repository than before: %s is not what it was", rootName(want.version)),
				"somebody has put it there, and what you sign for it could be used against the users of yours: put yours back; if you have made it anew yourself, remove %s", p.home)
		}
	}
	return nil
}

// noteRoots keeps in mind the roots of the working copy, which are verified and at
// the server.
func (p *Place) noteRoots() error {
	var r roots
	for {
		data, err := os.ReadFile(p.file(rootName(r.version + 1)))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		r.newest = repo.Sum(data)
		if r.version++; r.version == 1 {
			r.first = r.newest
		}
	}
	return disk.WriteFile(p.rootsFile(), fmt.Appendf(nil, "%s %d %s\n", r.first, r.version, r.newest), 0o600)
}

// settled reports whether a constant file of the working copy is the server's if it
// has its length. A root that is not known to be may be one of our own that others
// were faster with; all other files are verified by what refers to them.
func (r roots) settled(name string) bool {
	var version int64
	if _, err := fmt.Sscanf(name, "%d.root.json", &version); err != nil || !isRoot(name) {
		return true
	}
	return version <= r.version
}
