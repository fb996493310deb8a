package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/strictjson"
)

// File is a .sandboxremote: an address with the root to trust there. It is
// as good as the way it came.
type File struct {
	Address Address // none, when its operator has not said
	Title   string
	Root    []byte // root.json, not yet looked at
}

// FileSuffix is how such files are named.
const FileSuffix = ".sandboxremote"

const maxRemoteFile = 1 << 20

// ReadFile reads a .sandboxremote.
func ReadFile(path string) (*File, error) {
	data, err := disk.ReadFile(path, maxRemoteFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	f, err := ParseFile(data)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read %q: %w", path, err), "was it made by 'sandbox repo init'?")
	}
	return f, nil
}

// ParseFile reads the text of a .sandboxremote.
func ParseFile(data []byte) (*File, error) {
	var raw struct {
		Version int             `json:"sandboxremote"`
		URL     string          `json:"url"`
		Title   string          `json:"title"`
		Root    json.RawMessage `json:"root"`
	}
	if err := strictjson.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	if raw.Version != 1 {
		return nil, fmt.Errorf("its version is %d and this program knows 1", raw.Version)
	}
	var address Address
	if err := address.UnmarshalText([]byte(raw.URL)); err != nil {
		return nil, err
	}
	if len(raw.Root) == 0 || len(raw.Title) > 200 {
		return nil, errors.New("it holds no root, or its title is too long")
	}
	return &File{address, raw.Title, raw.Root}, nil
}

// Encode writes the text of a .sandboxremote.
func (f *File) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(map[string]any{"sandboxremote": 1, "url": f.Address.String(), "title": f.Title, "root": json.RawMessage(f.Root)})
	return b.Bytes(), err
}

// IsFile tells whether an argument of 'remote add' names such a file.
func IsFile(arg string) bool {
	st, err := os.Stat(arg)
	return err == nil && st.Mode().IsRegular()
}
