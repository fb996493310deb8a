package bundle

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// zip unpacks a zip archive by its central directory, which is the only part
// that is believed; sizes are counted while reading, never taken from it.
func (s *archiveSink) zip(f *os.File, size int64) error {
	zr, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	if len(zr.File) > s.t.limits.Entries {
		return tooMany("over %d entries", s.t.limits.Entries)
	}
	start := s.t.bytes
	for _, m := range zr.File {
		if err := s.zipMember(m, size, start); err != nil {
			return err
		}
	}
	return nil
}

func (s *archiveSink) zipMember(m *zip.File, size, start int64) error {
	p, ok, err := s.place(m.Name)
	if err != nil {
		return err
	}
	mode := m.Mode()
	if m.Flags&1 != 0 {
		return fmt.Errorf("%q is encrypted", m.Name)
	}
	if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 && !mode.IsDir() {
		return fmt.Errorf("%q is setuid or setgid", m.Name)
	}
	isDir := strings.HasSuffix(m.Name, "/")
	if isDir != mode.IsDir() || (!isDir && !mode.IsRegular() && mode.Type() != fs.ModeSymlink) {
		return fmt.Errorf("%q is of type %v, which a bundle cannot hold", m.Name, mode.Type())
	}
	if !ok {
		return nil
	}
	if isDir {
		return s.t.mkdir(p)
	}
	r, err := m.Open()
	if err != nil {
		return fmt.Errorf("%q: %w", m.Name, err)
	}
	defer r.Close()
	if mode.Type() == fs.ModeSymlink {
		target, err := io.ReadAll(io.LimitReader(r, maxPathBytes+1))
		if err != nil {
			return fmt.Errorf("%q: %w", m.Name, err)
		}
		return s.t.symlink(p, string(target))
	}
	// Members may overlap in the file, so the ratio is that of all of them.
	bounded := &ratioReader{r: r, packed: func() int64 { return size }, limits: s.t.limits, n: s.t.bytes - start}
	return s.t.file(p, mode&0o111 != 0, bounded)
}
