package manifest

import (
	"fmt"
	"strings"
)

const maxLicense = 200

// checkLicense tells whether text has the form of an SPDX licence expression:
// identifiers joined by AND, OR and WITH, with parentheses. It does not know
// the list of licences, which grows faster than programs are updated.
func checkLicense(text string) error {
	if text == "" {
		return fmt.Errorf("license is empty")
	}
	if len(text) > maxLicense {
		return fmt.Errorf("license is longer than %d bytes", maxLicense)
	}
	spaced := strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	depth, wantName, with := 0, true, false
	for _, word := range strings.Split(spaced, " ") {
		switch {
		case word == "":
		case word == "(" && wantName && !with:
			depth++
		case word == ")" && !wantName && depth > 0:
			depth--
		case word == "WITH" && !wantName && !with:
			wantName, with = true, true
		case (word == "AND" || word == "OR") && !wantName:
			wantName, with = true, false
		case wantName && isLicenseName(word):
			wantName = false
		default:
			return fmt.Errorf("license %q is not an SPDX expression: unexpected %q", text, word)
		}
	}
	if wantName || depth != 0 {
		return fmt.Errorf("license %q is not an SPDX expression: it is not complete", text)
	}
	return nil
}

func isLicenseName(word string) bool {
	if word == "AND" || word == "OR" || word == "WITH" || !isAlnum(rune(word[0])) {
		return false
	}
	return strings.IndexFunc(word, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune(".-+:", r) }) < 0
}
