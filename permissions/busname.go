package permissions

import (
	"errors"
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// BusAccess is how far a bus permission goes; each level includes those below.
type BusAccess uint8

const (
	BusNone BusAccess = iota
	BusSee            // see the name, its owner's comings and goings
	BusCall           // call the methods that a call rule names
	BusTalk           // call every method, hear every signal
	BusOwn            // own the name
)

var busLevels = [...]string{BusNone: "none", BusSee: "see", BusCall: "call", BusTalk: "talk", BusOwn: "own"}

func (b BusAccess) String() string {
	if int(b) < len(busLevels) {
		return busLevels[b]
	}
	return "invalid"
}

// busSubject is the parsed subject of a bus permission. A name "org.foo.*"
// stands for every name below org.foo, at any depth, and not for org.foo.
type busSubject struct {
	level  BusAccess
	name   string // without ".*"
	prefix bool
	call   callRule
}

// callRule narrows a call permission. Empty fields match everything.
type callRule struct {
	iface  string // with member "": every member of it
	member string
	path   string
	below  bool // the path and everything below it
}

func parseBusSubject(s string) (busSubject, error) {
	word, name, found := strings.Cut(s, ":")
	b := busSubject{}
	for l := BusSee; l <= BusOwn; l++ {
		if word == l.String() {
			b.level = l
		}
	}
	if b.level == BusNone || !found {
		return busSubject{}, hint.With(fmt.Errorf("unknown level %q", clip(word)), "write see:NAME, talk:NAME, own:NAME or call:NAME=IFACE.MEMBER@/PATH")
	}
	if b.level == BusCall {
		var rule string
		name, rule, found = strings.Cut(name, "=")
		if !found {
			return busSubject{}, hint.With(errors.New("call without a method"), "write call:NAME=IFACE.MEMBER@/PATH")
		}
		var err error
		if b.call, err = parseCallRule(rule); err != nil {
			return busSubject{}, err
		}
	}
	b.name, b.prefix = strings.CutSuffix(name, ".*")
	return b, checkBusName(b)
}

func checkBusName(b busSubject) error {
	switch {
	case strings.HasPrefix(b.name, ":"):
		return hint.With(fmt.Errorf("unique name %q", clip(b.name)), "unique names change at every start; use the well-known name")
	case !dotted(b.name, "-"):
		return hint.With(fmt.Errorf("bus name %q", clip(b.name)), "a name has two or more parts of letters, digits, '_' and '-', such as org.freedesktop.Notifications; it may end in .*")
	case b.name == "org.freedesktop.DBus":
		return hint.With(errors.New("org.freedesktop.DBus is the bus itself"), "what an app may ask of the bus follows from its other permissions")
	}
	return nil
}

// dotted checks the D-Bus grammar of names: 2 or more parts, none starting
// with a digit, 255 bytes at most.
func dotted(s, extra string) bool {
	if len(s) > 255 || strings.Count(s, ".") < 1 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || isDigit(part[0]) || !wordOf(part, extra) {
			return false
		}
	}
	return true
}

func wordOf(s, extra string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '_' && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return s != ""
}

func parseCallRule(s string) (callRule, error) {
	method, path, hasPath := strings.Cut(s, "@")
	var c callRule
	switch iface, all := strings.CutSuffix(method, ".*"); {
	case method == "*":
	case all && dotted(iface, ""):
		c.iface = iface
	case strings.Count(method, ".") >= 2 && dotted(method, ""):
		dot := strings.LastIndexByte(method, '.')
		c.iface, c.member = method[:dot], method[dot+1:]
	default:
		return callRule{}, hint.With(fmt.Errorf("method %q", clip(method)), "write IFACE.MEMBER, IFACE.* or *")
	}
	if hasPath {
		c.path, c.below = strings.CutSuffix(path, "/*")
		if c.path == "" && c.below {
			c.path = "/"
		}
		if !objectPath(c.path) {
			return callRule{}, hint.With(fmt.Errorf("object path %q", clip(path)), "write /a/b, or /a/b/* for it and all below")
		}
		if c.path == "/" && c.below {
			c.path, c.below = "", false // every path
		}
	}
	return c, nil
}

func objectPath(s string) bool {
	if s == "/" {
		return true
	}
	if len(s) > 1024 || !strings.HasPrefix(s, "/") {
		return false
	}
	for part := range strings.SplitSeq(s[1:], "/") {
		if !wordOf(part, "") {
			return false
		}
	}
	return true
}

func (c callRule) String() string {
	method := "*"
	switch {
	case c.member != "":
		method = c.iface + "." + c.member
	case c.iface != "":
		method = c.iface + ".*"
	}
	switch {
	case c.path == "":
		return method
	case c.below:
		return method + "@" + c.path + "/*"
	}
	return method + "@" + c.path
}

func (c callRule) matches(iface, member, path string) bool {
	if c.iface != "" && c.iface != iface || c.member != "" && c.member != member {
		return false
	}
	return c.path == "" || c.path == path || c.below && within(c.path, path)
}

func (b busSubject) text() string {
	if b.prefix {
		return b.name + ".*"
	}
	return b.name
}

func (b busSubject) String() string {
	if b.level == BusCall {
		return "call:" + b.text() + "=" + b.call.String()
	}
	return b.level.String() + ":" + b.text()
}

func (b busSubject) matches(name string) bool {
	if b.prefix {
		return len(name) > len(b.name)+1 && strings.HasPrefix(name, b.name) && name[len(b.name)] == '.'
	}
	return name == b.name
}
