package repotest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"sandbox/manifest"
	"sandbox/repo"
)

// Bundle is the content of a release.
type Bundle struct {
	Kind    string // "app" where empty
	ID      string
	Version string
	Channel string // "stable" where empty
	Arch    string // this machine's where empty
	Runtime string
	TOML    string // more of sandbox.toml
	Files   map[string]string
	Exec    map[string]bool
	Links   map[string]string

	EOL, ReplacedBy string
}

// App is a small bundle that passes every check.
func App(id, version string) Bundle {
	return Bundle{ID: id, Version: version, TOML: "command = \"tool\"\n",
		Files: map[string]string{"files/bin/tool": "#!/bin/sh\necho " + version + "\n", "files/share/doc/README": "the same in every version of " + id + "\n"},
		Exec:  map[string]bool{"files/bin/tool": true}}
}

// With adds lines to the manifest.
func (b Bundle) With(lines string) Bundle {
	b.TOML += lines
	return b
}

// File adds a file.
func (b Bundle) File(name, content string) Bundle {
	b.Files = maps.Clone(b.Files)
	b.Files[name] = content
	return b
}

func (b Bundle) toml() []byte {
	var t bytes.Buffer
	fmt.Fprintf(&t, "id = %q\nversion = %q\nsummary = \"A test\"\n", b.ID, b.Version)
	fmt.Fprintf(&t, "arch = [%q]\n", b.Ref().Arch)
	if b.Kind != "" && b.Kind != "app" {
		fmt.Fprintf(&t, "kind = %q\n", b.Kind)
	}
	if b.Channel != "" {
		fmt.Fprintf(&t, "channel = %q\n", b.Channel)
	}
	if b.Runtime != "" {
		fmt.Fprintf(&t, "runtime = %q\n", b.Runtime)
	}
	t.WriteString(b.TOML)
	return t.Bytes()
}

// Ref is where the bundle is released.
func (b Bundle) Ref() repo.Ref {
	r := repo.Ref{Kind: manifest.App, ID: manifest.ID(b.ID), Arch: repo.HostArch(), Channel: "stable"}
	if b.Kind != "" {
		r.Kind = manifest.Kind(b.Kind)
	}
	if b.Channel != "" {
		r.Channel = b.Channel
	}
	if b.Arch != "" {
		r.Arch = b.Arch
	}
	return r
}

// Tree is what is deployed.
func (b Bundle) Tree() *repo.Tree {
	m, err := manifest.Parse("sandbox.toml", b.toml())
	if err != nil {
		panic(err)
	}
	t := &repo.Tree{Kind: m.Kind, ID: m.ID, Arch: b.Ref().Arch, Version: m.Version, Runtime: m.Runtime.String(), TOML: b.toml()}
	dirs := map[string]bool{"files": true}
	add := func(name string) {
		for d := path.Dir(name); d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	for name, content := range b.Files {
		e := repo.Entry{Path: name, Type: repo.File, Size: int64(len(content)), Exec: b.Exec[name]}
		if content != "" {
			e.Object = repo.Sum([]byte(content))
		}
		t.Entries = append(t.Entries, e)
		t.Files++
		t.Size += e.Size
		add(name)
	}
	for name, target := range b.Links {
		t.Entries = append(t.Entries, repo.Entry{Path: name, Type: repo.Link, Target: target})
		add(name)
	}
	for d := range dirs {
		t.Entries = append(t.Entries, repo.Entry{Path: d, Type: repo.Dir})
	}
	slices.SortFunc(t.Entries, func(a, b repo.Entry) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return t
}

const (
	groupSize = 256 << 10
	partSize  = 64 << 20
)

// Pack stores the objects of a bundle in one pack of frames.
func (r *Repo) Pack(b Bundle) ([]byte, *repo.Locator) {
	packed, l := b.pack()
	if len(packed) > 0 {
		r.Files[repo.PackPath(l.Packs[0].Digest)] = packed
	}
	return packed, l
}

// Zstd compresses bytes as one frame.
func Zstd(plain []byte) []byte {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err)
	}
	return e.EncodeAll(plain, nil)
}

// pack writes the objects of a bundle into one pack of frames.
func (b Bundle) pack() ([]byte, *repo.Locator) {
	var packed []byte
	l := &repo.Locator{}
	seen := map[string]bool{}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err)
	}
	frame := func(plain []byte, pieces []repo.Piece) {
		if len(plain) == 0 {
			return
		}
		c := e.EncodeAll(plain, nil)
		l.Frames = append(l.Frames, repo.Frame{Offset: int64(len(packed)), CLen: int64(len(c)), ULen: int64(len(plain)), Objects: pieces})
		packed = append(packed, c...)
	}
	var plain []byte
	var pieces []repo.Piece
	flush := func() { frame(plain, pieces); plain, pieces = nil, nil }
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		content := []byte(b.Files[name])
		if len(content) == 0 || seen[b.Files[name]] {
			continue
		}
		seen[b.Files[name]] = true
		sum := repo.Sum(content)
		if len(content) >= groupSize {
			flush()
			parts := (len(content) + partSize - 1) / partSize
			for i := range parts {
				part := content[i*partSize : min((i+1)*partSize, len(content))]
				p := repo.Piece{Object: sum, Len: int64(len(part))}
				if parts > 1 {
					p.Part, p.Parts = i+1, parts
				}
				frame(part, []repo.Piece{p})
			}
			continue
		}
		if len(plain)+len(content) > groupSize {
			flush()
		}
		pieces = append(pieces, repo.Piece{Object: sum, Off: int64(len(plain)), Len: int64(len(content))})
		plain = append(plain, content...)
	}
	flush()
	if len(packed) > 0 {
		l.Packs = []repo.PackInfo{{Digest: repo.Sum(packed), Length: int64(len(packed))}}
	}
	return packed, l
}

