package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tar unpacks a tar stream. Only what a bundle can hold is taken; anything
// else refuses the archive as a whole.
func (s *archiveSink) tar(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.tarMember(h, tr); err != nil {
			return err
		}
	}
}

func (s *archiveSink) tarMember(h *tar.Header, r io.Reader) error {
	if err := checkRecords(h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	p, ok, err := s.place(h.Name)
	if err != nil {
		return err
	}
	if err := checkMember(h); err != nil {
		return fmt.Errorf("%q %w", h.Name, err)
	}
	if !ok {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return s.t.mkdir(p)
	case tar.TypeSymlink:
		return s.t.symlink(p, h.Linkname)
	case tar.TypeLink:
		from, ok, err := s.place(h.Linkname)
		if err != nil || !ok {
			return errors.Join(fmt.Errorf("%q is a hard link out of the archive", h.Name), err)
		}
		return s.t.copy(from, p)
	}
	return s.t.file(p, h.Mode&0o111 != 0, r)
}

// checkMember refuses what has no place in a bundle. Set-id bits on
// directories mean nothing to us and are common; on files they mean harm.
func checkMember(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg:
		if strings.HasSuffix(h.Name, "/") {
			return errors.New("is a file with the name of a directory")
		}
		if h.Mode&0o6000 != 0 {
			return errors.New("is setuid or setgid")
		}
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("is a device")
	case tar.TypeFifo:
		return errors.New("is a FIFO")
	default:
		return fmt.Errorf("is of type %q, which a bundle cannot hold", h.Typeflag)
	}
	return nil
}

// harmlessRecords are the PAX records without meaning for the tree. Extended
// attributes (SCHILY.xattr.*: capabilities, overlay control), access lists and
// sparse maps are not among them and refuse the archive.
var harmlessRecords = map[string]bool{
	"path": true, "linkpath": true, "size": true, "mtime": true, "atime": true, "ctime": true,
	"uid": true, "gid": true, "uname": true, "gname": true, "comment": true, "charset": true, "hdrcharset": true,
	"LIBARCHIVE.creationtime": true, "SCHILY.dev": true, "SCHILY.ino": true, "SCHILY.nlink": true, "SCHILY.fflags": true,
}

func checkRecords(h *tar.Header) error {
	for key := range h.PAXRecords {
		// A global header may speak about no member: only git's commit id.
		if !harmlessRecords[key] || (h.Typeflag == tar.TypeXGlobalHeader && key != "comment") {
			return fmt.Errorf("%q has the extended header %q", h.Name, key)
		}
	}
	return nil
}
