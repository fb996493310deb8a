package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

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
