package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/hint"
)

// Whoever can open the lock of a remote of the machine could keep root out of it.
func TestLockIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "lock")
	if err := os.WriteFile(name, nil, 0o644); err != nil { // as older versions made it
		t.Fatal(err)
	}
	unlock, err := New(nil, Options{Dir: dir}).lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// What a repository may say can be kept, however it is spelled: else its snapshot
// could make its own remote unreadable, and the way out of that loses what was seen.
func TestLargestStateIsReadBack(t *testing.T) {
	r := New(nil, Options{Dir: t.TempDir()})
	odd := "{\n\t\"a\": \"\\u0000 \\ud800 \u2028 \u00e9 \\\\\"}" // the text of a document, with escapes of its own
	want := state{Timestamp: odd + strings.Repeat("<", maxTimestamp-len(odd)), Snapshot: strings.Repeat("&", maxSnapshot)}
	if err := r.writeState(want); err != nil {
		t.Fatal(err)
	}
	got, err := r.readState()
	if err != nil || got.Timestamp != want.Timestamp || got.Snapshot != want.Snapshot {
		t.Errorf("%v", err)
	}
}

// A state that says more than one thing, or what nobody knows, is not believed: it
// holds back what is older.
func TestStateIsReadStrictly(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"good":          {`{"format":1,"checked":"2026-01-02T03:04:05Z","timestamp":"{}","snapshot":"{}"}`, true},
		"twice":         {`{"format":1,"checked":"2026-01-02T03:04:05Z","checked":"1970-01-01T00:00:00Z","timestamp":"{}","snapshot":"{}"}`, false},
		"another case":  {`{"format":1,"checked":"2026-01-02T03:04:05Z","Timestamp":"{}","snapshot":"{}"}`, false},
		"unknown":       {`{"format":1,"checked":"2026-01-02T03:04:05Z","timestamp":"{}","snapshot":"{}","skip":true}`, false},
		"null":          {`{"format":1,"checked":"2026-01-02T03:04:05Z","timestamp":null,"snapshot":"{}"}`, false},
		"more after it": {`{"format":1,"checked":"2026-01-02T03:04:05Z","timestamp":"{}","snapshot":"{}"}{}`, false},
		"newer":         {`{"format":2}`, false},
		"cut":           {`{"format":1`, false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateName), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := New(nil, Options{Dir: dir}).readState()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), stateName) || hint.Of(err) == "") {
			t.Errorf("%s: which file it is, or the way out, is not said: %v", name, err)
		}
	}
}
