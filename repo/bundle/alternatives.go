package bundle

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An alternative is a link that update-alternatives would make: awk to mawk.
type alternative struct {
	link, target string // absolute, as in the package
	priority     int
}

// parseAlternatives reads the literal calls of a postinst, as text. Calls with
// variables or quoting are passed over: a missing link is found at once by
// whoever tests the bundle, a wrong one is not.
func parseAlternatives(postinst string) []alternative {
	var found []alternative
	joined := strings.ReplaceAll(postinst, "\\\n", " ")
	for line := range strings.Lines(joined) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "update-alternatives" || strings.ContainsAny(line, "$\"'`;|&<>(){}*?") {
			continue
		}
		found = append(found, parseInstall(words[1:])...)
	}
	return found
}

func parseInstall(words []string) []alternative {
	var found []alternative
	priority, hasMaster := 0, false
	for i := 0; i < len(words); {
		n := 0
		switch {
		case words[i] == "--install" && i+4 < len(words):
			p, err := strconv.Atoi(words[i+4])
			if err != nil {
				return nil
			}
			priority, hasMaster, n = p, true, 4
		case words[i] == "--slave" && hasMaster && i+3 < len(words):
			n = 3
		case words[i] == "--quiet" || words[i] == "--force":
			i++
			continue
		default:
			return nil
		}
		link, target := words[i+1], words[i+3]
		if path.IsAbs(link) && path.IsAbs(target) {
			found = append(found, alternative{link, target, priority})
		}
		i += n + 1
	}
	return found
}

// chooseAlternatives keeps the best target of each link among those that
// exist: highest priority, then the first in the alphabet.
func chooseAlternatives(all []alternative, exists func(target string) bool) []alternative {
	all = slices.DeleteFunc(slices.Clone(all), func(a alternative) bool { return !exists(a.target) })
	slices.SortFunc(all, func(a, b alternative) int {
		return cmp.Or(cmp.Compare(a.link, b.link), cmp.Compare(b.priority, a.priority), cmp.Compare(a.target, b.target))
	})
	return slices.CompactFunc(all, func(a, b alternative) bool { return a.link == b.link })
}
