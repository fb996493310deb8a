package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/permissions"
)

// Made is something that is created on the host before the launch, because a
// grant says so or because a mount needs something to stand on. What exists is
// left as it is.
type Made struct {
	Path    string
	File    bool
	Content string
	Mode    uint32
}

// String is a line of the dry run.
func (m Made) String() string {
	kind := "directory"
	if m.File {
		kind = "file"
	}
	return fmt.Sprintf("%s %s mode=%04o", kind, safe.Text(m.Path), m.Mode)
}

// grants turns the file permissions of an app into steps. All paths of the set
// are absolute by now.
type grants struct {
	host  *Host
	named []string               // paths that a grant names, however wide others are
	nodes []permissions.FileNode // what it comes to: the points where access changes
	asked []string               // paths the person who starts the app named just now
	binds []Step
	cover []Step
	made  []Made
	notes []string
	err   []error
	at    atomic.Value // the path being looked at, for when it hangs
}

func (g *grants) look(p string) (Found, error) {
	g.at.Store(p)
	return g.host.Look(p)
}

// files decides the binds of every file permission, then what is covered again:
// denied paths, the project's own state, and the guarded paths of the home.
// Steps come out parents first, a cover after the bind it covers.
func (g *grants) files() (steps []Step, err error) {
	if len(g.nodes) == 0 {
		return nil, nil
	}
	hung := within(patience, func() { steps, err = g.decide() }, func() string { return g.at.Load().(string) })
	if hung != nil {
		return nil, hung
	}
	return steps, err
}

func (g *grants) decide() ([]Step, error) {
	for _, n := range g.nodes {
		switch {
		case n.Access == permissions.None:
			g.deny(n.Path)
		case n.Path == "/":
			g.wholeHost(n)
		default:
			g.bind(n)
		}
	}
	if len(g.binds) > 0 {
		g.hideOwnState()
		g.guardHome()
	}
	if err := errors.Join(g.err...); err != nil {
		return nil, err
	}
	steps := append(g.binds, g.cover...)
	slices.SortStableFunc(steps, func(a, b Step) int { return strings.Count(a.Target, "/") - strings.Count(b.Target, "/") })
	return steps, nil
}

// wholeHost shows every directory of the host that does not mean something
// else inside, and the host's own system below /run/host.
func (g *grants) wholeHost(n permissions.FileNode) {
	names := g.host.Entries("/")
	slices.Sort(names)
	for _, name := range names {
		p := "/" + name
		if isReserved(p) || p == "/tmp" || p == "/var" || p == emptyDir || p == "/lost+found" {
			continue
		}
		if f, err := g.look(p); err != nil || !f.IsDir() || f.Path != p {
			continue
		}
		g.bind(permissions.FileNode{Path: p, Access: n.Access})
	}
	for _, p := range []string{"/usr", "/etc"} {
		if f, err := g.look(p); err == nil && f.IsDir() {
			g.binds = append(g.binds, Step{Do: Bind, Source: f.Path, Target: "/run/host" + p, ReadOnly: true, Why: "files:host:read"})
		}
	}
}

// words is a node as a permission, the home abbreviated.
func (g *grants) words(n permissions.FileNode) string {
	subject := n.Path
	if below(subject, g.host.Home) {
		subject = strings.TrimSuffix("~/"+strings.TrimPrefix(subject[len(g.host.Home):], "/"), "/")
	}
	return permissions.Permission{Kind: permissions.Files, Subject: subject, Access: n.Access}.String()
}

// bind shows the host's path of a node inside.
func (g *grants) bind(n permissions.FileNode) {
	f, err := g.look(n.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && n.Access == permissions.Create:
		f, err = g.create(n.Path)
	case errors.Is(err, fs.ErrNotExist) && !slices.Contains(g.asked, n.Path):
		g.notes = append(g.notes, fmt.Sprintf("%s gives nothing here: there is no %s", g.words(n), n.Path))
		return
	}
	if err == nil {
		err = g.refuse(n.Path, f)
	}
	if err == nil {
		err = g.refuseRedirected(n.Path, f.Path)
	}
	if err != nil {
		g.fail(n.Path, err)
		return
	}
	g.binds = append(g.binds, Step{Do: Bind, Source: f.Path, Target: g.place(n.Path, f.Path), ReadOnly: n.Access < permissions.Write,
		IsFile: !f.IsDir(), Hostile: true, Ino: f.Ino, Dev: f.Dev, Why: g.words(n)})
}

