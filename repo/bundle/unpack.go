package bundle

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A debSink unpacks packages into one usr tree of a bundle: files/ of a
// runtime, usr/ of an app.
type debSink struct {
	t         *tree
	base      string // "files" or "usr"
	isRuntime bool
	notify    func(Event)

	status       []stanza
	alternatives []alternative
	owner        map[string]string // path in the tree → package, to name both in a conflict
}

func newDebSink(t *tree, base string, isRuntime bool, notify func(Event)) *debSink {
	return &debSink{t: t, base: base, isRuntime: isRuntime, notify: notify, owner: map[string]string{}}
}

// add unpacks the package in f. It must be the one that was resolved: a signed
// index vouches for the digest, which the caller has checked.
func (s *debSink) add(f io.Reader, want lockedPackage) error {
	pkg, err := readDeb(f, s.t.limits, func(h *tar.Header, r io.Reader) error {
		return s.member(want.Name, h, r)
	})
	if err != nil {
		return err
	}
	if got := pkg.control.get("Package"); got != want.Name || pkg.control.get("Version") != want.Version {
		return fmt.Errorf("it holds %s %s", got, pkg.control.get("Version"))
	}
	s.alternatives = append(s.alternatives, parseAlternatives(pkg.postinst)...)
	entry := stanza{{"Package", want.Name}, {"Status", "install ok installed"}}
	s.status = append(s.status, append(entry, pkg.control.without("Package", "Status")...))
	return nil
}

func (s *debSink) member(owner string, h *tar.Header, r io.Reader) error {
	if err := checkRecords(h); err != nil {
		return err
	}
	name, err := cleanName(h.Name)
	if err != nil {
		// Unit names of systemd have backslashes and are left out anyway.
		if strings.HasPrefix(strings.TrimPrefix(h.Name, "./"), "lib/systemd/") || strings.HasPrefix(strings.TrimPrefix(h.Name, "./"), "usr/lib/systemd/") {
			return nil
		}
		return err
	}
	if h.Typeflag == tar.TypeReg && h.Mode&0o6000 != 0 {
		h.Mode &^= 0o6000
		s.notify(Event{Stage: "unpack", Text: fmt.Sprintf("%s: %q loses its set-id bits", owner, h.Name), Warning: true})
	}
	if err := checkMember(h); err != nil {
		return fmt.Errorf("%q %w", h.Name, err)
	}
	to := moved(name)
	if name == "." || to == "" || to == "." {
		return nil
	}
	if h.Typeflag == tar.TypeDir {
		return s.dir(to)
	}
	if !wanted(to, s.isRuntime) {
		return nil
	}
	return s.entry(owner, name, path.Join(s.base, to), h, r)
}

// dir makes the directories that packages ship empty; those of documentation
// and of what is left out appear only with their files.
func (s *debSink) dir(to string) error {
	if to == "share/doc" || strings.HasPrefix(to, "share/doc/") || !wanted(to+"/x", s.isRuntime) {
		return nil
	}
	return s.t.mkdir(path.Join(s.base, to))
}

func (s *debSink) entry(owner, name, p string, h *tar.Header, r io.Reader) error {
	if other, ok := s.owner[p]; ok {
		return fmt.Errorf("package %s also brings %q, which package %s has", owner, p, other)
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		target := movedTarget(name, h.Linkname)
		if target == "" {
			s.notify(Event{Stage: "unpack", Text: fmt.Sprintf("%s: link %q to %q is left out", owner, name, h.Linkname)})
			return nil
		}
		s.owner[p] = owner
		return s.t.symlink(p, target)
	case tar.TypeLink:
		from, err := cleanName(h.Linkname)
		if err != nil {
			return err
		}
		s.owner[p] = owner
		return s.t.copy(path.Join(s.base, moved(from)), p)
	}
	s.owner[p] = owner
	return s.t.file(p, h.Mode&0o111 != 0, r)
}

// finish does what the maintainer scripts of a few packages would have done,
// and leaves the record of what the tree holds. id names the bundle.
func (s *debSink) finish(id string) error {
	if err := s.linkAlternatives(); err != nil {
		return err
	}
	if err := s.certificates(); err != nil {
		return err
	}
	if err := s.baseFiles(); err != nil {
		return err
	}
	if err := s.libraryCache(); err != nil {
		return err
	}
	p := path.Join(s.base, statusPath)
	if !s.isRuntime {
		// Over the runtime's, that name would hide what the runtime holds.
		p = path.Join(s.base, statusPath+".d", id)
	}
	return s.t.file(p, false, bytes.NewReader(s.statusText()))
}

// statusText is the packages so far in the format of dpkg's status.
func (s *debSink) statusText() []byte {
	sorted := slices.SortedFunc(slices.Values(s.status), func(a, b stanza) int { return cmp.Compare(a.get("Package"), b.get("Package")) })
	var text bytes.Buffer
	for _, st := range sorted {
		text.WriteString(st.String())
		text.WriteByte('\n')
	}
	return text.Bytes()
}

func (s *debSink) has(to string) bool {
	_, ok := s.t.nodes[path.Join(s.base, to)]
	return ok
}

func (s *debSink) linkAlternatives() error {
	exists := func(target string) bool {
		to := moved(strings.TrimPrefix(path.Clean(target), "/"))
		return to != "" && s.has(to)
	}
	for _, a := range chooseAlternatives(s.alternatives, exists) {
		to := moved(strings.TrimPrefix(path.Clean(a.link), "/"))
		if to == "" || to == "." || s.has(to) || !wanted(to, s.isRuntime) {
			continue
		}
		target := path.Join("/usr", moved(strings.TrimPrefix(path.Clean(a.target), "/")))
		if err := s.t.symlink(path.Join(s.base, to), target); err != nil {
			return err
		}
	}
	return nil
}

// certificates joins the certificate authorities into the one file that most
// TLS libraries read, as update-ca-certificates does.
func (s *debSink) certificates() error {
	const dir, out, pem = "share/ca-certificates/", "etc/ssl/certs/ca-certificates.crt", "lib/ssl/cert.pem"
	var names []string
	for p, n := range s.t.nodes {
		if strings.HasPrefix(p, path.Join(s.base, dir)+"/") && strings.HasSuffix(p, ".crt") && n.kind == fileKind {
			names = append(names, p)
		}
	}
	if len(names) == 0 || s.has(out) {
		return nil
	}
	slices.Sort(names)
	var all bytes.Buffer
	for _, p := range names {
		text, err := s.read(p)
		if err != nil {
			return err
		}
		all.Write(bytes.TrimRight(text, "\n"))
		all.WriteByte('\n')
	}
	if err := s.t.file(path.Join(s.base, out), false, &all); err != nil {
		return err
	}
	if s.has(pem) {
		return nil
	}
	return s.t.symlink(path.Join(s.base, pem), "/usr/"+out) // where OpenSSL looks
}

// baseFiles installs the two defaults of base-files that programs expect.
func (s *debSink) baseFiles() error {
	for _, name := range []string{"profile", "nsswitch.conf"} {
		from, to := path.Join(s.base, "share/base-files", name), path.Join(s.base, "etc", name)
		if _, ok := s.t.nodes[from]; !ok || s.has("etc/"+name) {
			continue
		}
		if err := s.t.copy(from, to); err != nil {
			return err
		}
	}
	return nil
}

func (s *debSink) read(p string) ([]byte, error) {
	f, err := s.t.root.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20+1))
	if err == nil && len(text) > 1<<20 {
		err = errors.New("file of over 1 MiB")
	}
	return text, err
}
