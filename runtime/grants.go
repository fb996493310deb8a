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
		return hint.With(errors.New("it is a socket"), "services are granted by name: see 'sandbox help permissions', socket:")
	case f.is(unix.S_IFCHR) || f.is(unix.S_IFBLK):
		return hint.With(errors.New("it is a device"), "devices are granted by name: see 'sandbox help permissions', device:")
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
