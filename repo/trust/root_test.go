package trust_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandbox/repo/repotest"
	"sandbox/repo/trust"
)

func TestRootRotation(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	// Two rotations at once: walked one by one.
	next := r.Clone()
	next.Keys["root"] = []repotest.Key{repotest.NewKey("root-2"), repotest.NewKey("root-3")}
	next.Threshold["root"] = 2
	next.NewRoot(repotest.NewKey("root"))
	next.Keys["timestamp"] = []repotest.Key{repotest.NewKey("timestamp-2")}
	next.NewRoot()
	next.Publish()
	u.src.of = next
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	// B44: what the withdrawn key signs counts no more.
	revoked := next.Clone()
	revoked.Sign["timestamp"] = []repotest.Key{repotest.NewKey("timestamp")}
	revoked.Publish()
	u.src.of = revoked
	if _, err := u.refresh(); !errors.Is(err, trust.ErrUnsigned) {
		t.Errorf("a withdrawn key: %v", err)
	}
	// Nor does hiding the new roots help.
	hidden := r.Clone()
	hidden.Versions["timestamp"] = 50
	hidden.Publish()
	u.src.of = hidden
	if _, err := u.refresh(); !errors.Is(err, trust.ErrUnsigned) {
		t.Errorf("the old root again: %v", err)
	}
	u.src.of = next
	if _, err := u.refresh(); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// Keys that said a version of a billion are withdrawn: users come back.
func TestFastForwardIsRepaired(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	ahead := r.Clone()
	ahead.Versions["timestamp"], ahead.Versions["snapshot"] = 1e9, 1e9
	ahead.Publish()
	u.src.of = ahead
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	u.src.of = next(r, "1.1")
	if _, err := u.refresh(); !errors.Is(err, trust.ErrRollback) {
		t.Fatal(err)
	}
	mended := r.Clone()
	mended.Keys["timestamp"] = []repotest.Key{repotest.NewKey("timestamp-2")}
	mended.Keys["snapshot"] = []repotest.Key{repotest.NewKey("snapshot-2")}
	mended.NewRoot()
	mended.Publish()
	u.src.of = mended
	if _, err := u.refresh(); err != nil {
		t.Error(err)
	}
}

// B11, B13 and what a root could say otherwise.
func TestRootFaults(t *testing.T) {
	role := func(d repotest.Doc, name string) repotest.Doc { return d["roles"].(repotest.Doc)[name].(repotest.Doc) }
	anyKey := func(d repotest.Doc) (id string, k repotest.Doc) {
		id = role(d, "timestamp")["keyids"].([]any)[0].(string)
		return id, d["keys"].(repotest.Doc)[id].(repotest.Doc)
	}
	for _, c := range []struct {
		name string
		bend func(d repotest.Doc)
		sign []repotest.Key
	}{
		{name: "threshold 0", bend: func(d repotest.Doc) { role(d, "timestamp")["threshold"] = 0 }},
		{name: "threshold -1", bend: func(d repotest.Doc) { role(d, "timestamp")["threshold"] = -1 }},
		{name: "threshold 2^31", bend: func(d repotest.Doc) { role(d, "timestamp")["threshold"] = int64(1) << 31 }},
		{name: "threshold 2^32+1", bend: func(d repotest.Doc) { role(d, "timestamp")["threshold"] = int64(1)<<32 + 1 }},
		{name: "threshold above the keys", bend: func(d repotest.Doc) { role(d, "timestamp")["threshold"] = 2 }},
		{name: "threshold 0 for root", bend: func(d repotest.Doc) { role(d, "root")["threshold"] = 0 }, sign: []repotest.Key{}},
		{name: "no threshold", bend: func(d repotest.Doc) { delete(role(d, "snapshot"), "threshold") }},
		{name: "no keys in a role", bend: func(d repotest.Doc) { role(d, "snapshot")["keyids"] = []any{} }},
		{name: "a key counted twice", bend: func(d repotest.Doc) {
			id, _ := anyKey(d)
			role(d, "timestamp")["keyids"], role(d, "timestamp")["threshold"] = []any{id, id}, 2
		}},
		{name: "one key under two names", bend: func(d repotest.Doc) {
			id, k := anyKey(d)
			d["keys"].(repotest.Doc)[strings.Repeat("ab", 32)] = k
			role(d, "timestamp")["keyids"], role(d, "timestamp")["threshold"] = []any{id, strings.Repeat("ab", 32)}, 2
		}},
		{name: "a key that is not there", bend: func(d repotest.Doc) { role(d, "timestamp")["keyids"] = []any{strings.Repeat("ab", 32)} }},
		{name: "a short key", bend: func(d repotest.Doc) { _, k := anyKey(d); k["keyval"] = repotest.Doc{"public": "abcd"} }},
		{name: "an empty key", bend: func(d repotest.Doc) { _, k := anyKey(d); k["keyval"] = repotest.Doc{} }},
		{name: "a key of another type", bend: func(d repotest.Doc) { _, k := anyKey(d); k["keytype"] = "rsa" }},
		{name: "a role that is missing", bend: func(d repotest.Doc) { delete(d["roles"].(repotest.Doc), "snapshot") }},
		{name: "a role too many", bend: func(d repotest.Doc) { d["roles"].(repotest.Doc)["mirror"] = role(d, "timestamp") }},
		{name: "no consistent snapshots", bend: func(d repotest.Doc) { d["consistent_snapshot"] = false }},
		{name: "a version that is skipped", bend: func(d repotest.Doc) { d["version"] = 3 }},
		{name: "the same version again", bend: func(d repotest.Doc) { d["version"] = 1 }},
		{name: "expired", bend: func(d repotest.Doc) { d["expires"] = "2020-01-01T00:00:00Z" }},
		{name: "signed only by the new keys", sign: []repotest.Key{repotest.NewKey("root-2")}},
		{name: "signed only by the old keys", sign: []repotest.Key{repotest.NewKey("root")}},
		{name: "signed by nobody", sign: []repotest.Key{}},
		{name: "signed by the timestamp", sign: []repotest.Key{repotest.NewKey("timestamp"), repotest.NewKey("root-2")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := simple()
			u := newUser(t, good)
			bad := good.Clone()
			bad.Keys["root"] = []repotest.Key{repotest.NewKey("root-2")}
			if c.bend != nil {
				bad.Bend["root"] = c.bend
			}
			if c.sign != nil {
				bad.Sign["root"] = c.sign
			}
			bad.NewRoot(repotest.NewKey("root"))
			bad.Publish()
			u.src.of = bad
			if _, err := u.refresh(); err == nil {
				t.Error("believed")
			}
			if c.name == "expired" {
				return // it was signed by those who may: what it withdrew stays withdrawn
			}
			u.src.of = good
			if _, err := u.refresh(); err != nil {
				t.Errorf("the good one after it: %v", err)
			}
		})
	}
	good := simple()
	u := newUser(t, good)
	good.Keys["root"] = []repotest.Key{repotest.NewKey("root-2")}
	good.NewRoot(repotest.NewKey("root"))
	good.Publish()
	if _, err := u.refresh(); err != nil {
		t.Errorf("signed by old and new: %v", err)
	}
}

func TestRootJump(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	for range 2 {
		r.NewRoot()
	}
	r.Publish()
	three := r.Files["3.root.json"]
	delete(r.Files, "2.root.json")
	if _, err := u.refresh(); err != nil { // 3 is never asked for
		t.Fatal(err)
	}
	r.Files["2.root.json"] = three
	if _, err := u.refresh(); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("1 to 3: %v", err)
	}
}

