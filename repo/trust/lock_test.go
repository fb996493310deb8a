package trust

import (
	"os"
	"path/filepath"
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
