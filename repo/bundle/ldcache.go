package bundle

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A library is what ld.so looks up: a name that programs need, and the file.
type library struct {
	name, file string // "libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"
	flags      uint32
}

// libraryFlags say which programs a library is for, by machine: ELF objects of
// glibc, in the ABI of 64 bits (FLAG_* of glibc's ldconfig.h).
var libraryFlags = map[string]uint32{"x86_64": 0x0303, "aarch64": 0x0a03}

// libraryCache writes /etc/ld.so.cache of a runtime, as ldconfig(8) does after
// packages were installed. Without it, each start of a program tries a dozen
// names for every library, and directories of ld.so.conf.d are not looked into.
func (s *debSink) libraryCache() error {
	const out = "etc/ld.so.cache"
	if !s.isRuntime || s.has(out) {
		return nil
	}
	dirs, err := s.libraryDirs()
	if err != nil {
		return err
	}
	var all []library
	taken := map[string]bool{}
	for _, dir := range dirs {
		found, err := s.libraries(dir)
		if err != nil {
			return err
		}
		for _, l := range found {
			if !taken[l.name] { // the first directory wins
				taken[l.name] = true
				all = append(all, l)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.t.file(path.Join(s.base, out), false, bytes.NewReader(encodeCache(all)))
}

// libraryDirs are the directories below /usr that hold libraries, in ld.so's order.
func (s *debSink) libraryDirs() ([]string, error) {
	var confs []string
	prefix := path.Join(s.base, "etc/ld.so.conf.d") + "/"
	for p := range s.t.nodes {
		if strings.HasPrefix(p, prefix) && strings.HasSuffix(p, ".conf") {
			confs = append(confs, p)
		}
	}
	slices.Sort(confs)
	var dirs []string
	add := func(abs string) {
		dir := moved(strings.TrimPrefix(path.Clean(abs), "/"))
		if path.IsAbs(abs) && dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, p := range confs {
		text, err := s.read(p)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			add(strings.TrimSpace(line))
		}
	}
	add("/lib")
	return dirs, nil
}

// libraries are those directly in dir that have the name by which they are needed.
func (s *debSink) libraries(dir string) ([]library, error) {
	var found []library
	for p := range s.t.nodes {
		name := path.Base(p)
		if path.Dir(p) != path.Join(s.base, dir) || !strings.Contains(name, ".so") {
			continue
		}
		file, ok := s.real(p)
		if !ok {
			continue
		}
		machine, soname, err := s.soname(file)
		if err != nil {
			return nil, fmt.Errorf("library %q: %w", p, err)
		}
		if flags := libraryFlags[machine]; flags != 0 && soname == name {
			found = append(found, library{name, path.Join("/usr", dir, name), flags})
		}
	}
	return found, nil
}

// real follows links inside the tree to a file.
func (s *debSink) real(p string) (string, bool) {
	for range 8 {
		n, ok := s.t.nodes[p]
		if !ok || n.kind == dirKind {
			return "", false
		}
		if n.kind == fileKind {
			return p, true
		}
		if inside, ok := strings.CutPrefix(n.target, "/usr/"); ok {
			p = path.Join(s.base, inside)
		} else {
			p = path.Join(path.Dir(p), n.target)
		}
	}
	return "", false
}

// soname is the machine that a file is made for and the name that it gives
// itself; both are "" for what is no shared object.
func (s *debSink) soname(p string) (machine, name string, err error) {
	f, err := s.t.root.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", "", nil // too short
	}
	if machine = machineOf(head); machine == "" {
		return "", "", nil
	}
	object, err := elf.NewFile(f)
	if err != nil {
		return "", "", nil // ld.so will say so
	}
	names, err := object.DynString(elf.DT_SONAME)
	if err != nil || len(names) != 1 {
		return "", "", nil
	}
	return machine, names[0], nil
}

// encodeCache writes the format that glibc has had alone since 2.32
// (dl-cache.h): a header of 48 bytes, entries of 24 bytes that are searched by
// halves, and strings that they refer to by their place in the file.
func encodeCache(all []library) []byte {
	const header, entry = 48, 24
	slices.SortFunc(all, func(a, b library) int { return compareLibraries(b.name, a.name) })
	var strs bytes.Buffer
	at := func(text string) uint32 {
		offset := header + entry*len(all) + strs.Len()
		strs.WriteString(text + "\x00")
		return uint32(offset)
	}
	out := []byte("glibc-ld.so.cache1.1")
	entries := make([]byte, 0, entry*len(all))
	for _, l := range all {
		for _, v := range []uint32{l.flags, at(l.name), at(l.file), 0, 0, 0} { // no least kernel, no processor
			entries = binary.LittleEndian.AppendUint32(entries, v)
		}
	}
	const littleEndian = 2
	for _, v := range []uint32{uint32(len(all)), uint32(strs.Len()), littleEndian, 0, 0, 0, 0} {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return append(append(out, entries...), strs.Bytes()...)
}

// compareLibraries orders names as ld.so searches them: digits by their value.
func compareLibraries(a, b string) int {
	digits := func(s string) (value int, rest string) {
		for s != "" && s[0] >= '0' && s[0] <= '9' {
			value, s = value*10+int(s[0]-'0'), s[1:]
		}
		return value, s
	}
	isDigit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	for a != "" {
		switch {
		case isDigit(a) && isDigit(b):
			var x, y int
			x, a = digits(a)
			y, b = digits(b)
			if x != y {
				return x - y
			}
		case isDigit(a):
			return 1
		case isDigit(b):
			return -1
		case b == "":
			return 1
		case a[0] != b[0]:
			return int(a[0]) - int(b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return -len(b)
}