func TestEndlessRoots(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	for range 300 {
		r.NewRoot()
	}
	r.Publish()
	if _, err := u.refresh(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

func TestFirstRoot(t *testing.T) {
	r := simple()
	good := r.Files["1.root.json"]
	if _, err := trust.ReadRoot(good); err != nil {
		t.Error(err)
	}
	for name, data := range map[string][]byte{
		"nothing":          nil,
		"not JSON":         []byte("<html>"),
		"another document": r.Files["timestamp.json"],
		"too long":         []byte(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`),
		"an array":         []byte("[]"),
		"changed":          []byte(strings.Replace(string(good), "2027", "2097", 1)),
		"two in one":       append(append([]byte{}, good...), good...),
	} {
		if _, err := trust.ReadRoot(data); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	two := simple()
	two.Threshold["root"] = 2
	two.Versions["root"] = 0
	two.Keys["root"] = []repotest.Key{repotest.NewKey("a"), repotest.NewKey("b"), repotest.NewKey("c")}
	two.Sign["root"] = two.Keys["root"][:1]
	two.NewRoot()
	if _, err := trust.ReadRoot(two.Files["1.root.json"]); !errors.Is(err, trust.ErrUnsigned) {
		t.Errorf("one of two signatures: %v", err)
	}
	two.Versions["root"] = 0
	two.Sign["root"] = two.Keys["root"][:2]
	two.NewRoot()
	root, err := trust.ReadRoot(two.Files["1.root.json"])
	if err != nil || fmt.Sprint(root.Threshold, root.Keys) != "2 3" {
		t.Errorf("two of two signatures: %+v, %v", root, err)
	}
}
