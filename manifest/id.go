package manifest

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// ID is the reverse-DNS name of a bundle, such as org.gnu.Nano. It is the name
// of directories and files and a name on the session bus, so its grammar is
// the narrowest of the three: at least three elements joined by dots, each of
// ASCII letters, digits, "-" and "_", none starting with a digit or "-" or
// ending with "-". (An element of a domain that starts with a digit is written
// with "_" before it, as D-Bus advises.)
type ID string

const (
	// maxID leaves room in the 255 bytes of a file name for what is put
	// after an ID, such as ".desktop" or a temporary suffix.
	maxID        = 200
	minIDParts   = 3
	maxIDElement = 63 // as a DNS label
)

const idHint = "an id is a reverse domain name with at least three parts, like org.example.Tool"

// ParseID checks an ID.
func ParseID(text string) (ID, error) {
	if err := checkID(text); err != nil {
		return "", hint.With(err, idHint)
	}
	return ID(text), nil
}

func checkID(text string) error {
	if text == "" {
		return fmt.Errorf("id is empty")
	}
	if len(text) > maxID {
		return fmt.Errorf("id is longer than %d bytes", maxID)
	}
	parts := strings.Split(text, ".")
	for _, part := range parts {
		if err := checkIDElement(part); err != nil {
			return fmt.Errorf("id %q: %w", text, err)
		}
	}
	if len(parts) < minIDParts {
		return fmt.Errorf("id %q has %d of at least %d parts", text, len(parts), minIDParts)
	}
	return nil
}

func checkIDElement(part string) error {
	switch {
	case part == "":
		return fmt.Errorf("a part is empty")
	case len(part) > maxIDElement:
		return fmt.Errorf("part %q is longer than %d bytes", part, maxIDElement)
	case isDigit(part[0]):
		return fmt.Errorf("part %q starts with a digit", part)
	case part[0] == '-' || part[len(part)-1] == '-':
		return fmt.Errorf("part %q starts or ends with a hyphen", part)
	}
	if i := strings.IndexFunc(part, func(r rune) bool { return !isAlnum(r) && r != '-' && r != '_' }); i >= 0 {
		return fmt.Errorf("part %q holds a character other than ASCII letters, digits, - and _", part)
	}
	return nil
}

// Base is the last element of the ID.
func (id ID) Base() string {
	return string(id[strings.LastIndexByte(string(id), '.')+1:])
}

// ParseRuntimeRef reads ID or ID/CHANNEL.
func ParseRuntimeRef(text string) (RuntimeRef, error) {
	name, channel, found := strings.Cut(text, "/")
	if !found {
		channel = DefaultChannel
	}
	id, err := ParseID(name)
	if err != nil {
		return RuntimeRef{}, err
	}
	if err := CheckChannel(channel); err != nil {
		return RuntimeRef{}, err
	}
	return RuntimeRef{ID: id, Channel: channel}, nil
}

// DefaultChannel is the channel of a manifest that names none.
const DefaultChannel = "stable"

const maxChannel = 32

// CheckChannel tells whether text names a channel: lower-case letters and
// digits, with ".", "_" and "-" after the first. Lower case only, because a
// channel is part of a path and may rest on a file system that folds case.
func CheckChannel(text string) error {
	if text == "" || len(text) > maxChannel {
		return fmt.Errorf("channel %q has not 1 to %d characters", text, maxChannel)
	}
	for i, r := range text {
		inner := i > 0 && (r == '.' || r == '_' || r == '-')
		if !(r >= 'a' && r <= 'z') && !isDigit(r) && !inner {
			return fmt.Errorf("channel %q holds a character other than a-z, 0-9 and inner . _ -", text)
		}
	}
	return nil
}

const maxVersion = 64

// CheckVersion tells whether text is a version: letters, digits and . + ~ _ -,
// starting with a letter or digit. It is shown and compared for equality only;
// releases are ordered by the repository's own numbers.
func CheckVersion(text string) error {
	if text == "" || len(text) > maxVersion {
		return fmt.Errorf("version %q has not 1 to %d characters", text, maxVersion)
	}
	for i, r := range text {
		if !isAlnum(r) && (i == 0 || !strings.ContainsRune(".+~_-", r)) {
			return fmt.Errorf("version %q holds a character other than letters, digits and inner . + ~ _ -", text)
		}
	}
	return nil
}

func isDigit[C byte | rune](c C) bool { return c >= '0' && c <= '9' }

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isAlnum(r rune) bool { return isLetter(r) || isDigit(r) }
