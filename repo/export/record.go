package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/strictjson"
)

// record is exports.json: every file we made, so that it can be told from what
// others put there. It names a file before the file is made.
type record struct {
	Format int                 `json:"format"`
	Files  map[string]recorded `json:"files"` // by path below Data
}

type recorded struct {
	App   manifest.ID `json:"app,omitempty"`   // empty for what is made of several
	Alias bool        `json:"alias,omitempty"` // a command name by the user's word
	Sums  []string    `json:"sums"`            // what it may hold: two while it is replaced
}

const maxRecord = 64 << 20

func loadRecord(p Place) (record, error) {
	r := record{Format: 1, Files: map[string]recorded{}}
	path := filepath.Join(p.Data, recordName)
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxRecord) {
		err = errors.New("it is not a file of ours")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err == nil {
		err = strictjson.Unmarshal(data, &r)
	}
	if err == nil && r.Format != 1 {
		err = fmt.Errorf("format %d is not known here", r.Format)
	}
	for path := range r.Files {
		if err == nil && !filepath.IsLocal(path) {
			err = fmt.Errorf("it names %q", path)
		}
	}
	if err != nil {
		return r, hint.With(fmt.Errorf("cannot read %s: %w", path, err), "remove it, and %s, %s and %s beside it: they are made again", binDir, commandDir, shareDir)
	}
	return r, nil
}

// owners are the default names in PATH and the apps that have them.
func (r record) owners() owned {
	o := owned{}
	for path, f := range r.Files {
		if dir, name := filepath.Split(path); dir == binDir+"/" && !f.Alias {
			o[name] = f.App
		}
	}
	return o
}

// with is the record while the files of next are being made.
func (r record) with(next record) record {
	both := record{Format: 1, Files: map[string]recorded{}}
	for path, f := range r.Files {
		both.Files[path] = f
	}
	for path, f := range next.Files {
		f.Sums = append(slices.Clone(f.Sums), both.Files[path].Sums...)
		slices.Sort(f.Sums)
		f.Sums = slices.Compact(f.Sums)
		both.Files[path] = f
	}
	return both
}

// A product is a file or link to be made.
type product struct {
	app   manifest.ID
	alias bool
	data  []byte
	link  string // target; a regular file when empty
}

// sum tells products apart: by content, or by where they lead.
func (p product) sum() string {
	if p.link != "" {
		return "->" + p.link
	}
	s := sha256.Sum256(p.data)
	return hex.EncodeToString(s[:])
}