// Release puts a bundle into the repository as the next release of its ref; it
// is there after the next Publish. The target may be bent before that.
func (r *Repo) Release(b Bundle) Doc {
	ref := b.Ref()
	r.Releases[ref.String()]++
	t := r.Target(b, r.Releases[ref.String()])
	where := r.responsible(ref)
	if old := where[ref.String()]; old != nil {
		where[ref.At(r.Releases[ref.String()]-1)] = old
	}
	where[ref.String()] = t
	return t
}

// responsible are the targets of the first publisher whose pattern fits.
func (r *Repo) responsible(ref repo.Ref) map[string]Doc {
	for i := range r.Delegations {
		for _, p := range r.Delegations[i].Patterns {
			if ok, _ := path.Match(p, ref.String()); ok {
				if r.Delegations[i].Targets == nil {
					r.Delegations[i].Targets = map[string]Doc{}
				}
				return r.Delegations[i].Targets
			}
		}
	}
	return r.Targets
}

// Target stores a bundle's files and returns the target that names them as
// release n.
func (r *Repo) Target(b Bundle, n uint64) Doc {
	ref := b.Ref()
	tree := b.Tree()
	stored, err := repo.EncodeTree(tree)
	if err != nil {
		panic(err)
	}
	r.Trees[ref.String()] = tree
	packed, l := r.Pack(b)
	locator, err := repo.EncodeLocator(l)
	if err != nil {
		panic(err)
	}
	r.Files[repo.LocatorPath(repo.Sum(locator))] = locator
	m, err := tree.Manifest()
	if err != nil {
		panic(err)
	}
	text := repo.PermissionText(m)
	runtime := ""
	if !(m.Runtime == manifest.RuntimeRef{}) {
		runtime = repo.Ref{Kind: manifest.Runtime, ID: m.Runtime.ID, Arch: ref.Arch, Channel: m.Runtime.Channel}.String()
	}
	r.Rows = slices.DeleteFunc(r.Rows, func(row repo.CatalogueRow) bool { return row.Ref == ref })
	r.Rows = append(r.Rows, repo.CatalogueRow{Ref: ref, N: n, Version: b.Version, Name: m.Name, Summary: m.Summary,
		Permissions: repo.Sum([]byte(text)), Installed: tree.Size, Download: int64(len(packed))})
	signed := repo.Release{Ref: ref, N: n, Tree: repo.Sum(stored)}.SignedText()
	return r.Add(repo.TreePath, stored, Doc{
		"v": 1, "version": b.Version, "n": n,
		"locator": Doc{"sha256": repo.Sum(locator).String(), "length": len(locator)},
		"runtime": runtime, "download": len(packed), "installed": tree.Size,
		"time": r.Now.Format(time.RFC3339), "permissions": repo.Sum([]byte(text)).String(), "permission_text": text,
		"eol": b.EOL, "replaced_by": b.ReplacedBy, "deltas": []any{},
		"publisher": Doc{"key": base64.StdEncoding.EncodeToString(r.Publisher.Public()), "sig": base64.StdEncoding.EncodeToString(r.Publisher.Sign(signed))},
	})
}

// Replace gives a target another tree and locator, as somebody who may sign
// would.
func (r *Repo) Replace(target Doc, ref repo.Ref, n uint64, t *repo.Tree, l *repo.Locator) {
	stored, err := repo.EncodeTree(t)
	if err != nil {
		panic(err)
	}
	locator, err := repo.EncodeLocator(l)
	if err != nil {
		panic(err)
	}
	r.Files[repo.TreePath(repo.Sum(stored))] = stored
	r.Files[repo.LocatorPath(repo.Sum(locator))] = locator
	target["length"], target["hashes"] = len(stored), Doc{"sha256": repo.Sum(stored).String()}
	custom := target["custom"].(Doc)
	custom["locator"] = Doc{"sha256": repo.Sum(locator).String(), "length": len(locator)}
	custom["installed"] = t.Size
	r.Resign(target, ref, n)
}

// Resign puts the publisher's signature over what a target names now.
func (r *Repo) Resign(target Doc, ref repo.Ref, n uint64) {
	tree, err := repo.ParseDigest(target["hashes"].(Doc)["sha256"].(string))
	if err != nil {
		panic(err)
	}
	text := repo.Release{Ref: ref, N: n, Tree: tree}.SignedText()
	target["custom"].(Doc)["publisher"].(Doc)["sig"] = base64.StdEncoding.EncodeToString(r.Publisher.Sign(text))
}

// Put gives a target other bytes to name.
func (r *Repo) Put(target Doc, data []byte) {
	r.Files[repo.TreePath(repo.Sum(data))] = data
	target["length"], target["hashes"] = len(data), Doc{"sha256": repo.Sum(data).String()}
}
