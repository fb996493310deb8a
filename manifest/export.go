package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const maxExports = 256

// exportClass is one array of [export]: what it is for, and the names that its
// files may have outside. The rule of names keeps a bundle from replacing a
// file of the system or of another bundle.
type exportClass struct {
	name    string
	allowed string // the rule in words, for hints
	fits    func(m *Manifest, name string) bool
	into    func(*Exports) *[]Export
}

var exportClasses = []exportClass{
	{"desktop", "the id, perhaps .SUFFIX, then .desktop", desktopName, func(e *Exports) *[]Export { return &e.Desktop }},
	{"icons", "the id, perhaps .SUFFIX or -symbolic, then .png or .svg", iconName, func(e *Exports) *[]Export { return &e.Icons }},
	{"man", "the name of a command of this bundle, perhaps with more, then .SECTION", manName, func(e *Exports) *[]Export { return &e.Man }},
	{"mime", "the id, perhaps .SUFFIX, then .xml", mimeName, func(e *Exports) *[]Export { return &e.Mime }},
	{"metainfo", "the id, then .metainfo.xml", metainfoName, func(e *Exports) *[]Export { return &e.Metainfo }},
	{"completions", "the name of a command of this bundle, as bash, zsh or fish wants it", completionName, func(e *Exports) *[]Export { return &e.Completions }},
}

func (r *reader) export(n *node, path string) { r.table(n, "export.", path+".") }

// exportArray reads the array of one class; the rule of names waits until all
// names of commands are known.
func (r *reader) exportArray(n *node, path string) {
	class := exportClasses[slices.IndexFunc(exportClasses, func(c exportClass) bool { return path == "export."+c.name })]
	list := class.into(&r.m.Exports)
	for i, elem := range n.elems {
		if i >= maxExports {
			r.bad(elem, "", "%s has more than %d elements", class.name, maxExports)
			return
		}
		if !r.is(elem, []nodeKind{stringNode, tableNode}, "element of "+strconv.Quote(class.name)) {
			continue
		}
		at := elem
		var e Export
		if elem.kind == stringNode {
			e.Path = r.exportPath(elem)
			e.Name = e.Path[strings.LastIndexByte(e.Path, '/')+1:]
		} else {
			e, at = r.exportTable(elem)
		}
		r.m.where[path+"["+strconv.Itoa(len(*list))+"]"] = r.place(at.at, at.end)
		*list = append(*list, e)
	}
}

const maxOpens = 64

func (r *reader) opens(n *node, _ string) {
	for _, elem := range r.strings(n, "opens", maxOpens) {
		switch {
		case !IsMediaType(elem.text):
			r.bad(elem, "write it like \"text/plain\" or \"x-scheme-handler/magnet\"", "%q is not a type of files in lower case", elem.text)
		case !opensScheme(elem.text):
			r.bad(elem, "letters, digits, + - and . after a letter, and none by which programs name what is on this machine", "%q is no scheme of addresses that an app may open", elem.text)
		case slices.Contains(r.m.Exports.Opens, elem.text):
			r.bad(elem, "", "opens has %q twice", elem.text)
		default:
			r.m.Exports.Opens = append(r.m.Exports.Opens, elem.text)
		}
	}
}

// IsMediaType tells whether text is TYPE/SUBTYPE of RFC 6838, in lower case: the
// letters of a type mean the same in both, and one spelling is enough.
func IsMediaType(text string) bool {
	media, sub, ok := strings.Cut(text, "/")
	part := func(p string) bool {
		return p != "" && isLowerAlnum(rune(p[0])) && !strings.ContainsFunc(p, func(c rune) bool { return !isLowerAlnum(c) && !strings.ContainsRune("!#$&-^_.+", c) })
	}
	return ok && len(text) <= 120 && part(media) && part(sub)
}

// ownSchemes name something on this machine, or something to run: no way leads there
// that an app could be offered for.
var ownSchemes = []string{"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"}

