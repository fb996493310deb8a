package snapshot

import (
	"strings"
	"testing"
)

func FuzzIndexEntry(f *testing.F) {
	f.Add("1 2 3 4 5 \"a/b\"")
	f.Add("1 2 3 4 5 \"new\\nline \\xff\"")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseEntry(line)
		if err != nil {
			return
		}
		again, err := parseEntry(strings.TrimSuffix(string(encodeIndex([]entry{e})), "\n"))
		if err != nil || again != e {
			t.Fatalf("%q reads as %+v, written again as %+v, %v", line, e, again, err)
		}
	})
}
