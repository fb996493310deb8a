package remote

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/strictjson"
)

// Remote is a configured repository.
type Remote struct {
	Name     string    `json:"name"`
	Address  Address   `json:"url"` // none: only single-file bundles come from it
	Title    string    `json:"title,omitempty"`
	Root     string    `json:"fingerprint"` // of the first root: "sha256:" and hex
	Priority int       `json:"priority"`    // the higher goes first
	Allow    []Pattern `json:"allow,omitempty"`
	Deny     []Pattern `json:"deny,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Added    time.Time `json:"added"`
}

// configFile is a Remote as it is stored.
type configFile struct {
	Format   int       `json:"format"`
	Name     string    `json:"name"`
	Address  Address   `json:"url"`
	Title    string    `json:"title,omitempty"`
	Root     string    `json:"fingerprint"`
	Priority int       `json:"priority"`
	Allow    []Pattern `json:"allow,omitempty"`
	Deny     []Pattern `json:"deny,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Added    time.Time `json:"added"`
}

func fileOf(r Remote) configFile {
	return configFile{configFormat, r.Name, r.Address, r.Title, r.Root, r.Priority, r.Allow, r.Deny, r.Disabled, r.Added}
}

func (f configFile) remote() *Remote {
	return &Remote{f.Name, f.Address, f.Title, f.Root, f.Priority, f.Allow, f.Deny, f.Disabled, f.Added}
}

const (
	configName    = "remote.json"
	configFormat  = 1
	maxConfigSize = 64 << 10
	// MaxPriority bounds priorities on both sides of zero.
	MaxPriority = 1000
)

// CheckName tells whether a name may be that of a remote: lower-case letters,
// digits and "-", beginning with a letter. It is the name of a directory.
func CheckName(name string) error {
	ok := len(name) > 0 && len(name) <= 32 && name[0] >= 'a' && name[0] <= 'z'
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return hint.With(fmt.Errorf("cannot use %q as the name of a remote", name), "lower-case letters, digits and '-', 32 at most, beginning with a letter")
	}
	return nil
}

// CheckFingerprint tells whether text is the fingerprint of a root.
func CheckFingerprint(text string) error {
	hex := ""
	if n := len("sha256:"); len(text) == n+64 && text[:n] == "sha256:" {
		hex = text[n:]
	}
	ok := hex != ""
	for i := range len(hex) {
		ok = ok && (hex[i] >= '0' && hex[i] <= '9' || hex[i] >= 'a' && hex[i] <= 'f')
	}
	if !ok {
		return hint.With(fmt.Errorf("cannot use %q as a fingerprint", text), "it is sha256: and 64 hexadecimal digits; the operator of the repository tells it")
	}
	return nil
}

// Set is the remotes of one store, in a directory that may not exist yet.
type Set struct{ dir string }

// In returns the set of the store in storeDir.
func In(storeDir string) Set { return Set{filepath.Join(storeDir, "remotes")} }

// Dir is where a remote and its trust are kept.
func (s Set) Dir(name string) string { return filepath.Join(s.dir, name) }

// List returns all remotes, the highest priority first, then by name. What
// cannot be read is left out and is in the error; the rest is good.
func (s Set) List() ([]Remote, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the remotes: %w", err)
	}
	var all []Remote
	var problems []error
	for _, e := range entries {
		if !e.IsDir() || CheckName(e.Name()) != nil {
			continue
		}
		r, err := s.Get(e.Name())
		switch {
		case err == nil:
			all = append(all, *r)
		case !errors.Is(err, ErrNoRemote): // being added or removed
			problems = append(problems, err)
		}
	}
	slices.SortFunc(all, func(a, b Remote) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	return all, errors.Join(problems...)
}

// Get reads one remote.
func (s Set) Get(name string) (*Remote, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(s.Dir(name), configName)
	data, err := disk.ReadFile(path, maxConfigSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("%w: %q", ErrNoRemote, name), "see 'sandbox remote list'")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the remote %q: %w", name, err)
	}
	var stored configFile
	err = strictjson.Unmarshal(data, &stored)
	switch {
	case err != nil:
	case stored.Format != configFormat:
		err = fmt.Errorf("its format is %d and this program knows %d", stored.Format, configFormat)
	case stored.Name != name:
		err = fmt.Errorf("it calls itself %q", stored.Name)
	default:
		err = CheckFingerprint(stored.Root)
	}
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read %q: %w", path, err), "remove the remote and add it again")
	}
	return stored.remote(), nil
}

// Put writes a remote, new or changed.
func (s Set) Put(r Remote) error {
	if err := errors.Join(CheckName(r.Name), CheckFingerprint(r.Root)); err != nil {
		return err
	}
	if r.Priority < -MaxPriority || r.Priority > MaxPriority {
		return fmt.Errorf("cannot use the priority %d: it lies between %d and %d", r.Priority, -MaxPriority, MaxPriority)
	}
	data, err := json.MarshalIndent(fileOf(r), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir(r.Name), 0o755); err != nil {
		return fmt.Errorf("cannot write the remote %q: %w", r.Name, err)
	}
	if err := disk.WriteFile(filepath.Join(s.Dir(r.Name), configName), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the remote %q: %w", r.Name, err)
	}
	return disk.SyncDir(s.dir)
}

// Remove forgets a remote and what was known of it. The configuration goes
// first, so that a removal that was cut short is not half a remote.
func (s Set) Remove(name string) error {
	if _, err := s.Get(name); errors.Is(err, ErrNoRemote) || CheckName(name) != nil {
		return err
	}
	dir := s.Dir(name)
	if err := os.Remove(filepath.Join(dir, configName)); err != nil {
		return fmt.Errorf("cannot remove the remote %q: %w", name, err)
	}
	if err := disk.SyncDir(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