// refuse says why a path that exists cannot be granted.
func (g *grants) refuse(p string, f Found) error {
	switch {
	case f.is(unix.S_IFIFO):
		return hint.With(errors.New("it is a FIFO"), "only directories and regular files can be granted")
	case f.is(unix.S_IFSOCK):
		return hint.With(errors.New("it is a socket"), "services are granted by name: see `sandbox help permissions`, socket:")
	case f.is(unix.S_IFCHR) || f.is(unix.S_IFBLK):
		return hint.With(errors.New("it is a device"), "devices are granted by name: see `sandbox help permissions`, device:")
	case !f.IsDir() && !f.is(unix.S_IFREG):
		return errors.New("it is neither a directory nor a regular file")
	case isReserved(f.Path):
		return hint.With(fmt.Errorf("%s is reserved: it is the system's, or means something else inside", f.Path),
			"files:host shows the host's system read-only in /run/host")
	}
	for _, own := range ownState(g.host) {
		if below(f.Path, own) {
			return hint.With(fmt.Errorf("%s holds what sandbox itself keeps", own), "no app can be given it; copy what you need elsewhere")
		}
	}
	return g.refuseKeys(p, f)
}

// refuseKeys: a link, which another app may have planted, must not turn the
// grant of an ordinary path into one of the user's keys.
func (g *grants) refuseKeys(p string, f Found) error {
	for _, entry := range guardedHome {
		keys := path.Join(g.host.Home, entry.rel)
		if !entry.hide || below(p, keys) && slices.Contains(g.named, p) {
			continue
		}
		if real, err := g.look(keys); err == nil && below(f.Path, real.Path) {
			return hint.With(fmt.Errorf("it leads to %s", keys), "grant that by its own name if you mean it")
		}
	}
	return nil
}

// refuseRedirected: below a directory that the app may write to, any link may be
// the app's. One that leads a second grant out of that directory would give the
// app what nobody granted (CVE-2024-42472).
func (g *grants) refuseRedirected(p, real string) error {
	for _, n := range g.nodes {
		if n.Access < permissions.Write || n.Path == p || !below(p, n.Path) {
			continue
		}
		wider, err := g.look(n.Path)
		if err == nil && real != rebase(p, n.Path, wider.Path) && !below(real, wider.Path) {
			return hint.With(fmt.Errorf("a link below %s, where the app may write, leads to %s", n.Path, real),
				"grant the place it leads to, if you mean that")
		}
	}
	return nil
}

func (g *grants) fail(p string, err error) {
	way := hint.Of(err)
	if errors.Is(err, fs.ErrNotExist) {
		err, way = errors.New("there is no such file or directory"), "make it first, or grant it with :create"
	} else if errors.Is(err, unix.ELOOP) {
		err, way = errors.New("its symbolic links lead in a circle"), "grant the directory itself"
	} else if errors.Is(err, unix.EACCES) {
		err = errors.New("you may not enter it yourself")
	}
	err = fmt.Errorf("cannot grant %s: %w", p, err)
	if way != "" {
		err = hint.With(err, "%s", way)
	}
	g.err = append(g.err, err)
}

// create plans to make a missing directory, and its parents, below the deepest
// one that exists.
func (g *grants) create(p string) (Found, error) {
	var missing []string
	dir := p
	for {
		f, err := g.look(dir)
		if err == nil {
			if !f.IsDir() {
				return Found{}, fmt.Errorf("%s is not a directory", dir)
			}
			real := f.Path
			for i := len(missing) - 1; i >= 0; i-- {
				real = path.Join(real, missing[i])
				g.made = append(g.made, Made{Path: real, Mode: 0o755})
			}
			return Found{Path: real, Mode: unix.S_IFDIR | 0o755}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return Found{}, err
		}
		missing = append(missing, path.Base(dir))
		dir = path.Dir(dir)
	}
}

