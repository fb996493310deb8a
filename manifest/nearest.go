package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// nearest is the candidate that word is most likely a slip for, or "".
func nearest(word string, candidates []string) string {
	best, bestAt := "", len(word)/3+1
	if len(word) > 64 {
		return ""
	}
	for _, c := range candidates {
		if strings.EqualFold(c, word) {
			return c
		}
		if d := distance(strings.ToLower(word), c); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance is the number of single-character slips between two words, with a
// swap of neighbours counted as one (optimal string alignment).
func distance(a, b string) int {
	var before, last, row []int
	last = make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row = make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// foreign maps keys that packagers know from elsewhere to the way it is said
// here.
var foreign = map[string]string{
	"app-id":          `the key is "id"`,
	"appid":           `the key is "id"`,
	"branch":          `the key is "channel"`,
	"description":     `the key is "summary"`,
	"licence":         `the key is "license"`,
	"url":             `the key is "homepage"; build sources are local files`,
	"base":            "a bundle has one runtime and its own files",
	"sdk":             "steps run on the runtime named by \"runtime\"",
	"runtime-version": `write it in "runtime", as ID/CHANNEL`,
	"finish-args":     "permissions stand in the table [permissions]",
	"permission":      "the table is [permissions]",
	"filesystem":      `files are permissions: "files:~/Documents:read"`,
	"filesystems":     `files are permissions: "files:~/Documents:read"`,
	"devices":         `devices are permissions: "device:gpu"`,
	"sockets":         `sockets are permissions: "socket:wayland"`,
	"modules":         "list what to fetch under [[build.source]] and what to run in build.steps",
	"sources":         `the key is "source", written as [[build.source]]`,
	"environment":     `the key is "env"`,
	"exports":         `the key is "export"`,
	"hooks":           "no code of a bundle runs at installation",
	"post_install":    "no code of a bundle runs at installation",
	"post-install":    "no code of a bundle runs at installation",
	"cwd":             "an application starts in the directory of its user",
	"deny":            "a manifest can ask, not deny",
	"sha512":          "sources are pinned by sha256",
	"md5":             "sources are pinned by sha256",
}

// keyHint is the way out of an unknown key.
func keyHint(name string, known []string) string {
	near := nearest(name, known)
	switch {
	case strings.EqualFold(near, name) && near != "":
		return fmt.Sprintf("keys are spelled exactly: %q", near)
	case foreign[strings.ToLower(name)] != "":
		return foreign[strings.ToLower(name)]
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(known) > 0 && len(known) <= 12:
		return "known here: " + strings.Join(known, ", ")
	}
	return ""
}

// topKeys are the keys of the top that are no tables.
var topKeys = []string{"id", "name", "version", "channel", "kind", "summary", "license", "homepage", "arch", "extends", "runtime", "command", "args"}

// misplacedHint is for keys of the top that stand below the header of a table,
// which is how TOML reads a line added at the end of a file.
func misplacedHint(name string) string {
	if slices.Contains(topKeys, name) {
		return fmt.Sprintf("%q must stand before the first [table] of the file", name)
	}
	return ""
}
