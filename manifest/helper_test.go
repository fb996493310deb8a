package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func indented(t *testing.T, m *Manifest) string {
	t.Helper()
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// numbered repeats a format with a number in it.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// base is a smallest manifest; more is added after it.
const base = "id = \"org.example.Tool\"\nversion = \"1\"\ncommand = \"tool\"\n"

// parses wants text accepted.
func parses(t *testing.T, text string) *Manifest {
	t.Helper()
	m, err := Parse("sandbox.toml", []byte(text))
	if err != nil {
		t.Fatalf("Parse refused:\n%s\n%v", text, err)
	}
	return m
}

// refused wants a problem that holds each of the words.
func refused(t *testing.T, text string, words ...string) Problems {
	t.Helper()
	m, err := Parse("sandbox.toml", []byte(text))
	if err == nil {
		t.Fatalf("Parse accepted:\n%s", text)
	}
	problems, ok := err.(Problems)
	if !ok || m != nil {
		t.Fatalf("Parse = %v, %T; want Problems alone", m, err)
	}
	for _, word := range words {
		if !strings.Contains(problems.Error(), word) {
			t.Errorf("problems of\n%s\ndo not mention %q:\n%v", text, word, problems)
		}
	}
	return problems
}
