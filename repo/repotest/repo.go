package repotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sandbox/repo"
)

// Repo is a repository in memory. Change its fields, then Publish.
type Repo struct {
	Files map[string][]byte // what a server carries, by path
	Now   time.Time         // of the next Publish

	Keys      map[string][]Key // by role
	Threshold map[string]int   // of a role; 1 where it is missing
	Expiry    map[string]time.Duration
	Publisher Key // signs releases

	// Bend changes the signed part of a role's next document before it is signed,
	// Sign chooses other keys for it, Break changes the finished file.
	Bend  map[string]func(Doc)
	Sign  map[string][]Key
	Break map[string]func([]byte) []byte

	Delegations []Delegation          // in order; the bins follow
	Targets     map[string]Doc        // of bin-00, by path
	Direct      map[string]Doc        // of the targets themselves
	Rows        []repo.CatalogueRow   // of the catalogue of this machine's arch
	Versions    map[string]int64      // of each document, as published last
	Releases    map[string]uint64     // last number of each ref
	Trees       map[string]*repo.Tree // of each ref's last release
}

// Delegation is a publisher's role.
type Delegation struct {
	Name        string
	Patterns    []string
	Keys        []Key
	Threshold   int
	Open        bool // not terminating
	Targets     map[string]Doc
	Unpublished bool // named in the targets, but not in the snapshot
}

// Roles at the top.
const (
	Root      = "root"
	Targets   = "targets"
	Snapshot  = "snapshot"
	Timestamp = "timestamp"
	Bin       = "bin-00"
)

// Start is when the first repository of a test is published.
var Start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// New returns an empty repository; nothing is published yet.
func New() *Repo {
	r := &Repo{
		Files: map[string][]byte{}, Now: Start, Keys: map[string][]Key{}, Threshold: map[string]int{},
		Expiry:    map[string]time.Duration{Root: 365 * day, Targets: 365 * day, Snapshot: 90 * day, Bin: 90 * day, Timestamp: 14 * day},
		Publisher: NewKey("publisher"),
		Bend:      map[string]func(Doc){}, Sign: map[string][]Key{}, Break: map[string]func([]byte) []byte{},
		Targets: map[string]Doc{}, Direct: map[string]Doc{}, Versions: map[string]int64{},
		Releases: map[string]uint64{}, Trees: map[string]*repo.Tree{},
	}
	for _, role := range []string{Root, Targets, Snapshot, Timestamp, Bin} {
		r.Keys[role] = []Key{NewKey(role)}
	}
	r.Files["sandbox-repo.json"] = []byte(`{"format":1,"bins":1}`)
	return r
}

// Clone is a copy that can go another way.
func (r *Repo) Clone() *Repo {
	c := *r
	c.Files, c.Keys, c.Threshold, c.Expiry = maps.Clone(r.Files), maps.Clone(r.Keys), maps.Clone(r.Threshold), maps.Clone(r.Expiry)
	c.Bend, c.Sign, c.Break = maps.Clone(r.Bend), maps.Clone(r.Sign), maps.Clone(r.Break)
	c.Targets, c.Direct, c.Versions = maps.Clone(r.Targets), maps.Clone(r.Direct), maps.Clone(r.Versions)
	c.Releases, c.Trees = maps.Clone(r.Releases), maps.Clone(r.Trees)
	c.Delegations, c.Rows = slices.Clone(r.Delegations), slices.Clone(r.Rows)
	for i := range c.Delegations {
		c.Delegations[i].Targets = maps.Clone(c.Delegations[i].Targets)
	}
	return &c
}

// NewRoot publishes the next root, by the keys of the last one and its own.
func (r *Repo) NewRoot(old ...Key) {
	r.Versions[Root]++
	d := r.head(Root)
	d["consistent_snapshot"] = true
	roles := Doc{}
	for _, role := range []string{Root, Targets, Snapshot, Timestamp} {
		roles[role] = roleDoc(r.threshold(role), r.Keys[role])
	}
	d["roles"] = roles
	d["keys"] = keyDocs(r.Keys[Root], r.Keys[Targets], r.Keys[Snapshot], r.Keys[Timestamp])
	r.write(fmt.Sprintf("%d.root.json", r.Versions[Root]), Root, d, append(slices.Clone(old), r.Keys[Root]...))
}

