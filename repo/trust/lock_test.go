package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	want := state{Timestamp: strings.Repeat("<", maxTimestamp), Snapshot: strings.Repeat("&", maxSnapshot)}
	if err := r.writeState(want); err != nil {
		t.Fatal(err)
	}
	got, err := r.readState()
	if err != nil || got.Timestamp != want.Timestamp || got.Snapshot != want.Snapshot {
		t.Errorf("%v", err)
	}
}
