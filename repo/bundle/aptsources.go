package bundle

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// An aptSource is one archive and what is taken from it.
type aptSource struct {
	uris, suites, components []string
	signedBy                 string
	lines                    string // a key in the file itself, with its continuation lines
}

func (s aptSource) String() string {
	st := stanza{
		{"Types", "deb"},
		{"URIs", strings.Join(s.uris, " ")},
		{"Suites", strings.Join(s.suites, " ")},
		{"Components", strings.Join(s.components, " ")},
	}
	if s.signedBy+s.lines != "" {
		st = append(st, field{"Signed-By", s.signedBy + s.lines})
	}
	return st.String()
}

// suiteSuffixes are the parts of a Debian release beside the release itself.
var suiteSuffixes = []string{"", "-updates", "-security"}

// forSuite points the host's own Debian sources at another suite. Which they
// are is told by the host's release names: anything else in the list is some
// third party's, whose packages are none of our business.
func forSuite(host []aptSource, hostSuites []string, suite string) []aptSource {
	var out []aptSource
	for _, s := range host {
		if !slices.Contains(s.components, "main") || (s.signedBy != "" && !strings.Contains(s.signedBy, "debian-archive")) {
			continue
		}
		var suites []string
		for _, name := range s.suites {
			base, suffix := splitSuite(name)
			if slices.Contains(hostSuites, base) && !slices.Contains(suites, suite+suffix) && slices.Contains(suiteSuffixes, suffix) {
				suites = append(suites, suite+suffix)
			}
		}
		if len(suites) > 0 {
			s.suites = suites
			out = append(out, s)
		}
	}
	return out
}

func splitSuite(name string) (base, suffix string) {
	for _, x := range suiteSuffixes[1:] {
		if base, ok := strings.CutSuffix(name, x); ok {
			return base, x
		}
	}
	if base, ok := strings.CutSuffix(name, "-backports"); ok {
		return base, "-backports"
	}
	return name, ""
}

// parseOneLine reads the sources.list format: "deb [options] uri suite component…".
func parseOneLine(text string) []aptSource {
	var out []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "deb" {
			continue
		}
		s := aptSource{}
		words = words[1:]
		if strings.HasPrefix(words[0], "[") {
			options, rest, ok := strings.Cut(strings.Join(words, " ")[1:], "]")
			if !ok {
				continue
			}
			for o := range strings.FieldsSeq(options) {
				if v, ok := strings.CutPrefix(o, "signed-by="); ok {
					s.signedBy = v
				}
			}
			words = strings.Fields(rest)
		}
		if len(words) < 3 {
			continue
		}
		s.uris, s.suites, s.components = words[:1], words[1:2], words[2:]
		out = append(out, s)
	}
	return out
}

// parseDeb822 reads the *.sources format.
func parseDeb822(text string) ([]aptSource, error) {
	all, err := parseControl(strings.NewReader(text), maxControl)
	if err != nil {
		return nil, err
	}
	var out []aptSource
	for _, st := range all {
		if strings.EqualFold(st.get("Enabled"), "no") || !slices.Contains(strings.Fields(st.get("Types")), "deb") {
			continue
		}
		key, lines, isKey := strings.Cut(st.get("Signed-By"), "\n")
		s := aptSource{
			uris: strings.Fields(st.get("URIs")), suites: strings.Fields(st.get("Suites")),
			components: strings.Fields(st.get("Components")), signedBy: strings.TrimSpace(key),
		}
		if isKey {
			s.lines = "\n" + lines
		}
		if len(s.uris) > 0 && len(s.suites) > 0 && len(s.components) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// mirrorSource is an archive named by the packager. Its signatures are checked
// against keyring, or against all keys that the host's apt trusts.
func mirrorSource(mirror, suite, keyring string) (aptSource, error) {
	u, err := url.Parse(mirror)
	if err != nil || strings.ContainsAny(mirror, " \t\r\n") {
		return aptSource{}, fmt.Errorf("cannot use the mirror %q", mirror)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return aptSource{}, errors.New("mirror without a host name")
		}
	case "file":
	default:
		return aptSource{}, fmt.Errorf("cannot use the mirror %q: its scheme is none of http, https, file", mirror)
	}
	return aptSource{uris: []string{mirror}, suites: []string{suite}, components: []string{"main"}, signedBy: keyring}, nil
}