// place is where a granted path appears: at its own name, or, when a wider
// grant shows the place already, where that shows it, since a link on the way
// is then seen as a link inside too.
func (g *grants) place(p, real string) string {
	at := p
	for _, b := range g.binds {
		if below(p, b.Target) && p != b.Target && below(real, b.Source) {
			at = rebase(real, b.Source, b.Target)
		}
	}
	return at
}

// inside lists where a host path can be seen, given all binds.
func (g *grants) inside(real string) (places []string, writable bool) {
	for _, b := range g.binds {
		if below(real, b.Source) && !strings.HasPrefix(b.Target, "/run/host") {
			places = append(places, rebase(real, b.Source, b.Target))
			writable = writable || !b.ReadOnly
		}
	}
	return places, writable
}

// deny covers a denied path wherever a grant shows it.
func (g *grants) deny(p string) {
	f, err := g.look(p)
	if errors.Is(err, fs.ErrNotExist) {
		g.denyMissing(p)
		return
	}
	if err != nil {
		g.err = append(g.err, fmt.Errorf("cannot deny %s: %w", p, err))
		return
	}
	places, _ := g.inside(f.Path)
	for _, at := range places {
		g.cover = append(g.cover, Step{Do: Mask, Target: at, IsFile: !f.IsDir(), Hostile: true, Why: "denied"})
	}
	g.pin(f.Path)
	g.pinLinks(p)
}

// denyMissing holds the place of a denied path that does not exist yet: the
// app must not be the one to make it.
func (g *grants) denyMissing(p string) {
	places, err := g.reserve(p)
	if err != nil {
		g.err = append(g.err, fmt.Errorf("cannot deny %s: %w", p, err))
	}
	for _, at := range places {
		g.cover = append(g.cover, Step{Do: Mask, Target: at, Hostile: true, Why: "denied"})
	}
}

// reserve plans to make a missing directory that will be covered where a grant
// would let the app make it. Elsewhere, read-only places included, it stays
// missing, and nothing is made where a link of the app's may lead.
func (g *grants) reserve(p string) ([]string, error) {
	planned := len(g.made)
	f, err := g.create(p)
	if err != nil {
		if _, writable := g.inside(p); !writable {
			err = nil
		}
		return nil, err
	}
	places, writable := g.inside(f.Path)
	if !writable {
		g.made = g.made[:planned]
		return nil, nil
	}
	g.pin(f.Path)
	g.pinLinks(p)
	return places, nil
}

func (g *grants) granted(target string) bool {
	return slices.ContainsFunc(g.binds, func(s Step) bool { return s.Target == target })
}

// hideOwnState covers the project's own directories below any wider grant.
func (g *grants) hideOwnState() {
	for _, dir := range ownState(g.host) {
		var places []string
		f, err := g.look(dir)
		if err == nil {
			places, _ = g.inside(f.Path)
			g.pin(f.Path)
			g.pinLinks(dir)
		} else if places, err = g.reserve(dir); err != nil {
			g.err = append(g.err, fmt.Errorf("cannot protect %s: %w", dir, err))
		}
		for _, at := range places {
			g.cover = append(g.cover, Step{Do: Mask, Target: at, Hostile: true, Why: "sandbox's own state"})
		}
	}
}

