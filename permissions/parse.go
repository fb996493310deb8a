package permissions

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
)

const maxText = 8192 // the longest path, escaped throughout, with room for the rest

// Parse reads kind:subject[:access]. Anything it does not know is an error:
// a misspelt suffix that falls back to a default is how a read-only grant
// became a writable one elsewhere.
func Parse(text string) (Permission, error) {
	p, err := parse(text)
	if err != nil {
		return Permission{}, fmt.Errorf("permission %q: %w", clip(text), err)
	}
	return p, nil
}

func parse(text string) (Permission, error) {
	if len(text) > maxText {
		return Permission{}, fmt.Errorf("longer than %d bytes", maxText)
	}
	if err := checkText(text); err != nil {
		return Permission{}, err
	}
	kind, rest, found := strings.Cut(text, ":")
	info := kindOf(Kind(kind))
	if info == nil {
		return Permission{}, unknown("kind", kind, kindNames())
	}
	if !found || rest == "" {
		return Permission{}, hint.With(errors.New("no subject"), "write %s, for example %q", info.Syntax, info.Example)
	}
	if info.Name == Files {
		return parseFiles(rest)
	}
	subject, err := info.parseSubject(rest)
	return Permission{Kind: info.Name, Subject: subject}, err
}

// parseSubject checks and canonicalises the subject of any kind but files.
func (k *KindInfo) parseSubject(s string) (string, error) {
	switch {
	case k.Name == Network:
		n, err := parseNetwork(s)
		return n.text(), err
	case k.Name.isBus():
		b, err := parseBusSubject(s)
		return b.String(), err
	case k.Name == Env:
		return parseEnv(s)
	case k.Name == Limit:
		v, err := ParseLimit(s)
		return v.subject(), err
	}
	if k.subject(s) == nil {
		return "", unknown("subject", s, k.words())
	}
	return s, nil
}

// canonical checks a Permission that may have been put together by hand.
func canonical(p Permission) (Permission, error) {
	info := kindOf(p.Kind)
	if info == nil {
		return Permission{}, unknown("kind", string(p.Kind), kindNames())
	}
	if err := checkText(p.Subject); err != nil {
		return Permission{}, err
	}
	if p.Kind == Files {
		return File(p.Subject, p.Access)
	}
	if p.Access != None {
		return Permission{}, fmt.Errorf("%s has no access level", p.Kind)
	}
	subject, err := info.parseSubject(p.Subject)
	if err != nil {
		return Permission{}, err
	}
	return Permission{Kind: p.Kind, Subject: subject}, nil
}

// checkText refuses what could make a permission read differently from what
// it says: control, bidirectional, invisible and unassigned characters.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("not UTF-8")
	}
	for _, r := range s {
		if !safe.Rune(r) {
			return fmt.Errorf("character %U is not allowed", r)
		}
	}
	return nil
}

func parseEnv(s string) (string, error) {
	name, value, fixed := strings.Cut(s, "=")
	if err := checkEnvName(name); err != nil {
		return "", err
	}
	if len(value) > 4096 {
		return "", errors.New("value longer than 4096 bytes")
	}
	if fixed {
		return name + "=" + value, nil
	}
	return name, nil
}

func checkEnvName(name string) error {
	if name == "" || len(name) > 255 {
		return fmt.Errorf("variable name %q is empty or too long", clip(name))
	}
	for i := range len(name) {
		c := name[i]
		if !(c == '_' || isLetter(c) || i > 0 && isDigit(c)) {
			return hint.With(fmt.Errorf("variable name %q", name), "a name is made of letters, digits and '_' and starts with no digit")
		}
	}
	return nil
}

// envName is the variable of an env subject (and the name of a limit).
func envName(subject string) string {
	name, _, _ := strings.Cut(subject, "=")
	return name
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func kindNames() []string {
	out := make([]string, len(table))
	for i := range table {
		out[i] = string(table[i].Name)
	}
	return out
}

func unknown(what, got string, known []string) error {
	err := fmt.Errorf("unknown %s %q", what, clip(got))
	if n := nearest(got, known); n != "" {
		return hint.With(err, "did you mean %q?", n)
	}
	return hint.With(err, "known are %s", strings.Join(known, ", "))
}

// clip keeps a hostile text from filling the screen with an error.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
