package bundle

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxNameBytes = 255  // one component: what ext4, btrfs and xfs can store
	maxPathBytes = 4000 // whole path, below PATH_MAX with room for where it is deployed
	maxDepth     = 64
)

// cleanName turns the name of an archive member into a slash-separated path
// that stays below wherever it is joined to. A leading "./" and a trailing
// "/", which archivers write, are dropped; everything else that is odd is
// refused rather than repaired (CVE-2018-1002207, CVE-2024-0406). The result
// "." means the top itself.
func cleanName(unsafeName string) (string, error) {
	name := strings.TrimSuffix(unsafeName, "/")
	for strings.HasPrefix(name, "./") {
		name = strings.TrimPrefix(name, "./")
	}
	if name == "." || (name == "" && unsafeName == "./") {
		return ".", nil
	}
	if err := checkPath(name); err != nil {
		return "", fmt.Errorf("name %q %w", unsafeName, err)
	}
	return name, nil
}

// checkPath is the rule for every path in a bundle.
func checkPath(p string) error {
	switch {
	case p == "":
		return errors.New("is empty")
	case strings.HasPrefix(p, "/"):
		return errors.New("is absolute")
	case len(p) > maxPathBytes:
		return fmt.Errorf("is longer than %d bytes", maxPathBytes)
	case strings.Count(p, "/") >= maxDepth:
		return fmt.Errorf("is deeper than %d levels", maxDepth)
	}
	for part := range strings.SplitSeq(p, "/") {
		if err := checkComponent(part); err != nil {
			return err
		}
	}
	return nil
}

func checkComponent(part string) error {
	switch {
	case part == "":
		return errors.New("has an empty component")
	case part == "." || part == "..":
		return fmt.Errorf("has the component %q", part)
	case len(part) > maxNameBytes:
		return fmt.Errorf("has a component longer than %d bytes", maxNameBytes)
	case strings.HasPrefix(part, ".wh."):
		return errors.New("has a component that union file systems take for a deletion")
	case !utf8.ValidString(part):
		return errors.New("is not UTF-8")
	}
	for _, r := range part {
		if r == '\\' {
			return errors.New("has a backslash")
		}
		if hidden(r) {
			return fmt.Errorf("has the control character %U", r)
		}
	}
	if !norm.NFC.IsNormalString(part) {
		return errors.New("is not in Unicode normal form C")
	}
	return nil
}

// hidden tells characters that change how a name is displayed.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// checkTarget is the rule for the text of a symbolic link; where it leads is
// decided by linkSpace.
func checkTarget(target string) error {
	switch {
	case target == "":
		return errors.New("is empty")
	case len(target) > maxPathBytes:
		return fmt.Errorf("is longer than %d bytes", maxPathBytes)
	case !utf8.ValidString(target):
		return errors.New("is not UTF-8")
	case strings.Contains(target, `\`):
		return errors.New("has a backslash")
	case strings.ContainsFunc(target, hidden):
		return errors.New("has a control character")
	}
	return nil
}

// fold maps names that a case-insensitive or normalising file system could
// take for one another to the same text: K (U+212A) and k, ﬁ and fi.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
		}
	}
	return strings.ToLower(name)
}

// parents lists the directories above p, outermost first.
func parents(p string) []string {
	var up []string
	for d := path.Dir(p); d != "."; d = path.Dir(d) {
		up = append([]string{d}, up...)
	}
	return up
}
