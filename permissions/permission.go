package permissions

import (
	"cmp"
	"strings"
)

// Permission is one thing an app may do. A value that comes from Parse (or
// from File) is canonical, so == compares meaning. The zero value is no
// permission and is never granted.
type Permission struct {
	Kind    Kind
	Subject string
	Access  Access // Read, Write or Create for files; None for all other kinds
}

// Access is how far a files permission goes; each level includes those below.
type Access uint8

const (
	None   Access = iota
	Read          // read files and list directories
	Write         // and change, add and remove them
	Create        // and make the path itself when it is missing
)

func (a Access) String() string {
	switch a {
	case None:
		return "none"
	case Read:
		return "read"
	case Write:
		return "write"
	case Create:
		return "create"
	}
	return "invalid"
}

// ParseAccess is the inverse of Access.String for read, write and create.
func ParseAccess(s string) (Access, bool) {
	for _, a := range []Access{Read, Write, Create} {
		if s == a.String() {
			return a, true
		}
	}
	return None, false
}

// String is the canonical text: Parse(p.String()) == p for every p from Parse.
func (p Permission) String() string {
	if p.Kind != Files {
		return string(p.Kind) + ":" + p.Subject
	}
	return string(p.Kind) + ":" + escapePath(p.Subject) + ":" + p.Access.String()
}

// MarshalText and UnmarshalText let a permission stand in JSON as its text.
func (p Permission) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p *Permission) UnmarshalText(text []byte) (err error) {
	*p, err = Parse(string(text))
	return err
}

// Whole is the permission whose denial takes away everything there is at p's
// place: reading for files, seeing for a bus name. "Switch this off" denies
// p.Whole(); denying p itself leaves what is weaker than p.
func (p Permission) Whole() Permission {
	switch {
	case p.Kind == Files:
		p.Access = Read
	case p.Kind.isBus():
		if b, err := parseBusSubject(p.Subject); err == nil && b.level != BusCall {
			p.Subject = "see:" + b.text()
		}
	case p.Kind == Env:
		p.Subject = envName(p.Subject)
	}
	return p
}

// place is what a decision is about, without how far it goes: a later decision
// about the same place replaces an earlier one.
func (p Permission) place() string {
	switch {
	case p.Kind == Env || p.Kind == Limit:
		return envName(p.Subject)
	case p.Kind.isBus():
		level, name, _ := strings.Cut(p.Subject, ":")
		if level == "call" {
			return p.Subject
		}
		return name
	}
	return p.Subject
}

func compare(a, b Permission) int {
	return cmp.Or(
		cmp.Compare(a.Kind.rank(), b.Kind.rank()),
		strings.Compare(string(a.Kind), string(b.Kind)),
		comparePlaces(a, b),
		strings.Compare(a.Subject, b.Subject),
		cmp.Compare(a.Access, b.Access),
	)
}

// comparePlaces puts directories before what lies in them, and "host" before
// "home" before all other paths.
func comparePlaces(a, b Permission) int {
	if a.Kind != Files {
		return strings.Compare(a.place(), b.place())
	}
	first := func(s string) int {
		switch s {
		case "host":
			return 0
		case "home":
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(first(a.Subject), first(b.Subject)), comparePaths(a.Subject, b.Subject))
}

// comparePaths orders by components: "/" sorts before every other character,
// so that "a/b" follows "a" directly and not "a-b".
func comparePaths(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}
