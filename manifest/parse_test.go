package manifest

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestValid parses every valid manifest and compares what was understood with
// the JSON beside it.
func TestValid(t *testing.T) {
	for _, path := range glob(t, "testdata/valid/*.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := Parse(filepath.Base(path), readTest(t, path))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".toml")+".json", indented(t, m))
		})
	}
}

// TestInvalid compares all that is said about a bad manifest with the text
// beside it.
func TestInvalid(t *testing.T) {
	for _, path := range glob(t, "testdata/invalid/*.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := Parse(filepath.Base(path), readTest(t, path))
			var problems Problems
			if !errors.As(err, &problems) || m != nil {
				t.Fatalf("Parse = %v, %v; want Problems alone", m, err)
			}
			var b strings.Builder
			if err := Explain(&b, problems); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".toml")+".err", b.String())
		})
	}
}

// TestLint compares the advice about a manifest with the text beside it.
func TestLint(t *testing.T) {
	for _, path := range glob(t, "testdata/lint/*.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := Parse(filepath.Base(path), readTest(t, path))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := Explain(&b, Lint(m)); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".toml")+".err", b.String())
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return paths
}

func readTest(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(readTest(t, path)); got != want {
		t.Errorf("%s differs (run with -update and review the diff)\n--- got\n%s--- want\n%s", path, got, want)
	}
}
