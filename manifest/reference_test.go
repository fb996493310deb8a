package manifest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestReference compares the list of keys in MANIFEST.md with the table.
func TestReference(t *testing.T) {
	const from, to = "<!-- keys -->\n", "<!-- end of keys -->"
	before, rest, ok := strings.Cut(Reference, from)
	listed, after, found := strings.Cut(rest, to)
	if !ok || !found {
		t.Fatal("MANIFEST.md has no marks around its keys")
	}
	want := describe(Keys())
	if *update {
		if err := os.WriteFile("MANIFEST.md", []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if listed != want {
		t.Errorf("MANIFEST.md is not what the table says (run with -update)\n--- table\n%s--- document\n%s", want, listed)
	}
}

// describe writes the table of keys for people.
func describe(keys []KeyInfo) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "- `%s` - %s%s.\n  %s\n", k.Path, k.Type, condition(k), k.Summary)
		if len(k.Values) > 0 {
			fmt.Fprintf(&b, "  One of `%s`.\n", strings.Join(k.Values, "`, `"))
		}
		if k.Default != "" {
			fmt.Fprintf(&b, "  Default: %s.\n", k.Default)
		}
	}
	return b.String()
}

// condition says who may and who must have a key.
func condition(k KeyInfo) string {
	switch {
	case len(k.RequiredFor) > 0 && (slices.Equal(k.RequiredFor, anyKind) || slices.Equal(k.RequiredFor, sourceTypes)):
		return ", required"
	case len(k.RequiredFor) > 0 && slices.Equal(k.RequiredFor, k.For):
		return ", required; for " + strings.Join(k.For, ", ")
	case len(k.RequiredFor) > 0:
		return ", for " + strings.Join(k.For, ", ") + "; required for " + strings.Join(k.RequiredFor, ", ")
	case len(k.For) > 0:
		return ", for " + strings.Join(k.For, ", ")
	}
	return ""
}

// TestReferenceExampleParses: the manifest shown at the top is a good one.
func TestReferenceExampleParses(t *testing.T) {
	_, rest, _ := strings.Cut(Reference, "```toml\n")
	example, _, _ := strings.Cut(rest, "```")
	m := parses(t, example)
	if len(m.Permissions) != 2 || len(m.Exports.Desktop) != 1 {
		t.Errorf("example gives %+v", m)
	}
}

// TestKeyTable holds the table to itself: every example parses where it is
// meant, and the text says something about each key.
func TestKeyTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		if seen[k.Path] || k.Type == "" || k.Summary == "" || k.Example == "" {
			t.Errorf("row %q is double or has a gap", k.Path)
		}
		seen[k.Path] = true
		if text, ok := example(k); ok {
			t.Run(k.Path, func(t *testing.T) { parses(t, text) })
		}
	}
}

// TestTopKeys: the keys of the top that are no tables are those of the table.
func TestTopKeys(t *testing.T) {
	var want []string
	for _, k := range Keys() {
		if !strings.Contains(k.Path, ".") && k.Type != "table" {
			want = append(want, k.Path)
		}
	}
	if !slices.Equal(topKeys, want) {
		t.Errorf("topKeys are %v, the table has %v", topKeys, want)
	}
}

// example is a manifest around the example of a key.
func example(k KeyInfo) (string, bool) {
	line := k.Path + " = " + k.Example + "\n"
	head := map[string]string{"id": `"org.gnu.Nano"`, "version": `"1"`, "command": `"nano"`}
	switch {
	case strings.Contains(k.Path, "NAME") || k.Path == "build.source.type":
		return "", false
	case strings.HasPrefix(k.Path, "build.source."):
		return exampleSource(k), true
	case k.Path == "extends":
		head = map[string]string{"id": `"org.gnu.Nano.X"`, "version": `"1"`, "kind": `"extension"`}
	}
	delete(head, k.Path)
	for name, value := range head {
		line = name + " = " + value + "\n" + line
	}
	return line, true
}

func exampleSource(k KeyInfo) string {
	source := map[string]string{"type": `"archive"`, "path": `"x"`, "sha256": `"` + strings.Repeat("0", 64) + `"`}
	switch {
	case slices.Contains(k.For, "debian"):
		source = map[string]string{"type": `"debian"`, "suite": `"bookworm"`, "packages": `["nano"]`}
	case slices.Contains(k.For, "file"):
		source = map[string]string{"type": `"file"`, "path": `"x"`}
	}
	source[strings.TrimPrefix(k.Path, "build.source.")] = k.Example
	text := base + "[[build.source]]\n"
	for name, value := range source {
		text += name + " = " + value + "\n"
	}
	return text
}
