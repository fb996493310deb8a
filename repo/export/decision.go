package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/strictjson"
)

// Decisions are what the user said about exports. They are kept apart from what
// is made of them.
type Decisions struct {
	Aliases     map[string]Target // by the name in PATH
	Completions []manifest.ID     // apps whose completions may run in the user's shell; sorted
}

// Target is what a name in PATH starts: the command called Command in the app's
// manifest, or its main command when Command is empty.
type Target struct {
	App     manifest.ID
	Command string
}

// String is ID:COMMAND, or ID for the main command.
func (t Target) String() string {
	if t.Command == "" {
		return string(t.App)
	}
	return string(t.App) + ":" + t.Command
}

const (
	decisionsName = "exports.json"
	maxDecisions  = 1 << 20
	maxAliases    = 4096
)

type decisionsFile struct {
	Format      int                   `json:"format"`
	Aliases     map[string]targetFile `json:"aliases"`
	Completions []string              `json:"completions"`
}

type targetFile struct {
	App     string `json:"app"`
	Command string `json:"command,omitempty"`
}

// LoadDecisions reads them; there are none where there is no file.
func LoadDecisions(p Place) (Decisions, error) {
	d := Decisions{Aliases: map[string]Target{}}
	path := filepath.Join(p.Config, decisionsName)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("cannot read what you decided on exports: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDecisions+1))
	if err == nil && len(data) > maxDecisions {
		err = errors.New("it is too large")
	}
	if err == nil {
		d, err = parseDecisions(data)
	}
	if err != nil {
		return Decisions{}, hint.With(fmt.Errorf("cannot read %s: %w", path, err), "correct it, or remove it to start without aliases")
	}
	return d, nil
}

func parseDecisions(data []byte) (Decisions, error) {
	d := Decisions{Aliases: map[string]Target{}}
	var file decisionsFile
	if err := strictjson.Unmarshal(data, &file); err != nil {
		return d, err
	}
	if file.Format != 1 {
		return d, fmt.Errorf("format %d is not known here", file.Format)
	}
	if len(file.Aliases) > maxAliases {
		return d, fmt.Errorf("more than %d aliases", maxAliases)
	}
	for name, t := range file.Aliases {
		id, err := manifest.ParseID(t.App)
		if err == nil {
			err = manifest.CheckCommandName(name)
		}
		if err == nil && t.Command != "" {
			err = manifest.CheckCommandName(t.Command)
		}
		if err != nil {
			return d, err
		}
		d.Aliases[name] = Target{id, t.Command}
	}
	for _, text := range file.Completions {
		id, err := manifest.ParseID(text)
		if err != nil {
			return d, err
		}
		d.Completions = append(d.Completions, id)
	}
	slices.Sort(d.Completions)
	d.Completions = slices.Compact(d.Completions)
	return d, nil
}

// Save replaces the file.
func (d Decisions) Save(p Place) error {
	file := decisionsFile{Format: 1, Aliases: map[string]targetFile{}, Completions: []string{}}
	for name, t := range d.Aliases {
		file.Aliases[name] = targetFile{string(t.App), t.Command}
	}
	for _, id := range d.Completions {
		file.Completions = append(file.Completions, string(id))
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err == nil {
		err = makeTop(p.Config, p.Mode)
	}
	if err == nil {
		err = disk.WriteFile(filepath.Join(p.Config, decisionsName), append(data, '\n'), p.Mode&0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot keep what you decided on exports: %w", err)
	}
	return nil
}

// makeTop makes one of the two directories of a place.
func makeTop(dir string, mode os.FileMode) error {
	if mode == 0o700 {
		return disk.PrivateDir(dir)
	}
	return os.MkdirAll(dir, mode)
}
