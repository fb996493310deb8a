package export

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxMime      = 512 << 10
	maxMimeTypes = 64
	maxGlobs     = 64
	mimeSpace    = "http://www.freedesktop.org/standards/shared-mime-info"

	// The weight of a pattern decides between types that match one name; 50 is
	// that of the system's own, which therefore win.
	mimeWeight = 40
)

// mediaTypes are the first halves of types. The list is closed: they are names
// of directories beside "packages".
var mediaTypes = []string{"application", "audio", "chemical", "font", "image", "message", "model", "text", "video", "x-content", "x-scheme-handler"}

// fileType is what is taken of one <mime-type>: what it is called and by which
// names its files are known. Rules on contents are dropped: they could claim the
// files of other programs. So are aliases and the root elements of XML.
type fileType struct {
	name     string
	comments map[string]string // by xml:lang, "" for none
	globs    []string
	parents  []string
}

// readTypes takes the types out of a package of shared-mime-info.
func readTypes(unsafePackage []byte) ([]fileType, error) {
	var types []fileType
	var comment *string
	lang := ""
	err := walkXML(unsafePackage, func(e xml.StartElement) error {
		comment = nil
		if e.Name.Space != mimeSpace {
			return nil // of others; its text is dropped too
		}
		last := len(types) - 1
		switch e.Name.Local {
		case "mime-type":
			name := attribute(e, "type")
			if media, _, _ := strings.Cut(name, "/"); !mimeType(name) || !slices.Contains(mediaTypes, media) {
				return fmt.Errorf("describes the type %q", clip(name))
			}
			if len(types) == maxMimeTypes {
				return fmt.Errorf("has more than %d types", maxMimeTypes)
			}
			types = append(types, fileType{name: name, comments: map[string]string{}})
		case "comment":
			lang = attribute(e, "lang")
			if last >= 0 && (lang == "" || localeTag(lang)) && len(types[last].comments) < 200 {
				comment = new(string)
			}
		case "glob":
			if pattern := attribute(e, "pattern"); last >= 0 && plainGlob(pattern) && len(types[last].globs) < maxGlobs {
				types[last].globs = append(types[last].globs, pattern)
			}
		case "sub-class-of":
			if parent := attribute(e, "type"); last >= 0 && mimeType(parent) && len(types[last].parents) < maxGlobs {
				types[last].parents = append(types[last].parents, parent)
			}
		}
		return nil
	}, func(text string) error {
		if comment == nil || len(types) == 0 {
			return nil
		}
		if text = strings.TrimSpace(text); shown(text, 200) {
			types[len(types)-1].comments[lang] = text
		}
		comment = nil
		return nil
	})
	if err == nil && len(types) == 0 {
		err = errors.New("describes no type")
	}
	return types, err
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// plainGlob allows *.EXTENSION and whole names: anything wider would claim
// files of all kinds.
func plainGlob(pattern string) bool {
	rest, _ := strings.CutPrefix(pattern, "*.")
	return rest != "" && len(rest) <= 60 && !strings.ContainsFunc(rest, func(r rune) bool { return !alnum(r) && !strings.ContainsRune("._+-", r) }) &&
		strings.ContainsFunc(rest, alnum)
}

// mimePackage writes a package again, from what was taken.
func mimePackage(types []fileType) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<mime-info xmlns="` + mimeSpace + `">` + "\n")
	for _, t := range types {
		b.WriteString("  <mime-type type=" + xmlAttr(t.name) + ">\n")
		writeComments(&b, "    ", t)
		for _, p := range t.parents {
			b.WriteString("    <sub-class-of type=" + xmlAttr(p) + "/>\n")
		}
		for _, g := range t.globs {
			fmt.Fprintf(&b, "    <glob weight=\"%d\" pattern=%s/>\n", mimeWeight, xmlAttr(g))
		}
		b.WriteString("  </mime-type>\n")
	}
	b.WriteString("</mime-info>\n")
	return b.Bytes()
}

func writeComments(b *bytes.Buffer, indent string, t fileType) {
	for _, lang := range sortedKeys(t.comments) {
		b.WriteString(indent + "<comment")
		if lang != "" {
			b.WriteString(" xml:lang=" + xmlAttr(lang))
		}
		b.WriteString(">" + xmlText(t.comments[lang]) + "</comment>\n")
	}
}

// mimeDatabase is what update-mime-database would make of all packages, as far as
// we let packages go: no program is run at an installation, so it is written here.
// File names are relative to share/mime.
func mimeDatabase(all []fileType) map[string][]byte {
	if len(all) == 0 {
		return nil
	}
	files := map[string][]byte{}
	for _, t := range all {
		name := strings.ToLower(t.name) + ".xml"
		if _, twice := files[name]; twice {
			continue
		}
		var b bytes.Buffer
		b.WriteString(xml.Header + `<mime-type xmlns="` + mimeSpace + `" type=` + xmlAttr(t.name) + ">\n")
		writeComments(&b, "  ", t)
		b.WriteString("</mime-type>\n")
		files[name] = b.Bytes()
	}
	files["mime.cache"] = mimeBinary(all)
	return files
}

func xmlText(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func xmlAttr(s string) string { return `"` + xmlText(s) + `"` }
