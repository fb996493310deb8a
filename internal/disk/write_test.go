package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file has its new content and its mode, or is as it was, and nothing is left
// beside it.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	boom := errors.New("boom")
	for _, c := range []struct {
		name, text, want string
		mode             os.FileMode
		err              error
	}{
		{"it is made", "one", "one", 0o640, nil},
		{"the writer fails", "half of ", "one", 0o640, boom},
		{"it is replaced", "two", "two", 0o600, nil},
	} {
		err := Write(path, c.mode, func(f *os.File) error {
			if _, err := f.WriteString(c.text); err != nil {
				return err
			}
			return c.err
		})
		if err != c.err {
			t.Errorf("%s: %v", c.name, err)
		}
		data, err := os.ReadFile(path)
		st, e := os.Stat(path)
		if err != nil || e != nil || string(data) != c.want || st.Mode().Perm() != c.mode {
			t.Errorf("%s: %q, %v, %v, %v", c.name, data, st.Mode(), err, e)
		}
		if list, _ := os.ReadDir(dir); len(list) != 1 {
			t.Errorf("%s: left %v", c.name, list)
		}
	}
}
