package repo

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestCustom(t *testing.T) {
	r := helloRelease()
	r.EOL, r.ReplacedBy = "Hello has moved.", "app/org.example.Hello2/x86_64/stable"
	data, err := r.MarshalCustom()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCustom(r.Ref, data)
	if err != nil {
		t.Fatal(err)
	}
	got.Tree, got.TreeLength = r.Tree, r.TreeLength
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v\nwant %+v", got, r)
	}
	if err := got.VerifyPublisher(); err != nil {
		t.Error(err)
	}
}

func TestCustomRefuses(t *testing.T) {
	good, err := helloRelease().MarshalCustom()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"key in another case", `"permission_text"`, `"Permission_Text"`, "unknown key"},
		{"key twice", `"n":7`, `"n":7,"n":8`, "twice"},
		{"unknown key", `"n":7`, `"n":7,"x":1`, "unknown key"},
		{"null", `"eol":""`, `"eol":null`, "null"},
		{"another version", `"v":1`, `"v":2`, "version 2"},
		{"number zero", `"n":7`, `"n":0`, "release number"},
		{"number beyond a double", `"n":7`, `"n":9007199254740992`, "release number"},
		{"number negative", `"n":7`, `"n":-1`, "number"},
		{"size negative", `"download":10`, `"download":-10`, "download"},
		{"size absurd", `"installed":20`, `"installed":1099511627777`, "installed"},
		{"locator endless", `"length":7`, `"length":9223372036854775807`, "locator"},
		{"locator traversal", Sum([]byte("locator")).String(), "../../etc/passwd", "digest"},
		{"runtime traversal", "runtime/org.example.Platform/x86_64/1", "runtime/../x86_64/1", "ref"},
		{"an app as runtime", "runtime/org.example.Platform/x86_64/1", "app/org.example.Platform/x86_64/1", "no runtime"},
		{"permissions changed", "network:internet", "network:host", "not those of their digest"},
		{"time with an offset", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "time"},
		{"version with an escape", `"version":"1.0"`, `"version":"1\u001b[2J"`, "version"},
		{"eol with an escape", `"eol":""`, `"eol":"\u001b[2J"`, "control"},
		{"replaced by itself", `"replaced_by":""`, `"replaced_by":"app/org.example.Hello/x86_64/stable"`, "cannot replace"},
		{"replaced by a runtime", `"replaced_by":""`, `"replaced_by":"runtime/org.example.Hello/x86_64/stable"`, "cannot replace"},
		{"key too short", `"key":"`, `"key":"AAAA`, "key"},
		{"no JSON", `{"v"`, `["v"`, "JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
			if bytes.Equal(bad, good) {
				t.Fatalf("%q is not in %s", c.old, good)
			}
			r, err := ParseCustom(helloRef, bad)
			if err == nil {
				t.Fatalf("accepted: %+v", r)
			}
			wantError(t, err, c.want)
		})
	}
	if _, err := ParseCustom(helloRef, bytes.Repeat([]byte(" "), MaxCustom+1)); err == nil {
		t.Error("accepted an endless description")
	}
}

func TestPermissionText(t *testing.T) {
	tree := helloTree(t)
	m, err := tree.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	text := PermissionText(m)
	if text != "network:internet\nask files:home:read\n" {
		t.Errorf("got %q", text)
	}
	for _, text := range []string{"", "network:internet\n", "ask network:internet\n", "files:home:write\nlimit:memory=512M\nask device:gpu\n"} {
		required, optional, err := ParsePermissionText(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if strings.Contains(text, "ask") == optional.IsZero() {
			t.Errorf("%q: required %q, optional %q", text, required, optional)
		}
	}
	for _, text := range []string{"network:internet", "network:internet\n\n", "network:internet\r\n", "ask network:internet\nfiles:home:read\n", "network:nowhere:at:all\n", "ask ask network:internet\n", "files:home\n"} {
		if _, _, err := ParsePermissionText(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

func TestVerifyPublisher(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *Release)
	}{
		{"another tree", func(r *Release) { r.Tree = Sum([]byte("evil")) }},
		{"another number", func(r *Release) { r.N++ }},
		{"another app", func(r *Release) { r.Ref.ID = "org.example.Evil" }},
		{"another arch", func(r *Release) { r.Ref.Arch = AnyArch }},
		{"another channel", func(r *Release) { r.Ref.Channel = "beta" }},
		{"no tree", func(r *Release) { r.Tree = Digest{} }},
		{"no key", func(r *Release) { r.Publisher.Key = nil }},
		{"no signature", func(r *Release) { r.Publisher.Sig = nil }},
		{"long key", func(r *Release) { r.Publisher.Key = append(r.Publisher.Key, 0) }},
		{"flipped bit", func(r *Release) { r.Publisher.Sig[0] ^= 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := helloRelease()
			if err := r.VerifyPublisher(); err != nil {
				t.Fatal(err)
			}
			c.change(&r)
			if r.VerifyPublisher() == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzCustom(f *testing.F) {
	good, err := helloRelease().MarshalCustom()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseCustom(helloRef, data)
		if err != nil {
			return
		}
		out, err := r.MarshalCustom()
		if err != nil {
			t.Fatalf("accepted what cannot be written: %v", err)
		}
		if !json.Valid(out) {
			t.Fatal("wrote what is no JSON")
		}
	})
}
