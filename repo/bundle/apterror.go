package bundle

import (
	"errors"
	"fmt"
	"strings"

	"sandbox/internal/hint"
	"sandbox/internal/lazy"
	"sandbox/internal/safe"
)

var (
	noPackage = lazy.Regexp(`(?m)^E: (?:Unable to locate package|Package '?)\s*([a-z0-9][a-z0-9+.-]*)`)
	noVersion = lazy.Regexp(`(?m)^E: Version '([^']+)' for '([^']+)' was not found`)
)

// An unknownPackage is asked for but in no list.
type unknownPackage struct{ name string }

func (e *unknownPackage) Error() string { return fmt.Sprintf("unknown package %q", e.name) }

// aptError turns what apt printed into what the packager can do about it.
func aptError(tool string, args []string, said string, err error) error {
	if m := noPackage().FindStringSubmatch(said); m != nil {
		return &unknownPackage{m[1]}
	}
	if m := noVersion().FindStringSubmatch(said); m != nil {
		return hint.With(fmt.Errorf("the archive no longer has version %s of %s", m[1], m[2]), "sandbox build --update-lock takes what it has now, and writes %s anew", LockName)
	}
	var lines []string
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(line, "E: "); ok {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	what := strings.Join(lines, "; ")
	if what == "" {
		what = err.Error()
	}
	err = fmt.Errorf("%s %s: %s", tool, verb(args), safe.Text(what))
	for _, h := range aptHints {
		if strings.Contains(said, h.said) {
			return hint.With(err, "%s", h.hint)
		}
	}
	for _, text := range unreachable {
		if strings.Contains(said, text) {
			return hint.With(fmt.Errorf("%w: %w", ErrUnreachable, err), "check the network, or build from the cache with the %s of an earlier build", LockName)
		}
	}
	return err
}

// ErrUnreachable says that no package archive answered.
var ErrUnreachable = errors.New("the archive cannot be reached")

// unreachable is what apt's methods say of a network that is not there.
var unreachable = []string{
	"Temporary failure resolving", "Could not resolve", "Something wicked happened resolving", "Could not connect", "Cannot initiate the connection",
	"Unable to connect", "Connection failed", "Connection timed out", "Network is unreachable",
}

var aptHints = []struct{ said, hint string }{
	{"No space left on device", "free some space in the build cache's file system"},
	{"You don't have enough free space", "free some space in the build cache's file system"},
	{"NO_PUBKEY", "install debian-archive-keyring, or the keyring of the mirror below /etc/apt/trusted.gpg.d"},
	{"is not signed", "install debian-archive-keyring, or use a signed archive"},
	{"does not have a Release file", "this archive has no such suite: check suite in the manifest"},
	{"unmet dependencies", "packages of another suite than the runtime's do not fit over it: use the runtime's suite"},
	{"Packages need to be removed", "these packages conflict with each other or with the runtime"},
}

func verb(args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") && !strings.Contains(a, "=") {
			return a
		}
	}
	return ""
}

// nearest is the name among names that was probably meant, or "".
func nearest(name string, names []string) string {
	best, bestName := max(2, len(name)/3)+1, ""
	for _, n := range names {
		if abs(len(n)-len(name)) >= best {
			continue
		}
		if d := distance(name, n); d < best {
			best, bestName = d, n
		}
	}
	return bestName
}

func abs(n int) int { return max(n, -n) }

// distance counts the insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
