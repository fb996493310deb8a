package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/manifest"
)

// modTime is the time of everything in a bundle: fixed, and not 0, which some
// programs take for "unknown".
var modTime = time.Unix(1, 0)

// Info is what Check found out about a bundle.
type Info struct {
	Manifest *manifest.Manifest
	Digest   string
	Files    int // regular files
	Bytes    int64
	Layout   Layout
	Warnings []string // names that differ by case only

	// Machines are the arches that programs and libraries among the files are made
	// for, each with the path of one of them.
	Machines map[string]string
}

// Check verifies a bundle directory that someone else may have made: only the
// fixed top names, real directories, regular files of mode 0644 or 0755, links
// that stay inside, no set-id bits, no extended attributes, no odd names. It
// reports all problems at once.
func Check(dir string) (*Info, error) {
	info, _, err := check(dir)
	return info, err
}

func check(dir string) (*Info, *scanner, error) {
	loaded, err := readManifest(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use %q as a bundle: %w", dir, err)
	}
	s, err := scan(dir, loaded.m.Kind == manifest.Runtime)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use %q as a bundle: %w", dir, err)
	}
	if err := s.sameManifest(loaded); err != nil {
		return nil, nil, fmt.Errorf("cannot use %q as a bundle: %w", dir, err)
	}
	return &Info{
		Manifest: loaded.m, Digest: s.digest(), Files: s.files, Bytes: s.bytes,
		Layout: layoutOf(loaded.m, s), Warnings: s.warnings, Machines: s.machines,
	}, s, nil
}

// Digest is the SHA-256, in hex, of the canonical form of the bundle in dir:
// its names, kinds, executable bits, link targets and contents. Owners and
// times are no part of it.
func Digest(dir string) (string, error) {
	info, err := Check(dir)
	if err != nil {
		return "", err
	}
	return info.Digest, nil
}

// sameManifest refuses a manifest that changed between the two times it was
// read, which would give the bundle a digest that its permissions are not in.
func (s *scanner) sameManifest(loaded *loadedManifest) error {
	sum := sha256.Sum256(loaded.data)
	for _, e := range s.entries {
		if e.path == manifest.FileName && e.value != hex.EncodeToString(sum[:]) {
			return fmt.Errorf("%s changed while it was read", manifest.FileName)
		}
	}
	s.toml = loaded.data
	return nil
}

func layoutOf(m *manifest.Manifest, s *scanner) Layout {
	switch {
	case m.Kind == manifest.Runtime:
		return AsRuntime
	case s.hasUsr:
		return Overlay
	case m.Runtime.ID != "":
		return OnRuntime
	}
	return Static
}

// An entry is a line of the canonical form.
type entry struct {
	path, kind, value string
	size              int64 // of a file
}

type scanner struct {
	root     *os.Root
	links    *linkSpace
	folded   map[string]string // directory and folded name → path
	entries  []entry
	files    int
	bytes    int64
	hasUsr   bool
	warnings []string
	toml     []byte

	mu       sync.Mutex
	problems []error
	machines map[string]string // arch → the first file made for it
}

// maxProblems keeps the report readable.
const maxProblems = 20

func scan(dir string, isRuntime bool) (*scanner, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s := &scanner{root: root, links: newLinkSpace(isRuntime), folded: map[string]string{}, machines: map[string]string{}}
	if err := s.top(isRuntime); err != nil {
		return nil, err
	}
	s.hashFiles()
	for _, e := range s.entries {
		if e.kind != "link" {
			continue
		}
		if err := s.links.check(e.path); err != nil {
			s.problem("link %q to %q %w", e.path, e.value, err)
		}
	}
	if len(s.problems) > maxProblems {
		s.problems = append(s.problems[:maxProblems], errors.New("and more"))
	}
	slices.SortFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	return s, errors.Join(s.problems...)
}

func (s *scanner) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Errorf(format, args...))
}

// top walks the fixed names. A link or a file in the place of one of the
// directories would lead everything below it astray (CVE-2026-96275).
func (s *scanner) top(isRuntime bool) error {
	entries, err := readDir(s.root, ".")
	if err != nil {
		return err
	}
	hasFiles := false
	for _, e := range entries {
		switch name := e.Name(); {
		case name == manifest.FileName && e.Type().IsRegular():
			s.entries = append(s.entries, entry{path: name, kind: "file"})
		case name == "files" && e.IsDir(), name == "usr" && e.IsDir() && !isRuntime:
			hasFiles = hasFiles || name == "files"
			s.hasUsr = s.hasUsr || name == "usr"
			if err := s.dir(name); err != nil {
				return err
			}
		default:
			s.problem("%q (%v) has no place at the top of a bundle", name, e.Type())
		}
	}
	if !hasFiles && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "files" }) {
		return s.notBuilt()
	}
	return nil
}