// Publish writes new metadata of all roles; a root too when there is none.
func (r *Repo) Publish() {
	if r.Versions[Root] == 0 {
		r.NewRoot()
	}
	r.catalogue()
	meta := Doc{}
	for _, d := range r.Delegations {
		if !d.Unpublished {
			meta[d.Name+".json"] = r.role(d.Name, Doc{"targets": asDoc(d.Targets)}, d.Keys)
		}
	}
	meta[Bin+".json"] = r.role(Bin, Doc{"targets": asDoc(r.Targets)}, r.Keys[Bin])
	meta["targets.json"] = r.role(Targets, Doc{"targets": asDoc(r.Direct), "delegations": r.delegations()}, r.Keys[Targets])
	snapshot := r.role(Snapshot, Doc{"meta": meta}, r.Keys[Snapshot])
	r.Versions[Timestamp]++
	d := r.head(Timestamp)
	d["meta"] = Doc{"snapshot.json": snapshot}
	r.write("timestamp.json", Timestamp, d, r.Keys[Timestamp])
	clear(r.Bend)
	clear(r.Sign)
	clear(r.Break)
}

func (r *Repo) threshold(role string) int {
	if n, ok := r.Threshold[role]; ok {
		return n
	}
	return 1
}

func (r *Repo) head(role string) Doc {
	typ, life := role, r.Expiry[role]
	if role != Root && role != Snapshot && role != Timestamp {
		typ = Targets
	}
	if life == 0 {
		life = 90 * day
	}
	return Doc{"_type": typ, "spec_version": "1.0.31", "version": r.Versions[role], "expires": r.Now.Add(life).Format(time.RFC3339)}
}

// role writes a role's next document and says what the snapshot says of it.
func (r *Repo) role(name string, body Doc, keys []Key) Doc {
	r.Versions[name]++
	d := r.head(name)
	maps.Copy(d, body)
	data := r.write(fmt.Sprintf("meta/%d.%s.json", r.Versions[name], name), name, d, keys)
	return Doc{"version": r.Versions[name], "length": len(data), "hashes": Doc{"sha256": hash(data)}}
}

// write signs and stores a document. It returns the bytes as they were before
// Break: what the documents above it name.
func (r *Repo) write(path, role string, d Doc, keys []Key) []byte {
	if bend := r.Bend[role]; bend != nil {
		bend(d)
	}
	if other, ok := r.Sign[role]; ok {
		keys = other
	}
	data := Signed(d, keys...)
	r.Files[path] = data
	if change := r.Break[role]; change != nil {
		r.Files[path] = change(slices.Clone(data))
	}
	return data
}

func (r *Repo) delegations() Doc {
	var roles []any
	keys := Doc{}
	for _, d := range r.Delegations {
		role := roleDoc(max(d.Threshold, 1), d.Keys)
		role["name"], role["terminating"], role["paths"] = d.Name, !d.Open, asAny(d.Patterns)
		roles = append(roles, role)
		maps.Copy(keys, keyDocs(d.Keys))
	}
	bin := roleDoc(r.threshold(Bin), r.Keys[Bin])
	bin["name"], bin["terminating"], bin["path_hash_prefixes"] = Bin, true, []any{""}
	maps.Copy(keys, keyDocs(r.Keys[Bin]))
	return Doc{"keys": keys, "roles": append(roles, bin)}
}

func asDoc(m map[string]Doc) Doc {
	d := Doc{}
	for k, v := range m {
		d[k] = v
	}
	return d
}

func asAny(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// Add puts content under its path and returns the target that names it.
func (r *Repo) Add(path func(repo.Digest) string, data []byte, custom any) Doc {
	sum := repo.Sum(data)
	r.Files[path(sum)] = data
	t := Doc{"length": len(data), "hashes": Doc{"sha256": sum.String()}}
	if custom != nil {
		t["custom"] = custom
	}
	return t
}

func (r *Repo) catalogue() {
	if len(r.Rows) == 0 {
		return
	}
	slices.SortFunc(r.Rows, func(a, b repo.CatalogueRow) int { return bytes.Compare([]byte(a.Ref.String()), []byte(b.Ref.String())) })
	data, err := repo.EncodeCatalogue(r.Rows)
	if err != nil {
		panic(err)
	}
	r.Targets["catalogue/"+repo.HostArch()] = r.Add(repo.CataloguePath, data, nil)
}

// Fingerprint is that of the first root.
func (r *Repo) Fingerprint() string {
	var file struct {
		Signed Doc `json:"signed"`
	}
	d := json.NewDecoder(bytes.NewReader(r.Files["1.root.json"]))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		panic(err)
	}
	return "sha256:" + hash(canonical(file.Signed))
}

// Write lays the files out in a directory.
func (r *Repo) Write(t testing.TB, dir string) {
	t.Helper()
	for name, data := range r.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
