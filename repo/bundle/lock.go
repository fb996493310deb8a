package bundle

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"sandbox/internal/lazy"
)

// LockName is the file beside a manifest that records what its debian sources
// resolved to. With it the same manifest gives the same bytes, whatever the
// archive holds by then.
const LockName = "sandbox.lock"

const lockHead = `# What the debian sources of sandbox.toml stand for; commit this file.
# "sandbox build --update-lock" writes it anew.
sandbox-lock 1
`

// A lock has a section for each source and architecture that was built.
type lock struct{ sections []lockSection }

type lockSection struct {
	Arch     string // as Debian calls it
	Suite    string
	Base     string // digest of the runtime's package status; "-" without
	Packages []string
	Locked   []lockedPackage
}

type lockedPackage struct {
	Name, Version, Arch, SHA256 string
	Size                        int64
}

// request is what a section answers; a lock is obeyed while it is unchanged.
func (s lockSection) request() string {
	return strings.Join(append([]string{s.Arch, s.Suite, s.Base}, s.Packages...), " ")
}

func (l *lock) find(want lockSection) ([]lockedPackage, bool) {
	for _, s := range l.sections {
		if s.request() == want.request() {
			return s.Locked, true
		}
	}
	return nil, false
}

// prune keeps what other architectures locked and replaces the sections of
// arch by those of this build.
func (l *lock) prune(arch string, now []lockSection) *lock {
	kept := slices.DeleteFunc(slices.Clone(l.sections), func(s lockSection) bool { return s.Arch == arch })
	kept = append(kept, now...)
	slices.SortFunc(kept, func(a, b lockSection) int { return cmp.Compare(a.request(), b.request()) })
	kept = slices.CompactFunc(kept, func(a, b lockSection) bool { return a.request() == b.request() })
	return &lock{kept}
}

func (l *lock) String() string {
	var b strings.Builder
	b.WriteString(lockHead)
	for _, s := range l.sections {
		fmt.Fprintf(&b, "\nsource %s\n", s.request())
		for _, p := range s.Locked {
			fmt.Fprintf(&b, "deb %s %s %s %d %s\n", p.Name, p.Version, p.Arch, p.Size, p.SHA256)
		}
	}
	return b.String()
}

var (
	packageName = lazy.Regexp(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`)
	versionText = lazy.Regexp(`^[0-9][A-Za-z0-9.+:~-]*$`)
	suiteName   = lazy.Regexp(`^[a-z][a-z0-9.-]*(/[a-z0-9.-]+)*$`)
	archName    = lazy.Regexp(`^[a-z0-9]+$`)
	sha256Hex   = lazy.Regexp(`^[0-9a-f]{64}$`)
)

func (p lockedPackage) check() error {
	if !packageName().MatchString(p.Name) || !versionText().MatchString(p.Version) || !archName().MatchString(p.Arch) || !sha256Hex().MatchString(p.SHA256) || p.Size <= 0 {
		return fmt.Errorf("unusable package %q %q %q", p.Name, p.Version, p.Arch)
	}
	return nil
}

func parseLock(r io.Reader) (*lock, error) {
	in := bufio.NewScanner(io.LimitReader(r, 16<<20))
	l := &lock{}
	seen := false
	for n := 1; in.Scan(); n++ {
		words := strings.Fields(in.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if !seen {
			if in.Text() != "sandbox-lock 1" {
				return nil, fmt.Errorf("line %d: no lock of version 1", n)
			}
			seen = true
			continue
		}
		if err := l.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if !seen {
		return nil, fmt.Errorf("no lock of version 1")
	}
	return l, nil
}

func (l *lock) line(words []string) error {
	switch {
	case words[0] == "source" && len(words) >= 5:
		s := lockSection{Arch: words[1], Suite: words[2], Base: words[3], Packages: words[4:]}
		l.sections = append(l.sections, s)
		return nil
	case words[0] == "deb" && len(words) == 6 && len(l.sections) > 0:
		size, err := strconv.ParseInt(words[4], 10, 64)
		if err != nil {
			return fmt.Errorf("unusable size %q", words[4])
		}
		p := lockedPackage{Name: words[1], Version: words[2], Arch: words[3], Size: size, SHA256: words[5]}
		last := &l.sections[len(l.sections)-1]
		last.Locked = append(last.Locked, p)
		return p.check()
	}
	return fmt.Errorf("unknown entry %q", words[0])
}
