package key

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

// Dir is where keys that were given a name only are kept.
func Dir(d disk.Dirs) string { return filepath.Join(d.Config, "keys") }

// Ring finds keys. The zero value finds those that are named by a path and
// stand open.
type Ring struct {
	Dir   string // where keys are looked up by name
	Agent string // socket of the ssh-agent, "" for none
	Ask   Ask
}

const agentPrefix = "ssh:"

// Find returns the key that spec names:
//
//	NAME             NAME.key in the ring's directory
//	a path           with a slash or ending in .key: a key file
//	a path to .pub   the key in the agent whose public half the file holds
//	ssh:WORD         the key in the agent with that comment or fingerprint
func (r *Ring) Find(spec string) (Signer, error) {
	if word, ok := strings.CutPrefix(spec, agentPrefix); ok {
		return r.inAgent(word)
	}
	if strings.HasSuffix(spec, publicSuffix) {
		p, err := LoadPublic(spec)
		if err != nil {
			return nil, err
		}
		return r.inAgent(p.Fingerprint())
	}
	path, err := r.path(spec)
	if err != nil {
		return nil, err
	}
	f, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(err, "'sandbox key list' shows the keys there are, 'sandbox key create NAME' makes one")
	}
	if err != nil {
		return nil, err
	}
	return f.Signer(r.Ask), nil
}

func (r *Ring) path(spec string) (string, error) {
	if strings.ContainsRune(spec, '/') || strings.HasSuffix(spec, secretSuffix) {
		return spec, nil
	}
	if err := CheckName(spec); err != nil {
		return "", err
	}
	return filepath.Join(r.Dir, spec+secretSuffix), nil
}

// FindPublic returns the public half of the key that spec names, as Find does;
// a .pub file needs no agent, and a line of ssh stands for itself.
func (r *Ring) FindPublic(spec string) (Public, error) {
	if strings.HasPrefix(spec, algorithm+" ") {
		p, _, err := ParsePublic(spec)
		return p, err
	}
	if strings.HasSuffix(spec, publicSuffix) {
		return LoadPublic(spec)
	}
	s, err := r.Find(spec)
	if err != nil {
		return Public{}, err
	}
	return s.Public(), nil
}

func (r *Ring) inAgent(word string) (Signer, error) {
	keys, err := AgentKeys(r.Agent)
	if err != nil {
		return nil, err
	}
	var found []*AgentKey
	for _, k := range keys {
		if word == k.Comment || word == k.public.Fingerprint() {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, hint.With(fmt.Errorf("cannot find key %q in the ssh-agent, which holds %d plain Ed25519 keys", word, len(keys)), "'ssh-add -l' lists them; 'ssh-add FILE' adds one")
	}
	return nil, hint.With(fmt.Errorf("cannot choose between %d keys %q in the ssh-agent", len(found), word), "name the key by its fingerprint: ssh:%s", found[0].public.Fingerprint())
}

// Files lists the keys in the ring's directory. What cannot be read there is
// an error beside the list.
func (r *Ring) Files() ([]*File, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(r.Dir), "*"+secretSuffix))
	var files []*File
	problems := []error{err}
	for _, p := range paths {
		f, err := Load(p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		files = append(files, f)
	}
	return files, errors.Join(problems...)
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// All returns the keys of the directory and the agent, none opened: first those
// that need no passphrase, each once. What cannot be read is passed over: it is
// somebody's other key, or the agent is not there.
func (r *Ring) All() []Signer {
	var all []Signer
	if r.Agent != "" {
		keys, _ := AgentKeys(r.Agent)
		for _, k := range keys {
			all = append(all, k)
		}
	}
	if r.Dir != "" {
		files, _ := r.Files()
		for _, f := range files {
			all = append(all, f.Signer(r.Ask))
		}
	}
	slices.SortStableFunc(all, func(a, b Signer) int { return rank(a) - rank(b) })
	have := map[Public]bool{}
	return slices.DeleteFunc(all, func(s Signer) bool {
		was := have[s.Public()]
		have[s.Public()] = true
		return was
	})
}

func rank(s Signer) int {
	if Ready(s) {
		return 0
	}
	return 1
}

// LoadPublic reads the first line of a .pub file.
func LoadPublic(path string) (Public, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return Public{}, fmt.Errorf("cannot read the public key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return Public{}, fmt.Errorf("cannot read the public key: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	p, _, err := ParsePublic(line)
	if err != nil {
		return Public{}, fmt.Errorf("%q: %w", path, err)
	}
	return p, nil
}
