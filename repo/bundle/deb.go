package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxControl = 4 << 20
	maxScript  = 1 << 20
)

// A debPackage is what a .deb says about itself. Its scripts are text to us:
// nothing of a package is ever run.
type debPackage struct {
	control  stanza
	postinst string
}

// readDeb reads deb(5): an ar archive of debian-binary, control.tar.* and
// data.tar.*, in this order. Each data member goes to take.
func readDeb(r io.Reader, limits Limits, take func(h *tar.Header, r io.Reader) error) (*debPackage, error) {
	ar, err := newArReader(r)
	if err != nil {
		return nil, err
	}
	name, body, err := ar.next()
	if err != nil {
		return nil, err
	}
	if version, err := io.ReadAll(io.LimitReader(body, 64)); name != "debian-binary" || err != nil || !bytes.HasPrefix(version, []byte("2.")) {
		return nil, errors.New("no Debian package of format 2")
	}
	var pkg *debPackage
	for {
		name, body, err = ar.next()
		if err == io.EOF {
			return nil, errors.New("package without data.tar")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case strings.HasPrefix(name, "_"): // deb(5): to be ignored
		case strings.HasPrefix(name, "control.tar") && pkg == nil:
			if pkg, err = readControl(body, limits); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		case strings.HasPrefix(name, "data.tar") && pkg != nil:
			if err := eachMember(body, limits, take); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return pkg, nil
		default:
			return nil, fmt.Errorf("package with the unexpected member %q", name)
		}
	}
}

func eachMember(body io.Reader, limits Limits, take func(h *tar.Header, r io.Reader) error) error {
	packed := &countReader{r: body}
	r, done, err := decompress(packed)
	if err != nil {
		return err
	}
	defer done()
	tr := tar.NewReader(&ratioReader{r: r, packed: func() int64 { return packed.n }, limits: limits})
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(h, tr); err != nil {
			return err
		}
	}
}

func readControl(body io.Reader, limits Limits) (*debPackage, error) {
	pkg := &debPackage{}
	err := eachMember(body, limits, func(h *tar.Header, r io.Reader) error {
		switch strings.TrimPrefix(h.Name, "./") {
		case "control":
			all, err := parseControl(r, maxControl)
			if err != nil {
				return err
			}
			if len(all) != 1 {
				return errors.New("control file without exactly one paragraph")
			}
			pkg.control = all[0]
		case "postinst":
			text, err := io.ReadAll(io.LimitReader(r, maxScript))
			pkg.postinst = string(text)
			return err
		}
		return nil
	})
	if err == nil && pkg.control.get("Package") == "" {
		err = errors.New("control file without a package name")
	}
	return pkg, err
}

// An arReader reads the common ar format, as far as packages use it.
type arReader struct {
	r    io.Reader
	rest *io.LimitedReader // of the current member
	pad  int64
}

func newArReader(r io.Reader) (*arReader, error) {
	magic := make([]byte, 8)
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, errors.New("no Debian package")
	}
	return &arReader{r: r, rest: &io.LimitedReader{R: r}}, nil
}

// next skips what is left of the current member. io.EOF is the end.
func (a *arReader) next() (string, io.Reader, error) {
	if _, err := io.CopyN(io.Discard, a.r, a.rest.N+a.pad); err != nil {
		return "", nil, io.ErrUnexpectedEOF
	}
	head := make([]byte, 60)
	if _, err := io.ReadFull(a.r, head); err != nil {
		return "", nil, err
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(head[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(head[58:]) != "`\n" {
		return "", nil, errors.New("package with a broken member header")
	}
	a.rest, a.pad = &io.LimitedReader{R: a.r, N: size}, size%2
	return strings.TrimSuffix(strings.TrimRight(string(head[:16]), " "), "/"), a.rest, nil
}
