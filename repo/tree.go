package repo

import (
	"fmt"
	"io"

	"sandbox/manifest"
)

// EntryType is one of the three things that a bundle holds. The zero value is
// none of them.
type EntryType byte

const (
	Dir EntryType = iota + 1
	File
	Link
)

// Entry is one name of a tree.
type Entry struct {
	Path   string // slash-separated, below the bundle's directory
	Type   EntryType
	Object Digest // of a file's content; zero when it is empty
	Size   int64  // of a file
	Exec   bool   // of a file: mode 0755 instead of 0644
	Target string // of a link
}

// Tree is the content of a bundle: the same bundle is the same tree, whichever
// release or channel it goes into. Its digest is that of its stored bytes.
type Tree struct {
	Kind    manifest.Kind
	ID      manifest.ID
	Arch    string
	Version string
	Runtime string  // ID/CHANNEL, or empty
	TOML    []byte  // of sandbox.toml, which is not among the entries
	Files   int     // regular files among the entries
	Size    int64   // bytes of all of them
	Entries []Entry // by path, in the order of bytes
}

// Limits of a tree.
const (
	MaxTree    = 64 << 20 // stored bytes
	MaxEntries = 400_000
)

// Ref is where the tree belongs in a channel.
func (t *Tree) Ref(channel string) Ref { return Ref{t.Kind, t.ID, t.Arch, channel} }

// Manifest parses TOML: what is shown and enforced comes from the same bytes.
func (t *Tree) Manifest() (*manifest.Manifest, error) {
	return manifest.Parse(manifest.FileName, t.TOML)
}

var treeLimits = limits{MaxTree, 128 << 20}

const treeType = "sandbox-tree"

type treeHeader struct {
	Type    string `json:"type"`
	Format  int    `json:"format"`
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Arch    string `json:"arch"`
	Version string `json:"version"`
	Runtime string `json:"runtime"`
	TOML    string `json:"toml"`
	Files   int    `json:"files"`
	Size    int64  `json:"size"`
}

type treeLine struct {
	Path   string `json:"p"`
	Type   string `json:"t"`
	Object Digest `json:"o,omitzero"`
	Size   int64  `json:"s,omitempty"`
	Exec   bool   `json:"x,omitempty"`
	Target string `json:"l,omitempty"`
}

// EncodeTree gives the stored bytes. A tree that could not be read back is not
// written.
func EncodeTree(t *Tree) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("cannot write a tree: %w", err)
	}
	w := newLineWriter()
	w.line(treeHeader{treeType, Format, string(t.Kind), string(t.ID), t.Arch, t.Version, t.Runtime, string(t.TOML), t.Files, t.Size})
	for _, e := range t.Entries {
		w.line(treeLine{e.Path, entryLetters[e.Type], e.Object, e.Size, e.Exec, e.Target})
	}
	stored, err := w.stored(treeLimits)
	if err != nil {
		return nil, fmt.Errorf("cannot write a tree: %w", err)
	}
	return stored, nil
}

// DecodeTree reads stored bytes, whose digest the caller has compared. It
// refuses everything that a bundle directory could not hold or that could lead
// out of it, as a whole.
func DecodeTree(stored []byte) (*Tree, error) {
	t, err := decodeTree(stored)
	if err != nil {
		return nil, fmt.Errorf("cannot read tree: %w", err)
	}
	return t, nil
}

func decodeTree(stored []byte) (*Tree, error) {
	r, err := newLineReader(stored, treeLimits)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var h treeHeader
	if err := r.header(&h, func() error { return checkType(h.Type, h.Format, treeType) }); err != nil {
		return nil, err
	}
	t := &Tree{
		Kind: manifest.Kind(h.Kind), ID: manifest.ID(h.ID), Arch: h.Arch, Version: h.Version, Runtime: h.Runtime,
		TOML: []byte(h.TOML), Files: h.Files, Size: h.Size,
	}
	if err := t.checkHeader(); err != nil {
		return nil, err
	}
	w := t.walk()
	for {
		var l treeLine
		if err := r.next(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		e := Entry{l.Path, entryTypes[l.Type], l.Object, l.Size, l.Exec, l.Target}
		if err := w.entry(&e); err != nil {
			return nil, err
		}
		t.Entries = append(t.Entries, e)
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	return t, t.checkWhole()
}

var (
	entryLetters = map[EntryType]string{Dir: "d", File: "f", Link: "l"}
	entryTypes   = map[string]EntryType{"d": Dir, "f": File, "l": Link}
)