// opensScheme tells whether a type that stands for a scheme of addresses holds one of
// RFC 3986 that may be opened; other types do not matter.
func opensScheme(text string) bool {
	scheme, ok := strings.CutPrefix(text, "x-scheme-handler/")
	return !ok || !strings.ContainsAny(scheme, "!#$&^_") && scheme[0] >= 'a' && !slices.Contains(ownSchemes, scheme)
}

func isLowerAlnum(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func (r *reader) exportPath(n *node) string {
	path, err := insidePath(n.text)
	r.report(n, err)
	return path
}

// exportTable reads { path, name }, and gives the node that names the file.
func (r *reader) exportTable(n *node) (e Export, at *node) {
	at = n
	for _, key := range n.names {
		child := n.items[key]
		if key != "path" && key != "name" {
			r.badKey(child, keyHint(key, []string{"path", "name"}), "unknown key %q", key)
			continue
		}
		if !r.is(child, wantString, strconv.Quote(key)) {
			continue
		}
		if key == "path" {
			e.Path = r.exportPath(child)
		} else {
			e.Name, at = child.text, child
		}
	}
	if n.get("path") == nil {
		r.bad(n, "", `key "path" is missing`)
	}
	if n.get("name") == nil {
		e.Name = e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	}
	return e, at
}

// checkExports holds the names outside to the rules of their classes.
func (r *reader) checkExports() {
	for _, class := range exportClasses {
		var seen []string
		for i, e := range *class.into(&r.m.Exports) {
			at := fmt.Sprintf("export.%s[%d]", class.name, i)
			switch {
			case e.Path == "" || r.m.ID == "":
			case !isFileName(e.Name) || !class.fits(r.m, e.Name):
				r.badAt(at, "allowed is: "+class.allowed, "%s cannot be exported as %q", class.name, e.Name)
			case slices.Contains(seen, e.Name):
				r.badAt(at, "", "%s exports %q twice", class.name, e.Name)
			}
			seen = append(seen, e.Name)
		}
	}
}

// isFileName wants a visible name of plain characters.
func isFileName(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i, c := range name {
		if !isAlnum(c) && c != '_' && (i == 0 || !strings.ContainsRune(".+-", c)) {
			return false
		}
	}
	return true
}

// idName allows ID+ext and ID.SUFFIX+ext.
func idName(m *Manifest, name, ext string) bool {
	stem, ok := strings.CutSuffix(name, ext)
	if !ok {
		return false
	}
	if stem == string(m.ID) {
		return true
	}
	suffix, ok := strings.CutPrefix(stem, string(m.ID)+".")
	return ok && checkIDElement(suffix) == nil
}

func desktopName(m *Manifest, name string) bool { return idName(m, name, ".desktop") }
func mimeName(m *Manifest, name string) bool    { return idName(m, name, ".xml") }

func metainfoName(m *Manifest, name string) bool { return name == string(m.ID)+".metainfo.xml" }

func iconName(m *Manifest, name string) bool {
	for _, ext := range []string{".png", ".svg"} {
		if stem, ok := strings.CutSuffix(name, ext); ok {
			return idName(m, strings.TrimSuffix(stem, "-symbolic"), "")
		}
	}
	return false
}

// manName allows COMMAND.1 and pages of its family: COMMAND-add.1,
// COMMANDrc.5.
func manName(m *Manifest, name string) bool {
	stem, section, ok := cutLast(strings.TrimSuffix(name, ".gz"), ".")
	if !ok || section == "" || section[0] < '1' || section[0] > '9' {
		return false
	}
	return slices.ContainsFunc(m.Commands, func(c Command) bool { return strings.HasPrefix(stem, c.Name) })
}

func completionName(m *Manifest, name string) bool {
	return slices.ContainsFunc(m.Commands, func(c Command) bool {
		return name == c.Name || name == c.Name+".bash" || name == c.Name+".fish" || name == "_"+c.Name
	})
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
