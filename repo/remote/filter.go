package remote

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// Pattern names bundles of a remote: an ID, or the beginning of one before a
// "*", such as org.example.* . A "*" alone is every one.
type Pattern string

// ParsePattern checks a pattern.
func ParsePattern(text string) (Pattern, error) {
	body := strings.TrimSuffix(text, "*")
	ok := text != "" && len(text) <= 255 && (body != text || strings.Contains(text, "."))
	for i := range len(body) {
		c := body[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return "", hint.With(fmt.Errorf("cannot use the pattern %q", text), "write an ID or its beginning and a star: org.example.*")
	}
	return Pattern(text), nil
}

// Match tells whether the pattern names the ID.
func (p Pattern) Match(id string) bool {
	if begin, star := strings.CutSuffix(string(p), "*"); star {
		return strings.HasPrefix(id, begin)
	}
	return string(p) == id
}

// MarshalText and UnmarshalText keep a stored pattern a checked one.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p), nil }

func (p *Pattern) UnmarshalText(text []byte) error {
	parsed, err := ParsePattern(string(text))
	if err == nil {
		*p = parsed
	}
	return err
}

// Admits tells whether the remote's filters let the ID through: no pattern of
// Deny names it, and one of Allow does if there are any.
func (r *Remote) Admits(id string) bool {
	for _, p := range r.Deny {
		if p.Match(id) {
			return false
		}
	}
	for _, p := range r.Allow {
		if p.Match(id) {
			return true
		}
	}
	return len(r.Allow) == 0
}
