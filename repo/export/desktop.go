package export

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sandbox/manifest"
)

const (
	maxDesktop   = 256 << 10
	maxShown     = 500 // bytes of a text that a desktop shows
	maxWords     = 64  // elements of a list
	maxTypeName  = 120
	maxLocaleTag = 32
)

// entryText are the texts taken from the bundle's own desktop entry, also in
// other languages.
var entryText = []string{"Name", "GenericName", "Comment"}

// entryLists are lists, and what their elements may be.
var entryLists = []struct {
	key       string
	localised bool
	ok        func(string) bool
}{
	{"Categories", false, plainWord},
	{"Keywords", true, func(s string) bool { return shown(s, 100) }},
}

// entrySwitches are booleans. Hidden and DBusActivatable are not among them:
// the one removes entries of others, the other starts what a service says.
var entrySwitches = []string{"Terminal", "StartupNotify", "NoDisplay", "SingleMainWindow", "PrefersNonDefaultGPU"}

// desktopEntry writes a desktop entry for an app. Of the bundle's own entry it
// takes what is listed above and nothing that says what to start: Exec is ours,
// Actions and TryExec are dropped. The entry chooses among the commands of the
// manifest by the name of its program. What it claims to open must be in the
// manifest, where users see it before they install.
func desktopEntry(p Place, m *manifest.Manifest, icons []string, unsafeEntry []byte) (text []byte, c claims, err error) {
	from, err := readEntry(unsafeEntry, "Desktop Entry")
	if err != nil {
		return nil, c, err
	}
	if kind := from["Type"]; kind != "Application" {
		return nil, c, fmt.Errorf("is of type %q, not Application", kind)
	}
	command, field := entryExec(m, from["Exec"])
	words := []string{p.Program, "run"}
	if command != "" {
		words = append(words, "--command", command)
	}
	exec, err := quoteExec(append(words, "--", string(m.ID))...)
	if err != nil {
		return nil, c, err
	}
	if field != "" {
		exec += " " + field
	}
	var k keyFile
	k.group("Desktop Entry")
	k.set("Type", "Application")
	if !shown(unescapeValue(from["Name"]), maxShown) {
		k.set("Name", m.Name)
	}
	if m.Summary != "" && !shown(unescapeValue(from["Comment"]), maxShown) {
		k.set("Comment", m.Summary)
	}
	for _, key := range sortedKeys(from) {
		entryKey(&k, key, from[key])
	}
	c = claimed(m, from["MimeType"])
	if len(c.opens) > 0 {
		k.list("MimeType", c.opens)
	}
	k.set("Exec", exec)
	if icon := entryIcon(m, icons, from["Icon"]); icon != "" {
		k.set("Icon", icon)
	}
	if class := from["StartupWMClass"]; shown(class, 100) {
		k.set("StartupWMClass", class)
	}
	k.set("X-Sandbox-App", string(m.ID))
	return k.bytes(), c, nil
}

// claims are the types that a desktop entry is said to open.
type claims struct {
	opens   []string
	unasked []string // that the manifest does not name
}

func claimed(m *manifest.Manifest, unsafeList string) (c claims) {
	for _, t := range splitList(unsafeList) {
		switch {
		case !mimeType(t), slices.Contains(c.opens, t):
		case slices.Contains(m.Exports.Opens, t):
			c.opens = append(c.opens, t)
		default:
			c.unasked = append(c.unasked, t)
		}
	}
	return c
}

// entryKey copies one pair if it is on the list and its value is as it must be.
func entryKey(k *keyFile, unsafeKey, value string) {
	base, locale, localised := strings.Cut(unsafeKey, "[")
	if localised && (!strings.HasSuffix(locale, "]") || !localeTag(strings.TrimSuffix(locale, "]"))) {
		return
	}
	if slices.Contains(entryText, base) {
		if text := unescapeValue(value); shown(text, maxShown) {
			k.set(unsafeKey, text)
		}
		return
	}
	for _, l := range entryLists {
		if l.key != base || localised && !l.localised {
			continue
		}
		words := slices.DeleteFunc(splitList(value), func(w string) bool { return !l.ok(w) })
		if len(words) > 0 {
			k.list(unsafeKey, words[:min(len(words), maxWords)])
		}
	}
	if !localised && slices.Contains(entrySwitches, base) && (value == "true" || value == "false") {
		k.set(base, value)
	}
}

// entryExec reads the bundle's Exec for two things only: which command of the
// manifest it starts, and whether files or addresses go to it. The command is
// empty for the main one.
func entryExec(m *manifest.Manifest, unsafeExec string) (command, field string) {
	words := strings.Fields(unescapeValue(unsafeExec))
	for i, w := range words {
		if i == 0 {
			name := path.Base(strings.Trim(w, `"`))
			if slices.ContainsFunc(m.Commands, func(c manifest.Command) bool { return c.Name == name && c.Path != m.Command }) {
				command = name
			}
			continue
		}
		switch w {
		case "%f", "%F", "%u", "%U":
			return command, w
		}
	}
	return command, ""
}

// entryIcon is the icon of the entry: one that the bundle exports, never a name
// of the desktop's own.
func entryIcon(m *manifest.Manifest, icons []string, wanted string) string {
	for _, name := range []string{path.Base(wanted), string(m.ID)} {
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".png"), ".svg")
		if slices.Contains(icons, name) {
			return name
		}
	}
	return ""
}

func plainWord(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return !alnum(r) && r != '-' })
}

func localeTag(s string) bool {
	return s != "" && len(s) <= maxLocaleTag && !strings.ContainsFunc(s, func(r rune) bool { return !alnum(r) && !strings.ContainsRune("_@.-", r) })
}

// mimeType is TYPE/SUBTYPE of RFC 6838.
func mimeType(s string) bool {
	media, sub, ok := strings.Cut(s, "/")
	part := func(p string) bool {
		return p != "" && alnum(rune(p[0])) && !strings.ContainsFunc(p, func(r rune) bool { return !alnum(r) && !strings.ContainsRune("!#$&-^_.+", r) })
	}
	return ok && len(s) <= maxTypeName && part(media) && part(sub)
}

func alnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// mimeCache is applications/mimeinfo.cache, by which desktops find the entries
// for a type of file. update-desktop-database would write the same.
func mimeCache(entries map[string][]string) []byte {
	byType := map[string][]string{}
	for _, name := range sortedKeys(entries) {
		for _, t := range entries[name] {
			byType[t] = append(byType[t], name)
		}
	}
	if len(byType) == 0 {
		return nil
	}
	var k keyFile
	k.group("MIME Cache")
	for _, t := range sortedKeys(byType) {
		k.list(t, slices.Compact(byType[t]))
	}
	return k.bytes()
}
