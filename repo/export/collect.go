package export

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
	"sandbox/repo/installed"
)

// work is one Sync: what shall be there, and what there is to say.
type work struct {
	place  Place
	files  map[string]product // by path below Data
	had    record
	report Report

	linked  map[string]manifest.ID // command names that start a command of that name
	types   []fileType
	entries map[string][]string // desktop entries and the types they open
}

// open is an app whose bundle is being read.
type open struct {
	man *manifest.Manifest
	top int // its directory
}

func (w *work) note(app manifest.ID, format string, args ...any) {
	w.report.Notes = append(w.report.Notes, Note{app, fmt.Sprintf(format, args...)})
}

// collect decides what shall be there. It reads bundles and changes nothing.
func collect(p Place, apps []App, d Decisions, had record) *work {
	w := &work{place: p, files: map[string]product{}, had: had,
		linked: map[string]manifest.ID{}, entries: map[string][]string{}}
	opened, elsewhere := w.open(apps)
	defer func() {
		for _, a := range opened {
			unix.Close(a.top)
		}
	}()
	w.commands(opened, d, elsewhere)
	for _, a := range opened {
		if !elsewhere[a.man.ID] {
			w.app(a, slices.Contains(d.Completions, a.man.ID))
		}
	}
	w.add(filepath.Join(shareDir, "applications/mimeinfo.cache"), "", mimeCache(w.entries))
	for name, data := range mimeDatabase(w.types) {
		w.add(filepath.Join(shareDir, "mime", name), "", data)
	}
	return w
}

// open reads the manifests, in the order of ids. Of two deployments of one app
// the first in the list counts.
func (w *work) open(apps []App) (opened []open, elsewhere map[manifest.ID]bool) {
	elsewhere = map[manifest.ID]bool{}
	seen := map[manifest.ID]bool{}
	for _, a := range apps {
		if seen[a.ID] {
			continue
		}
		seen[a.ID] = true
		man, err := manifest.Load(a.Dir)
		if err == nil && man.ID != a.ID {
			err = fmt.Errorf("its manifest is that of %s", man.ID)
		}
		if err == nil && man.Kind != manifest.App {
			continue
		}
		top := -1
		if err == nil {
			top, err = openat(unix.AT_FDCWD, a.Dir, unix.O_PATH|unix.O_DIRECTORY)
		}
		if err != nil {
			w.note(a.ID, "cannot export anything: %v", err)
			continue
		}
		elsewhere[a.ID] = a.Elsewhere
		opened = append(opened, open{man, top})
	}
	slices.SortFunc(opened, func(a, b open) int { return strings.Compare(string(a.man.ID), string(b.man.ID)) })
	return opened, elsewhere
}

func (w *work) commands(opened []open, d Decisions, elsewhere map[manifest.ID]bool) {
	men := make([]*manifest.Manifest, len(opened))
	for i, a := range opened {
		men[i] = a.man
	}
	w.report.Commands = decide(men, d, w.had.owners(), hostProgram(w.place.Path, w.place.Bin()), elsewhere)
	for _, c := range w.report.Commands {
		if !c.Linked {
			continue
		}
		if c.Name == c.Target.Command {
			w.linked[c.Name] = c.Target.App
		}
		link := installed.CommandLink(c.Target.App, c.Target.Command)
		w.files[filepath.Join(binDir, c.Name)] = product{app: c.Target.App, alias: c.Alias, link: link}
		w.files[filepath.Join(binDir, link)] = product{app: c.Target.App, link: w.place.Program}
	}
}

// mostNamed is how many types a note names.
const mostNamed = 8

