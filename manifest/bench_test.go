package manifest

import (
	"os"
	"testing"
	"unicode"

	"sandbox/internal/safe"
)

// A launch parses its manifest, so this is part of the time of every start.
func BenchmarkParse(b *testing.B) {
	full, err := os.ReadFile("testdata/valid/full.toml")
	if err != nil {
		b.Fatal(err)
	}
	for name, data := range map[string][]byte{"small": []byte(base), "every key": full} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(FileName, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAcceptedTextIsShownAsItIs: what may stand in a manifest never needs to be
// escaped where it is shown.
func TestAcceptedTextIsShownAsItIs(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if badRune(r) == "" && !safe.Rune(r) {
			t.Errorf("%U may stand in a manifest but is escaped", r)
		}
	}
}
