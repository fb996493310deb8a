package repo

import (
	"strings"
	"testing"
)

// traversal is what names from others must never be.
var traversal = []string{
	"", "/", ".", "..", "../..", "../../etc/passwd", "/etc/passwd", `..\..\x`, `C:\x`, "a/../b", "a//b", "./a",
	"a\x00b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\xffb", "a b", "a%2f..", "%2e%2e/x", "a@b", "a?x", "a#x", "~/x", "-x",
	"file:///etc/passwd", "//evil/x", strings.Repeat("a", 5000),
}

func TestParseRef(t *testing.T) {
	for _, text := range []string{
		"app/org.example.Edit/x86_64/stable", "runtime/org.debian.Platform/aarch64/12", "extension/org.example.a-b_c.D/any/1.0-rc_2",
	} {
		r, err := ParseRef(text)
		if err != nil || r.String() != text || r.IsZero() {
			t.Errorf("ParseRef(%q) = %v, %v", text, r, err)
		}
		old, n, err := ParseTarget(text + "@12")
		if err != nil || old != r || n != 12 || r.At(12) != text+"@12" {
			t.Errorf("ParseTarget(%s@12) = %v, %d, %v", text, old, n, err)
		}
		if now, n, err := ParseTarget(text); err != nil || now != r || n != 0 {
			t.Errorf("ParseTarget(%s) = %v, %d, %v", text, now, n, err)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	bad := []string{
		"app/org.example.Edit/x86_64", "app/org.example.Edit/x86_64/stable/", "/app/org.example.Edit/x86_64/stable",
		"App/org.example.Edit/x86_64/stable", "ext/org.example.Edit/x86_64/stable", "app/Edit/x86_64/stable",
		"app/org.example.Edit/amd64/stable", "app/org.example.Edit/x86_64/Stable", "app/org.example.Edit/x86_64/",
		"app/org.example.Edit/x86_64/stable@1", "app/org.example.Edit//stable", "app/org..Edit/x86_64/stable",
	}
	for _, x := range traversal {
		bad = append(bad, x, x+"/org.example.Edit/x86_64/stable", "app/"+x+"/x86_64/stable", "app/org.example.Edit/"+x+"/stable", "app/org.example.Edit/x86_64/"+x)
	}
	for _, text := range bad {
		if r, err := ParseRef(text); err == nil {
			t.Errorf("ParseRef(%q) = %v", text, r)
		}
	}
	for _, n := range []string{"", "0", "01", "+1", "-1", "1e3", "9007199254740992", "1@2", "../1", "1/2"} {
		if r, n, err := ParseTarget("app/org.example.Edit/x86_64/stable@" + n); err == nil {
			t.Errorf("ParseTarget(@%d) = %v", n, r)
		}
	}
}

func TestRefText(t *testing.T) {
	var r Ref
	if err := r.UnmarshalText(nil); err != nil || !r.IsZero() || r.String() != "" {
		t.Errorf("%v, %v", r, err)
	}
	if err := r.UnmarshalText([]byte("app/org.example.Edit/any/stable")); err != nil || r.Arch != AnyArch {
		t.Errorf("%v, %v", r, err)
	}
}

func TestDigest(t *testing.T) {
	d := Sum([]byte("x"))
	again, err := ParseDigest(d.String())
	if err != nil || again != d || len(d.Short()) != 12 || d.IsZero() {
		t.Errorf("%v, %v", again, err)
	}
	if got := TreePath(d); got != "man/"+d.String()[:2]+"/"+d.String() {
		t.Error(got)
	}
	bad := append([]string{strings.ToUpper(d.String()), d.String() + "0", d.String()[1:], "0x" + d.String()[2:], "../" + d.String()[3:], strings.Repeat("g", 64)}, traversal...)
	for _, text := range bad {
		if _, err := ParseDigest(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}
