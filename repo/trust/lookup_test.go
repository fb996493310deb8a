package trust_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"sandbox/repo/repotest"
	"sandbox/repo/trust"
)

func delegation(name, pattern string) repotest.Delegation {
	return repotest.Delegation{Name: "pub-" + name, Patterns: []string{pattern}, Keys: []repotest.Key{repotest.NewKey(name)}, Targets: map[string]repotest.Doc{}}
}

// versionOf asks for org.example.Edit as a new user.
func versionOf(t *testing.T, r *repotest.Repo) (string, error) {
	t.Helper()
	r.Publish()
	v, err := newUser(t, r).refresh()
	if err != nil {
		return "", err
	}
	rel, err := v.Release(t.Context(), edit.Ref())
	return rel.Version, err
}

// B14: the first role in order decides, and nobody speaks outside of his range.
func TestDelegations(t *testing.T) {
	path := edit.Ref().String()
	at := func(version string) (r *repotest.Repo, target repotest.Doc) {
		r = repotest.New()
		return r, r.Target(repotest.App("org.example.Edit", version), 1)
	}
	t.Run("of two who claim an ID the first is heard", func(t *testing.T) {
		r, one := at("1.0")
		ann, bob := delegation("ann", "app/org.example.*/*/*"), delegation("bob", "app/org.example.Edit/*/*")
		ann.Targets[path], bob.Targets[path] = one, r.Target(repotest.App("org.example.Edit", "6.6"), 9)
		r.Delegations = []repotest.Delegation{ann, bob}
		if got, err := versionOf(t, r); got != "1.0" {
			t.Errorf("%q, %v", got, err)
		}
		r.Delegations = []repotest.Delegation{bob, ann}
		if got, err := versionOf(t, r); got != "6.6" {
			t.Errorf("the other way round: %q, %v", got, err)
		}
	})
	t.Run("behind one who ends the search nobody is asked", func(t *testing.T) {
		r, one := at("1.0")
		ann := delegation("ann", "app/org.example.*/*/*")
		r.Delegations = []repotest.Delegation{ann}
		r.Targets[path] = one
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrNoRef) {
			t.Errorf("%q, %v", got, err)
		}
		r.Delegations[0].Open = true
		if got, err := versionOf(t, r); got != "1.0" {
			t.Errorf("without that: %q, %v", got, err)
		}
	})
	t.Run("one who has published nothing yet keeps his range", func(t *testing.T) {
		r, one := at("1.0")
		ann := delegation("ann", "app/org.example.*/*/*")
		ann.Unpublished = true
		r.Delegations = []repotest.Delegation{ann}
		r.Targets[path] = one
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrNoRef) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("outside of his range he is not heard", func(t *testing.T) {
		r, one := at("6.6")
		eve := delegation("eve", "app/com.eve.*/*/*")
		eve.Targets[path] = one
		r.Delegations = []repotest.Delegation{eve}
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrNoRef) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("the star stops at the slash", func(t *testing.T) {
		r, one := at("6.6")
		eve := delegation("eve", "app/*/x86_64/beta")
		eve.Targets[path] = one
		r.Delegations = []repotest.Delegation{eve}
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrNoRef) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("what the targets say themselves comes first", func(t *testing.T) {
		r, one := at("1.0")
		eve := delegation("eve", "app/org.example.*/*/*")
		eve.Targets[path] = r.Target(repotest.App("org.example.Edit", "6.6"), 9)
		r.Delegations = []repotest.Delegation{eve}
		r.Direct[path] = one
		if got, err := versionOf(t, r); got != "1.0" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a key that was withdrawn", func(t *testing.T) {
		r, one := at("1.0")
		ann := delegation("ann", "app/org.example.*/*/*")
		ann.Targets[path] = one
		ann.Keys = []repotest.Key{repotest.NewKey("ann-2")}
		r.Delegations = []repotest.Delegation{ann}
		r.Sign["pub-ann"] = []repotest.Key{repotest.NewKey("ann")}
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrUnsigned) {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := versionOf(t, r); got != "1.0" { // by the new key
			t.Errorf("the new one: %q, %v", got, err)
		}
	})
	t.Run("two of two publishers' keys", func(t *testing.T) {
		r, one := at("1.0")
		ann := delegation("ann", "app/org.example.*/*/*")
		ann.Targets[path] = one
		ann.Keys, ann.Threshold = []repotest.Key{repotest.NewKey("ann"), repotest.NewKey("ann-2")}, 2
		r.Delegations = []repotest.Delegation{ann}
		r.Sign["pub-ann"] = ann.Keys[:1]
		if got, err := versionOf(t, r); !errors.Is(err, trust.ErrUnsigned) {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := versionOf(t, r); got != "1.0" {
			t.Errorf("both: %q, %v", got, err)
		}
	})
}

func TestDelegationFaults(t *testing.T) {
	first := func(d repotest.Doc) repotest.Doc {
		return d["delegations"].(repotest.Doc)["roles"].([]any)[0].(repotest.Doc)
	}
	for name, bend := range map[string]func(d repotest.Doc){
		"a role named as a path":           func(d repotest.Doc) { first(d)["name"] = "../../../etc/passwd" },
		"a role named as a top one":        func(d repotest.Doc) { first(d)["name"] = "snapshot" },
		"a role named targets":             func(d repotest.Doc) { first(d)["name"] = "targets" },
		"a role without a name":            func(d repotest.Doc) { first(d)["name"] = "" },
		"a name in capitals":               func(d repotest.Doc) { first(d)["name"] = "pub-Ann" },
		"a name with NUL":                  func(d repotest.Doc) { first(d)["name"] = "pub-a\x00" },
		"two roles of one name":            func(d repotest.Doc) { first(d)["name"] = "bin-00" },
		"threshold 0":                      func(d repotest.Doc) { first(d)["threshold"] = 0 },
		"threshold -1":                     func(d repotest.Doc) { first(d)["threshold"] = -1 },
		"threshold above its keys":         func(d repotest.Doc) { first(d)["threshold"] = 2 },
		"no keys":                          func(d repotest.Doc) { first(d)["keyids"] = []any{} },
		"no paths":                         func(d repotest.Doc) { delete(first(d), "paths") },
		"paths and prefixes":               func(d repotest.Doc) { first(d)["path_hash_prefixes"] = []any{"0"} },
		"a prefix that is not hexadecimal": func(d repotest.Doc) { delete(first(d), "paths"); first(d)["path_hash_prefixes"] = []any{"xyz"} },
		"a pattern for the catalogue":      func(d repotest.Doc) { first(d)["paths"] = []any{"catalogue/x86_64"} },
		"a pattern for everything":         func(d repotest.Doc) { first(d)["paths"] = []any{"*/*/*/*"} },
		"a pattern with a bracket":         func(d repotest.Doc) { first(d)["paths"] = []any{"app/[a-z]*/*/*"} },
		"a pattern with three elements":    func(d repotest.Doc) { first(d)["paths"] = []any{"app/*/*"} },
		"a pattern that goes up":           func(d repotest.Doc) { first(d)["paths"] = []any{"app/../*/*"} },
		"succinct roles": func(d repotest.Doc) {
			d["delegations"].(repotest.Doc)["succinct_roles"] = repotest.Doc{"keyids": []any{}, "threshold": 1, "bit_length": 8, "name_prefix": "bin"}
		},
		"a role in null":                     func(d repotest.Doc) { d["delegations"].(repotest.Doc)["roles"] = []any{nil} },
		"a delegation that is no list":       func(d repotest.Doc) { d["delegations"].(repotest.Doc)["roles"] = "all" },
		"a number of roles beyond all sense": func(d repotest.Doc) { many(d) },
	} {
		t.Run(name, func(t *testing.T) {
			r := repotest.New()
			r.Delegations = []repotest.Delegation{delegation("ann", "app/org.example.*/*/*")}
			r.Release(edit)
			r.Bend["targets"] = bend
			if got, err := versionOf(t, r); err == nil {
				t.Errorf("believed: %q", got)
			}
			if got, err := versionOf(t, r); got != "1.0" {
				t.Errorf("the good one: %q, %v", got, err)
			}
		})
	}
}

func many(d repotest.Doc) {
	roles := d["delegations"].(repotest.Doc)["roles"].([]any)
	for i := range 2000 {
		role := repotest.Doc{}
		for k, v := range roles[0].(repotest.Doc) {
			role[k] = v
		}
		role["name"] = "pub-x" + strings.Repeat("a", i%20) + strings.Repeat("b", i/20%20) + strings.Repeat("c", i/400)
		roles = append(roles, role)
	}
	d["delegations"].(repotest.Doc)["roles"] = roles
}

// B04, B16: what a target may be.
func TestTargetFaults(t *testing.T) {
	custom := func(d repotest.Doc) repotest.Doc { return d["custom"].(repotest.Doc) }
	for name, bend := range map[string]func(d repotest.Doc){
		"no length":                  func(d repotest.Doc) { delete(d, "length") },
		"length 0":                   func(d repotest.Doc) { d["length"] = 0 },
		"length -1":                  func(d repotest.Doc) { d["length"] = -1 },
		"a length beyond the limits": func(d repotest.Doc) { d["length"] = int64(1) << 40 },
		"no hash":                    func(d repotest.Doc) { delete(d, "hashes") },
		"a hash as a path":           func(d repotest.Doc) { d["hashes"] = repotest.Doc{"sha256": "../../../../etc/passwd"} },
		"a short hash":               func(d repotest.Doc) { d["hashes"] = repotest.Doc{"sha256": "abcd"} },
		"an empty hash":              func(d repotest.Doc) { d["hashes"] = repotest.Doc{"sha256": ""} },
		"another hash only":          func(d repotest.Doc) { d["hashes"] = repotest.Doc{"sha512": strings.Repeat("ab", 64)} },
		"no description":             func(d repotest.Doc) { delete(d, "custom") },
		"number 0":                   func(d repotest.Doc) { custom(d)["n"] = 0 },
		"number -1":                  func(d repotest.Doc) { custom(d)["n"] = -1 },
		"another number":             func(d repotest.Doc) { custom(d)["n"] = 2 }, // the publisher signed 1
		"a version with a line feed": func(d repotest.Doc) { custom(d)["version"] = "1\n2" },
		"a locator as a path":        func(d repotest.Doc) { custom(d)["locator"] = repotest.Doc{"sha256": "../x", "length": 1} },
		"a runtime that is an app":   func(d repotest.Doc) { custom(d)["runtime"] = "app/org.example.X/x86_64/stable" },
		"permissions of another hash": func(d repotest.Doc) {
			custom(d)["permission_text"] = "network:internet\n"
		},
		"an unknown key":       func(d repotest.Doc) { custom(d)["install_script"] = "rm -rf /" },
		"a key in other case":  func(d repotest.Doc) { custom(d)["VERSION"] = "2" },
		"no publisher":         func(d repotest.Doc) { delete(custom(d), "publisher") },
		"an escape in the eol": func(d repotest.Doc) { custom(d)["eol"] = "\x1b[2J" },
		"the publisher's signature over something else": func(d repotest.Doc) {
			custom(d)["publisher"].(repotest.Doc)["sig"] = base64.StdEncoding.EncodeToString(repotest.NewKey("publisher").Sign([]byte("hello")))
		},
		"a key that did not sign": func(d repotest.Doc) {
			custom(d)["publisher"].(repotest.Doc)["key"] = base64.StdEncoding.EncodeToString(repotest.NewKey("eve").Public())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := repotest.New()
			bend(r.Release(edit))
			if got, err := versionOf(t, r); err == nil {
				t.Errorf("believed: %q", got)
			}
		})
	}
	t.Run("another app's release under this name", func(t *testing.T) {
		r := repotest.New()
		r.Targets[edit.Ref().String()] = r.Target(repotest.App("org.example.Other", "1.0"), 1)
		if got, err := versionOf(t, r); err == nil {
			t.Errorf("believed: %q", got)
		}
	})
	t.Run("an old release under the number of a newer one", func(t *testing.T) {
		r := repotest.New()
		one := r.Release(edit)
		r.Release(repotest.App("org.example.Edit", "1.1"))
		r.Targets[edit.Ref().At(1)] = r.Targets[edit.Ref().String()]
		r.Publish()
		v, err := newUser(t, r).refresh()
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := v.ReleaseAt(t.Context(), edit.Ref(), 1); err == nil {
			t.Errorf("believed: %+v", rel)
		}
		r.Targets[edit.Ref().At(1)] = one
		r.Publish()
		if v, err = newUser(t, r).refresh(); err != nil {
			t.Fatal(err)
		}
		if rel, err := v.ReleaseAt(t.Context(), edit.Ref(), 1); err != nil || rel.Version != "1.0" {
			t.Errorf("the right one: %+v, %v", rel, err)
		}
	})
}
