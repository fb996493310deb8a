package repo_test

// A reader of repositories, written from FORMAT.md with what everybody has: the
// standard library, zstd, Ed25519. TestReaderIsIndependent sees to that. It
// checks what protects a user (signatures, hashes, lengths, versions, dates) and
// leaves out what only keeps a hostile publisher from odd names.

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A source gives n bytes at off of a file, or all of it up to n when off is -1.
type source func(name string, off, n int64) ([]byte, error)

var errNotThere = errors.New("not there")

type reader struct {
	get         source
	now         time.Time
	fingerprint string // of the first root
}

type envelope struct {
	Signed     json.RawMessage `json:"signed"`
	Signatures []struct {
		KeyID string `json:"keyid"`
		Sig   string `json:"sig"`
	} `json:"signatures"`
}

type authority struct {
	KeyIDs    []string `json:"keyids"`
	Threshold int      `json:"threshold"`
}

type tufKey struct {
	Type   string `json:"keytype"`
	Scheme string `json:"scheme"`
	Value  struct {
		Public string `json:"public"`
	} `json:"keyval"`
}

type common struct {
	Type    string    `json:"_type"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

type rootRole struct {
	common
	Keys  map[string]tufKey    `json:"keys"`
	Roles map[string]authority `json:"roles"`
}

type listed struct {
	Version int64             `json:"version"`
	Length  int64             `json:"length"`
	Hashes  map[string]string `json:"hashes"`
}

type listRole struct {
	common
	Meta map[string]listed `json:"meta"`
}

type target struct {
	Length int64             `json:"length"`
	Hashes map[string]string `json:"hashes"`
	Custom json.RawMessage   `json:"custom"`
}

type targetsRole struct {
	common
	Targets     map[string]target `json:"targets"`
	Delegations struct {
		Keys  map[string]tufKey `json:"keys"`
		Roles []struct {
			Name string `json:"name"`
			authority
			Paths    []string `json:"paths"`
			Prefixes []string `json:"path_hash_prefixes"`
		} `json:"roles"`
	} `json:"delegations"`
}

// canonical is the form of JSON that is signed.
func canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	var write func(v any)
	text := func(s string) {
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	write = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			var keys []string
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			b.WriteByte('{')
			for i, k := range keys {
				if i > 0 {
					b.WriteByte(',')
				}
				text(k)
				b.WriteByte(':')
				write(v[k])
			}
			b.WriteByte('}')
		case []any:
			b.WriteByte('[')
			for i, e := range v {
				if i > 0 {
					b.WriteByte(',')
				}
				write(e)
			}
			b.WriteByte(']')
		case string:
			text(v)
		default:
			fmt.Fprint(&b, v)
		}
	}
	write(v)
	return b.Bytes(), nil
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// verify opens data when enough of the keys of a have signed it.
func verify(data []byte, a authority, keys map[string]tufKey, into any) error {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	text, err := canonical(e.Signed)
	if err != nil {
		return err
	}
	good := map[string]bool{}
	for _, s := range e.Signatures {
		key := keys[s.KeyID]
		public, _ := hex.DecodeString(key.Value.Public)
		sig, _ := hex.DecodeString(s.Sig)
		if slices.Contains(a.KeyIDs, s.KeyID) && key.Type == "ed25519" && key.Scheme == "ed25519" &&
			len(public) == ed25519.PublicKeySize && ed25519.Verify(public, text, sig) {
			good[key.Value.Public] = true
		}
	}
	if a.Threshold < 1 || len(good) < a.Threshold {
		return fmt.Errorf("%d of %d signatures", len(good), a.Threshold)
	}
	return json.Unmarshal(e.Signed, into)
}

func (r *reader) fresh(c common, kind string, version int64) error {
	switch {
	case c.Type != kind:
		return fmt.Errorf("%q is no %q", c.Type, kind)
	case c.Version != version && version != 0:
		return fmt.Errorf("%s is version %d, not %d", kind, c.Version, version)
	case r.now.After(c.Expires):
		return fmt.Errorf("%s has expired", kind)
	}
	return nil
}

// roots walks from the first root to the newest.
func (r *reader) roots() (*rootRole, error) {
	var root rootRole
	for n := int64(1); ; n++ {
		data, err := r.get(fmt.Sprintf("%d.root.json", n), -1, 512<<10)
		if errors.Is(err, errNotThere) && n > 1 {
			return &root, r.fresh(root.common, "root", n-1)
		}
		if err != nil {
			return nil, err
		}
		var e envelope
		var next rootRole
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(e.Signed, &next); err != nil {
			return nil, err
		}
		if n == 1 {
			text, err := canonical(e.Signed)
			if err != nil || "sha256:"+hash(text) != r.fingerprint {
				return nil, fmt.Errorf("the fingerprint is another (%v)", err)
			}
		} else if err := verify(data, root.Roles["root"], root.Keys, &next); err != nil {
			return nil, err
		}
		if err := verify(data, next.Roles["root"], next.Keys, &next); err != nil {
			return nil, err
		}
		if next.Type != "root" || next.Version != n {
			return nil, fmt.Errorf("%d.root.json is %q %d", n, next.Type, next.Version)
		}
		root = next
	}
}

func (r *reader) checked(name string, length int64, sha string) ([]byte, error) {
	data, err := r.get(name, -1, length)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != length || hash(data) != sha {
		return nil, fmt.Errorf("%s is not what was signed", name)
	}
	return data, nil
}

// find gives the target of that name.
func (r *reader) find(name string) (*target, error) {
	root, err := r.roots()
	if err != nil {
		return nil, err
	}
	data, err := r.get("timestamp.json", -1, 16<<10)
	if err != nil {
		return nil, err
	}
	var timestamp, snapshot listRole
	if err := verify(data, root.Roles["timestamp"], root.Keys, &timestamp); err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	if err := r.fresh(timestamp.common, "timestamp", 0); err != nil {
		return nil, err
	}
	m := timestamp.Meta["snapshot.json"]
	if data, err = r.checked(fmt.Sprintf("meta/%d.snapshot.json", m.Version), m.Length, m.Hashes["sha256"]); err != nil {
		return nil, err
	}
	if err := verify(data, root.Roles["snapshot"], root.Keys, &snapshot); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := r.fresh(snapshot.common, "snapshot", m.Version); err != nil {
		return nil, err
	}
	role := func(name string, a authority, keys map[string]tufKey) (*targetsRole, error) {
		m, ok := snapshot.Meta[name+".json"]
		if !ok {
			return &targetsRole{}, nil
		}
		data, err := r.checked(fmt.Sprintf("meta/%d.%s.json", m.Version, name), m.Length, m.Hashes["sha256"])
		if err != nil {
			return nil, err
		}
		var t targetsRole
		if err := verify(data, a, keys, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return &t, r.fresh(t.common, "targets", m.Version)
	}
	top, err := role("targets", root.Roles["targets"], root.Keys)
	if err != nil {
		return nil, err
	}
	for _, d := range top.Delegations.Roles {
		matches := slices.ContainsFunc(d.Paths, func(p string) bool { ok, _ := path.Match(p, name); return ok }) ||
			slices.ContainsFunc(d.Prefixes, func(p string) bool { return strings.HasPrefix(hash([]byte(name)), p) })
		if !matches {
			continue
		}
		t, err := role(d.Name, d.authority, top.Delegations.Keys)
		if err != nil {
			return nil, err
		}
		if found, ok := t.Targets[name]; ok {
			return &found, nil
		}
		break
	}
	return nil, fmt.Errorf("%s: %w", name, errNotThere)
}

type release struct {
	V       int    `json:"v"`
	Version string `json:"version"`
	N       uint64 `json:"n"`
	Locator struct {
		SHA256 string `json:"sha256"`
		Length int64  `json:"length"`
	} `json:"locator"`
	Runtime        string `json:"runtime"`
	Download       int64  `json:"download"`
	Installed      int64  `json:"installed"`
	Time           string `json:"time"`
	Permissions    string `json:"permissions"`
	PermissionText string `json:"permission_text"`
	EOL            string `json:"eol"`
	ReplacedBy     string `json:"replaced_by"`
	Publisher      struct {
		Key string `json:"key"`
		Sig string `json:"sig"`
	} `json:"publisher"`
	Deltas []any `json:"deltas"`
}

// release reads what the name stands for, and checks the publisher's word.
func (r *reader) release(name string) (*release, *target, error) {
	t, err := r.find(name)
	if err != nil {
		return nil, nil, err
	}
	var rel release
	d := json.NewDecoder(bytes.NewReader(t.Custom))
	d.DisallowUnknownFields()
	if err := d.Decode(&rel); err != nil {
		return nil, nil, err
	}
	ref, _, _ := strings.Cut(name, "@")
	key, _ := base64.StdEncoding.DecodeString(rel.Publisher.Key)
	sig, _ := base64.StdEncoding.DecodeString(rel.Publisher.Sig)
	text := fmt.Sprintf("sandbox-release-1\n%s\n%d\n%s\n", ref, rel.N, t.Hashes["sha256"])
	switch {
	case rel.V != 1:
		return nil, nil, fmt.Errorf("v is %d", rel.V)
	case len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(text), sig):
		return nil, nil, errors.New("the publisher has not signed this")
	case hash([]byte(rel.PermissionText)) != rel.Permissions:
		return nil, nil, errors.New("the permissions are others")
	}
	return &rel, t, nil
}

// lines opens a document of lines; each is given to use, but for the header.
func lines(stored []byte, kind string, header any, use func(line []byte) error) error {
	z, err := zstd.NewReader(bytes.NewReader(stored), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	in := bufio.NewReader(io.LimitReader(z, 128<<20))
	for n := 0; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 && n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			if err := use(line); err != nil {
				return fmt.Errorf("line %d: %w", n+1, err)
			}
			continue
		}
		var h struct {
			Type   string `json:"type"`
			Format int    `json:"format"`
		}
		if err := json.Unmarshal(line, &h); err != nil {
			return err
		}
		if h.Type != kind || h.Format != 1 {
			return fmt.Errorf("it is %q of format %d", h.Type, h.Format)
		}
		if err := strict(line, header); err != nil {
			return err
		}
	}
}

func strict(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

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

type treeEntry struct {
	P string `json:"p"`
	T string `json:"t"`
	O string `json:"o"`
	S int64  `json:"s"`
	X bool   `json:"x"`
	L string `json:"l"`
}

type pack struct {
	Pack   string `json:"pack"`
	Length int64  `json:"length"`
}

type frame struct {
	K    int   `json:"k"`
	Off  int64 `json:"off"`
	CLen int64 `json:"clen"`
	ULen int64 `json:"ulen"`

	pieces []piece
}

type piece struct {
	O     string `json:"o"`
	At    int64  `json:"at"`
	Len   int64  `json:"len"`
	Part  int    `json:"part"`
	Parts int    `json:"parts"`
}

// checkout writes the bundle that name stands for into dir.
func (r *reader) checkout(name, dir string) (*release, error) {
	rel, t, err := r.release(name)
	if err != nil {
		return nil, err
	}
	sha := t.Hashes["sha256"]
	stored, err := r.checked("man/"+sha[:2]+"/"+sha, t.Length, sha)
	if err != nil {
		return nil, err
	}
	var head treeHeader
	var entries []treeEntry
	err = lines(stored, "sandbox-tree", &head, func(line []byte) error {
		var e treeEntry
		if err := strict(line, &e); err != nil {
			return err
		}
		if len(entries) > 0 && e.P <= entries[len(entries)-1].P {
			return errors.New("not in order")
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	parts := strings.Split(strings.Split(name, "@")[0], "/")
	if head.Kind != parts[0] || head.ID != parts[1] || head.Arch != parts[2] || head.Version != rel.Version || head.Size != rel.Installed {
		return nil, fmt.Errorf("the tree is %+v", head)
	}
	objects, err := r.objects(rel)
	if err != nil {
		return nil, err
	}
	return rel, write(dir, head, entries, objects)
}

// objects fetches and unpacks everything that the locator lists.
func (r *reader) objects(rel *release) (map[string][]byte, error) {
	sha := rel.Locator.SHA256
	stored, err := r.checked("loc/"+sha[:2]+"/"+sha, rel.Locator.Length, sha)
	if err != nil {
		return nil, err
	}
	var packs []pack
	var frames []*frame
	var head struct {
		Type   string `json:"type"`
		Format int    `json:"format"`
	}
	err = lines(stored, "sandbox-locator", &head, func(line []byte) error {
		switch {
		case bytes.HasPrefix(line, []byte(`{"pack":`)):
			packs = append(packs, pack{})
			return strict(line, &packs[len(packs)-1])
		case bytes.HasPrefix(line, []byte(`{"k":`)):
			frames = append(frames, &frame{})
			return strict(line, frames[len(frames)-1])
		}
		var p piece
		if len(frames) == 0 {
			return errors.New("an object without a frame")
		}
		f := frames[len(frames)-1]
		err := strict(line, &p)
		f.pieces = append(f.pieces, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	objects := map[string][]byte{}
	total := int64(0)
	for _, f := range frames {
		sha := packs[f.K].Pack
		packed, err := r.get("pack/"+sha[:2]+"/"+sha, f.Off, f.CLen)
		if err != nil {
			return nil, err
		}
		plain, err := z.DecodeAll(packed, nil)
		if err != nil {
			return nil, err
		}
		if int64(len(plain)) != f.ULen {
			return nil, fmt.Errorf("a frame of %d bytes, not %d", len(plain), f.ULen)
		}
		for _, p := range f.pieces {
			objects[p.O] = append(objects[p.O], plain[p.At:p.At+p.Len]...)
		}
		total += f.CLen
	}
	if total != rel.Download {
		return nil, fmt.Errorf("%d bytes to download, not %d", total, rel.Download)
	}
	for sha, b := range objects {
		if hash(b) != sha {
			return nil, fmt.Errorf("object %s is another", sha)
		}
	}
	return objects, nil
}

func write(dir string, head treeHeader, entries []treeEntry, objects map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	file := func(name string, data []byte, mode os.FileMode) error {
		if err := root.WriteFile(name, data, mode); err != nil {
			return err
		}
		return root.Chmod(name, mode)
	}
	if err := file("sandbox.toml", []byte(head.TOML), 0o644); err != nil {
		return err
	}
	files, size := 0, int64(0)
	for _, e := range entries {
		switch e.T {
		case "d":
			if err = root.Mkdir(e.P, 0o755); err == nil {
				err = root.Chmod(e.P, 0o755)
			}
		case "l":
			err = root.Symlink(e.L, e.P)
		case "f":
			mode := os.FileMode(0o644)
			if e.X {
				mode = 0o755
			}
			data, ok := objects[e.O]
			if int64(len(data)) != e.S || !ok && e.S > 0 {
				return fmt.Errorf("%s has %d bytes, not %d", e.P, len(data), e.S)
			}
			err = file(e.P, data, mode)
			files++
			size += e.S
		default:
			err = fmt.Errorf("%s is of type %q", e.P, e.T)
		}
		if err != nil {
			return err
		}
	}
	if files != head.Files || size != head.Size {
		return fmt.Errorf("%d files of %d bytes, not %d of %d", files, size, head.Files, head.Size)
	}
	return nil
}

type catalogueRow struct {
	Ref         string `json:"ref"`
	N           uint64 `json:"n"`
	Version     string `json:"version"`
	Name        string `json:"name"`
	Summary     string `json:"summary"`
	License     string `json:"license"`
	Homepage    string `json:"homepage"`
	Permissions string `json:"permissions"`
	Installed   int64  `json:"installed"`
	Download    int64  `json:"download"`
	Icon        string `json:"icon"`
}

func (r *reader) catalogue(arch string) ([]catalogueRow, error) {
	t, err := r.find("catalogue/" + arch)
	if err != nil {
		return nil, err
	}
	stored, err := r.checked("cat/"+t.Hashes["sha256"], t.Length, t.Hashes["sha256"])
	if err != nil {
		return nil, err
	}
	var rows []catalogueRow
	var head struct {
		Type   string `json:"type"`
		Format int    `json:"format"`
	}
	return rows, lines(stored, "sandbox-catalogue", &head, func(line []byte) error {
		var row catalogueRow
		err := strict(line, &row)
		rows = append(rows, row)
		return err
	})
}
