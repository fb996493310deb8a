package trust

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/repo/repotest"
)

// FuzzMetadata reads foreign bytes as each kind of document. Whatever they are,
// nothing panics; and what passes says the same when the library writes it down
// again.
func FuzzMetadata(f *testing.F) {
	r := repotest.New()
	r.Delegations = []repotest.Delegation{{Name: "pub-ann", Patterns: []string{"app/org.example.*/*/*"}, Keys: []repotest.Key{repotest.NewKey("ann")}}}
	r.Release(repotest.App("org.example.Edit", "1.0"))
	r.Publish()
	for path, data := range r.Files {
		if bytes.HasSuffix([]byte(path), []byte(".json")) {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"signed":{"_type":"root","roles":null},"signatures":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ReadRoot(data)
		if m, err := parse(data, maxTimestamp, checkTimestamp); err == nil {
			m.ToBytes(false)
		}
		if m, err := parse(data, maxSnapshot, checkSnapshot); err == nil {
			m.ToBytes(false)
		}
		if m, err := parse(data, maxTargets, func(m *metadata.Metadata[metadata.TargetsType]) error { return checkTargets("targets", m) }); err == nil {
			again, err := m.ToBytes(false)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkShape(again); err != nil {
				t.Errorf("%v: %s", err, again)
			}
			for path, f := range m.Signed.Targets {
				readTarget("targets", path, f, 1<<20)
			}
		}
	})
}

// fixed is a source that answers everything with the same bytes.
type fixed []byte

func (f fixed) Fetch(context.Context, string, int64) ([]byte, error) { return f, nil }
func (f fixed) String() string                                       { return "fixed" }

// FuzzRefresh lets a repository answer everything with the same bytes, to one who
// trusts a good root.
func FuzzRefresh(f *testing.F) {
	r := repotest.New()
	r.Publish()
	root := r.Files["1.root.json"]
	f.Add(r.Files["timestamp.json"])
	f.Add(root)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := New(fixed(data), Options{Root: root, Now: func() time.Time { return r.Now }, NotFound: func(error) bool { return true }})
		if v.Refresh(t.Context()) == nil {
			t.Error("believed")
		}
	})
}