// notBuilt is what is said of a directory with a manifest and no files: most
// likely somebody named the sources of a bundle.
func (s *scanner) notBuilt() error {
	return hint.With(errors.New("the directory files is missing"), "'sandbox build' makes a bundle from a directory with a manifest, and prints its path")
}

func (s *scanner) dir(p string) error {
	f, err := s.root.OpenFile(p, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		s.attributes(p, f)
	}
	f.Close()
	if err != nil {
		return err
	}
	if st.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0o755 {
		s.problem("directory %q has mode %v, not 0755", p, st.Mode())
	}
	s.entries = append(s.entries, entry{path: p, kind: "dir"})
	entries, err := readDir(s.root, p)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.entry(path.Join(p, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) entry(p string, e fs.DirEntry) error {
	if err := checkPath(p); err != nil {
		s.problem("name %q %w", p, err)
		if strings.Count(p, "/") >= maxDepth {
			return nil
		}
	}
	// Per directory, or every file below A and a would be named too.
	key := path.Join(path.Dir(p), fold(path.Base(p)))
	if other, ok := s.folded[key]; ok {
		s.warnings = append(s.warnings, fmt.Sprintf("%q and %q are one name where case does not count", other, p))
	}
	s.folded[key] = p
	switch {
	case e.IsDir():
		return s.dir(p)
	case e.Type().IsRegular():
		s.entries = append(s.entries, entry{path: p, kind: "file"})
	case e.Type() == fs.ModeSymlink:
		s.link(p)
	default:
		s.problem("%q is of type %v, which a bundle cannot hold", p, e.Type())
	}
	return nil
}

// hashFiles reads every regular file that the walk found, several at a time:
// most of the time goes into opening them.
func (s *scanner) hashFiles() {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(8, goruntime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < len(s.entries); i = int(next.Add(1) - 1) {
				if s.entries[i].kind == "file" {
					s.file(&s.entries[i])
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(s.problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	for _, e := range s.entries {
		if e.kind == "file" || e.kind == "exec" {
			s.files++
			s.bytes += e.size
		}
	}
}

func (s *scanner) file(e *entry) {
	p := e.path
	f, err := s.root.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		s.problem("%w", err)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		s.problem("%q is no regular file", p)
		return
	}
	if m := st.Mode(); m != 0o644 && m != 0o755 {
		s.problem("%q has mode %v, not 0644 or 0755", p, m)
	}
	s.attributes(p, f)
	h := sha256.New()
	head := make([]byte, headerSize)
	n, err := io.ReadFull(f, head)
	h.Write(head[:n])
	rest := int64(0)
	switch {
	case err == nil:
		if rest, err = io.Copy(h, f); err != nil {
			s.problem("%q: %w", p, err)
		}
		s.machine(machineOf(head), p)
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		s.problem("%q: %w", p, err)
	}
	e.size = int64(n) + rest
	if st.Mode()&0o111 != 0 {
		e.kind = "exec"
	}
	e.value = hex.EncodeToString(h.Sum(nil))
}

func (s *scanner) machine(arch, p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.machines[arch]; arch != "" && (!ok || p < first) {
		s.machines[arch] = p
	}
}

func (s *scanner) link(p string) {
	target, err := s.root.Readlink(p)
	if err != nil {
		s.problem("%w", err)
		return
	}
	if err := checkTarget(target); err != nil {
		s.problem("target of link %q %w", p, err)
	}
	s.links.add(p, target)
	s.entries = append(s.entries, entry{path: p, kind: "link", value: target})
}

// attributes refuses extended attributes: capabilities, access lists, and
// those by which an overlay takes a file for something else. A SELinux host
// labels every file by itself.
func (s *scanner) attributes(p string, f *os.File) {
	buf := make([]byte, 4096)
	n, err := unix.Flistxattr(int(f.Fd()), buf)
	if err == unix.ENOTSUP || err == unix.ENOSYS {
		return
	}
	if err != nil {
		s.problem("attributes of %q: %w", p, err)
		return
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
		if name != "" && name != "security.selinux" {
			s.problem("%q has the extended attribute %q", p, name)
		}
	}
}

// digest hashes the canonical form: for each entry in the order of paths its
// kind, path and value, each ended by NUL, which none of them can hold.
func (s *scanner) digest() string {
	h := sha256.New()
	io.WriteString(h, "sandbox tree 1\x00")
	for _, e := range s.entries {
		io.WriteString(h, e.kind+"\x00"+e.path+"\x00"+e.value+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil))
}
