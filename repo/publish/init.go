package publish

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// InitOptions is what Init makes a repository from. Keys holds the secret half
// of at least those keys that the thresholds ask for.
type InitOptions struct {
	Options
	Name  string // of the .sandboxremote file; default: that of the directory
	Title string
	URL   string // where clients will find it; may be empty
	Bins  int    // 0 is 1

	// Roles names the keys of root, targets, snapshot, timestamp and bins; a
	// role that is missing is signed by Default.
	Roles         map[string][]key.Public
	Default       []key.Public
	RootThreshold int // 0 is 1
	TimestampDays int
	Keep          int
}

// Created is what Init has made.
type Created struct {
	Dir         string
	Fingerprint string
	RemoteFile  string
}

// InitRoles are the roles whose keys Init takes.
var InitRoles = append(append([]string{}, topRoles...), binsRole)

// Init makes an empty repository in dir, which is new or empty. A run that was
// cut short is finished by the next.
func Init(dir string, o InitOptions) (*Created, error) {
	created, err := o.init(dir)
	if err != nil {
		return nil, explain(fmt.Errorf("cannot make repository %q: %w", cmp.Or(o.Called, dir), err))
	}
	return created, nil
}

func (o *InitOptions) init(dir string) (*Created, error) {
	if err := o.check(dir); err != nil {
		return nil, err
	}
	if err := o.refuseOther(dir); err != nil {
		return nil, err
	}
	r := &Repository{Options: o.Options, dir: dir, bins: o.Bins, dirty: map[string]bool{}, roles: map[string]*metadata.Metadata[metadata.TargetsType]{}}
	r.config = o.config()
	r.chain = chain{given: o.Keys, ring: o.Ring}
	if err := o.compose(r); err != nil {
		return nil, err
	}
	root, err := signed(r, metadata.ROOT, r.root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, stateDir), 0o755); err != nil {
		return nil, err
	}
	if err := r.config.write(dir); err != nil {
		return nil, err
	}
	if err := r.writeNew("root", rootFile(1), root); err != nil {
		return nil, err
	}
	if err := r.commit(); err != nil {
		return nil, err
	}
	remote, err := r.writeRemoteFile(o.Name, root)
	if err != nil {
		return nil, err
	}
	// Last: from now on it is a repository.
	l, err := json.Marshal(layout{Format: 1, Bins: o.Bins})
	if err != nil {
		return nil, err
	}
	if err := disk.WriteFile(filepath.Join(dir, layoutFile), append(l, '\n'), 0o644); err != nil {
		return nil, err
	}
	fingerprint, err := Fingerprint(r.root)
	return &Created{Dir: dir, Fingerprint: fingerprint, RemoteFile: remote}, err
}

func (o *InitOptions) check(dir string) error {
	if o.Bins == 0 {
		o.Bins = 1
	}
	if o.RootThreshold == 0 {
		o.RootThreshold = 1
	}
	if o.Name == "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		o.Name = filepath.Base(absolute)
	}
	if !validBins(o.Bins) {
		return hint.With(fmt.Errorf("%d bins", o.Bins), "1 is right for up to some hundred apps, 16 or 256 for more")
	}
	if err := checkRemoteName(o.Name); err != nil {
		return err
	}
	return o.config().check()
}

func (o *InitOptions) config() config {
	return config{Title: o.Title, URL: o.URL, TimestampDays: o.TimestampDays, Keep: o.Keep}
}

func checkURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return hint.With(fmt.Errorf("%q is no address of a repository", text), "write it as https://host/path/, without user, query or fragment")
	}
	return nil
}

func checkTitle(text string) error {
	if len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the title is longer than 200 bytes or has control characters")
	}
	return nil
}

// refuseOther lets a new directory pass, an empty one, and one that a run of
// Init left unfinished.
func (o *InitOptions) refuseOther(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, layoutFile)); err == nil {
		return hint.With(errors.New("there is a repository already"), "'sandbox publish' adds to it; a new one needs a new directory")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == stateDir, name == rootFile(1), name == timestampFile, name == metaDir, strings.HasPrefix(name, tempPrefix), strings.HasSuffix(name, remoteSuffix):
		default:
			return hint.With(fmt.Errorf("the directory holds %q", name), "name an empty directory or a new one")
		}
	}
	return o.clean(dir)
}

// clean takes away what an unfinished run left: it was never a repository.
func (o *InitOptions) clean(dir string) error {
	for _, name := range []string{timestampFile, rootFile(1)} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, metaDir))
}

// compose makes the metadata of an empty repository, unsigned.
func (o *InitOptions) compose(r *Repository) error {
	now := r.now()
	// A repository is known by its first root. Two that one key makes in the same
	// second must not be one to their users.
	r.root = metadata.Root(now.Add(rootLife - time.Duration(rand.IntN(24*60*60))*time.Second))
	r.first = r.root
	r.targets = metadata.Targets(now.Add(rootLife))
	r.snapshot = metadata.Snapshot(now.Add(binLife))
	r.timestamp = metadata.Timestamp(now.Add(r.config.timestampLife()))
	r.targets.Signed.Version, r.snapshot.Signed.Version, r.timestamp.Signed.Version = 0, 0, 0
	r.snapshot.Signed.Meta = map[string]*metadata.MetaFiles{}
	for _, role := range topRoles {
		for _, p := range o.keysOf(role) {
			if err := r.root.Signed.AddKey(tufKey(p), role); err != nil {
				return err
			}
		}
	}
	r.root.Signed.Roles[metadata.ROOT].Threshold = o.RootThreshold
	if err := checkRoles(&r.root.Signed); err != nil {
		return err
	}
	d := &metadata.Delegations{Keys: map[string]*metadata.Key{}, Roles: []metadata.DelegatedRole{}}
	var ids []string
	for _, p := range o.keysOf(binsRole) {
		d.Keys[p.ID()] = tufKey(p)
		ids = append(ids, p.ID())
	}
	if len(ids) == 0 {
		return errors.New("the bins have no key")
	}
	for i, name := range binNames(o.Bins) {
		d.Roles = append(d.Roles, metadata.DelegatedRole{Name: name, KeyIDs: ids, Threshold: 1, Terminating: true, PathHashPrefixes: binPrefixes(i, o.Bins)})
		r.touch(name)
	}
	r.targets.Signed.Delegations = d
	r.touch(metadata.TARGETS)
	return nil
}

func (o *InitOptions) keysOf(role string) []key.Public {
	if keys := o.Roles[role]; len(keys) > 0 {
		return keys
	}
	return o.Default
}