// app collects what one app exports besides its commands.
func (w *work) app(a open, completions bool) {
	id, e := a.man.ID, a.man.Exports
	var icons []string
	for _, x := range e.Icons {
		data, ok := w.read(a, x, maxIcon)
		if !ok {
			continue
		}
		dir, data, err := icon(x.Name, data)
		if w.failed(a, x, err) {
			continue
		}
		if w.add(filepath.Join(shareDir, "icons/hicolor", dir, x.Name), id, data) {
			icons = append(icons, x.Name[:len(x.Name)-len(".png")])
		}
	}
	var entries []string
	for _, x := range e.Desktop {
		data, ok := w.read(a, x, maxDesktop)
		if !ok {
			continue
		}
		text, claims, err := desktopEntry(w.place, a.man, icons, data)
		if !w.failed(a, x, err) && w.add(filepath.Join(shareDir, "applications", x.Name), id, text) {
			entries = append(entries, x.Name)
			w.entries[x.Name] = claims.opens
		}
		if n := len(claims.unasked); n > 0 {
			w.note(id, "%s would open what export.opens of its manifest does not name, so that is left out: %s", x.Name, strings.Join(claims.unasked[:min(n, mostNamed)], ", "))
		}
	}
	for _, x := range e.Mime {
		data, ok := w.read(a, x, maxMime)
		if !ok {
			continue
		}
		types, err := readTypes(data)
		if !w.failed(a, x, err) && w.add(filepath.Join(shareDir, "mime/packages", x.Name), id, mimePackage(types)) {
			w.types = append(w.types, types...)
		}
	}
	for _, x := range e.Metainfo {
		w.add(filepath.Join(shareDir, "metainfo", x.Name), id, metainfo(a.man, entries))
	}
	for _, name := range ownNames(a.man) {
		text, err := busService(w.place, a.man, name)
		if !w.failed(a, manifest.Export{Name: name}, err) {
			w.add(filepath.Join(shareDir, "dbus-1/services", name+".service"), id, text)
		}
	}
	w.pages(a)
	if completions {
		w.completions(a)
	} else if len(e.Completions) > 0 {
		w.note(id, "shell completions of %s are code that runs outside the sandbox, so they are left out; 'sandbox completion allow %s' takes them", id, id)
	}
}

// pages: a page stands for a command that the app has in PATH, and never in
// front of a page of the host for another one.
func (w *work) pages(a open) {
	for _, x := range a.man.Exports.Man {
		data, ok := w.read(a, x, maxPage)
		if !ok {
			continue
		}
		file, text, err := manPage(x.Name, data)
		if w.failed(a, x, err) {
			continue
		}
		dir, stem := pageDir(file)
		if !w.described(a.man.ID, stem) || w.linked[stem] != a.man.ID && w.hostPage(dir, file) {
			continue
		}
		w.add(filepath.Join(shareDir, dir, file), a.man.ID, text)
	}
}

// described reports whether the page is about a command that the app has.
func (w *work) described(id manifest.ID, stem string) bool {
	for name, owner := range w.linked {
		if owner == id && strings.HasPrefix(stem, name) {
			return true
		}
	}
	return false
}

func (w *work) hostPage(dir, file string) bool {
	for _, man := range w.place.Man {
		for _, ending := range []string{"", ".gz", ".xz", ".bz2", ".zst"} {
			if _, err := os.Lstat(filepath.Join(man, filepath.Base(dir), file+ending)); err == nil {
				return true
			}
		}
	}
	return false
}

func (w *work) completions(a open) {
	for _, x := range a.man.Exports.Completions {
		path, command := completionFile(x.Name)
		if w.linked[command] != a.man.ID {
			continue // of a command that is not in PATH, or is another's
		}
		data, ok := w.read(a, x, maxCompletion)
		if !ok || w.failed(a, x, plainText(data)) {
			continue
		}
		w.add(filepath.Join(shareDir, path), a.man.ID, data)
	}
}

func (w *work) read(a open, x manifest.Export, limit int64) ([]byte, bool) {
	data, err := readInside(a.top, x.Path, limit)
	if err != nil {
		w.note(a.man.ID, "cannot export %s: %v", x.Name, err)
	}
	return data, err == nil
}

func (w *work) failed(a open, x manifest.Export, err error) bool {
	if err != nil {
		w.note(a.man.ID, "cannot export %s: %v", strings.TrimSpace(x.Name+" "+x.Path), err)
	}
	return err != nil
}

// add claims a path. The app whose id is the name has it before the app whose id
// is a prefix of it; else the one that had it, else the first by id.
func (w *work) add(path string, app manifest.ID, data []byte) bool {
	if len(data) == 0 {
		return false
	}
	other, taken := w.files[path]
	if taken && (other.app == app || w.prefers(path, other.app, app)) {
		w.note(app, "cannot export %s: %s exports it", filepath.Base(path), other.app)
		return false
	}
	if taken {
		w.note(other.app, "cannot export %s: %s exports it", filepath.Base(path), app)
	}
	w.files[path] = product{app: app, data: data}
	return true
}

// prefers reports whether a has a better claim to path than b.
func (w *work) prefers(path string, a, b manifest.ID) bool {
	name := filepath.Base(path)
	exact := func(id manifest.ID) bool {
		rest, ok := strings.CutPrefix(name, string(id))
		return ok && strings.Count(rest, ".") <= 1 // nothing follows the id but an extension
	}
	if exact(a) != exact(b) {
		return exact(a)
	}
	return w.had.Files[path].App != b
}