// guardHome covers the guarded paths below grants that are wider than they.
func (g *grants) guardHome() {
	for _, entry := range guardedHome {
		p := path.Join(g.host.Home, entry.rel)
		itself, inner := g.opens(p)
		if itself {
			continue
		}
		real := p
		f, err := g.look(p)
		missing := errors.Is(err, fs.ErrNotExist)
		if err == nil {
			real = f.Path
		}
		if missing {
			real = g.destined(p)
		}
		places, writable := g.inside(real)
		if len(places) == 0 || missing && (!writable || !g.wanted(entry)) {
			continue
		}
		file := entry.file
		if err == nil {
			file = !f.IsDir()
		}
		if missing {
			g.make(real, entry)
		}
		s := Step{Do: Self, ReadOnly: true, IsFile: file, Hostile: true, Why: "guarded"}
		switch {
		case entry.hide && inner && !file: // an inner grant needs a place to stand on
			s = Step{Do: Tmpfs, Size: 64 << 10, Inodes: 64, Mode: 0o700, Hostile: true, Why: "guarded"}
		case entry.hide:
			s.Do = Mask
		}
		for _, at := range places {
			s.Target = at
			g.cover = append(g.cover, s)
		}
		g.pin(real)
		g.pinLinks(p)
	}
}

// destined is where a missing path would come to lie: below what the deepest
// directory on its way that exists leads to.
func (g *grants) destined(p string) string {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if f, err := g.look(dir); err == nil || dir == "/" {
			return rebase(p, dir, f.Path)
		}
	}
}

// wanted reports whether a guarded path that is missing must be made: whether
// anything on this host would run it.
func (g *grants) wanted(entry guarded) bool {
	if !entry.make {
		return false
	}
	if entry.of == "" {
		return true
	}
	_, err := g.look(entry.of)
	return err == nil
}

// opens reports whether a grant names exactly p, and whether one names
// something below it.
func (g *grants) opens(p string) (itself, inner bool) {
	for _, n := range g.named {
		if n != "/" && n != g.host.Home {
			itself = itself || n == p
			inner = inner || n != p && below(n, p)
		}
	}
	return itself, inner
}

// make plans to create a guarded path that does not exist.
func (g *grants) make(real string, entry guarded) {
	if f, err := g.create(path.Dir(real)); err != nil {
		g.err = append(g.err, fmt.Errorf("cannot protect %s: %w", real, err))
		return
	} else {
		real = path.Join(f.Path, path.Base(real))
	}
	m := Made{Path: real, File: entry.file, Content: entry.content, Mode: entry.mode}
	if !entry.file {
		m.Mode = 0o700
	}
	g.made = append(g.made, m)
}

// pin makes mount points of the directories between a covered path and the
// grant that shows it, so that none can be renamed away with the cover on it
// and a new one put in its place.
func (g *grants) pin(real string) {
	for _, b := range g.binds {
		if b.ReadOnly || !below(real, b.Source) {
			continue
		}
		for dir := path.Dir(real); below(dir, b.Source) && dir != b.Source; dir = path.Dir(dir) {
			at := rebase(dir, b.Source, b.Target)
			if !g.covered(at) && !g.granted(at) {
				g.cover = append(g.cover, Step{Do: Self, Target: at, Hostile: true, Why: "keeps its place"})
			}
		}
	}
}

// pinLinks holds every symbolic link on the way to a covered path: what they
// lead to is covered, but a link itself could be replaced, ~/.config as well as
// ~/.bashrc.
func (g *grants) pinLinks(p string) {
	for _, link := range g.links(p) {
		places, writable := g.inside(link)
		if !writable {
			continue
		}
		for _, at := range places {
			if !g.covered(at) && !g.granted(at) {
				g.cover = append(g.cover, Step{Do: Self, Target: at, ReadOnly: true, Link: true, Hostile: true, Why: "keeps its place"})
			}
		}
		g.pin(link)
	}
}

// maxLinks is the kernel's own limit on the links of one path.
const maxLinks = 40

// links lists the symbolic links met on the way to p, each by its own place.
func (g *grants) links(p string) (found []string) {
	at, rest := "/", strings.Split(p, "/")
	for len(rest) > 0 && len(found) < maxLinks {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		to, err := g.host.Link(next)
		if next == at || err != nil {
			at = next
			continue
		}
		found = append(found, next)
		if path.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return found
}

func (g *grants) covered(target string) bool {
	return slices.ContainsFunc(g.cover, func(s Step) bool { return s.Target == target })
}
