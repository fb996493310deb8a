package permissions

import (
	"fmt"
	"strings"

	"sandbox/internal/safe"
)

// Describe says in words what p lets an app do; it continues "the app can …":
// "read and change the files in ~/Documents". Hostile names come out safe for
// a terminal.
func Describe(p Permission) string {
	p, err := canonical(p)
	if err != nil {
		return "nothing: " + safe.Text(err.Error())
	}
	var s string
	switch {
	case p.Kind == Files:
		s = describeFiles(p)
	case p.Kind == Network:
		s = describeNetwork(p.Subject)
	case p.Kind.isBus():
		s = describeBus(p)
	case p.Kind == Env:
		s = describeEnv(p.Subject)
	case p.Kind == Limit:
		s = describeLimit(p.Subject)
	default:
		s = kindOf(p.Kind).subject(p.Subject).Summary
	}
	return safe.Text(s)
}

// DescribeDenied says what denying p takes; it is a sentence of its own
// without a full stop: "nothing in ~/.ssh can be read or changed".
func DescribeDenied(p Permission) string {
	p, err := canonical(p)
	switch {
	case err != nil:
		return "nothing of this kind is allowed"
	case p.Kind == Limit:
		return "no layer can raise this limit: " + Describe(p)
	case p.Kind != Files:
		return "the app cannot " + Describe(p)
	}
	verb := map[Access]string{Read: "be read or changed", Write: "be changed", Create: "be created"}[p.Access]
	return safe.Text(fmt.Sprintf("nothing in %s can %s", placeName(p.Subject), verb))
}

func describeFiles(p Permission) string {
	verb := map[Access]string{Read: "read", Write: "read and change", Create: "create, read and change"}[p.Access]
	switch p.Subject {
	case "home", "host":
		return verb + " " + kindOf(Files).subject(p.Subject).Summary
	}
	return verb + " the files in " + placeName(p.Subject)
}

// placeName is a path as people read it.
func placeName(subject string) string {
	root, rest, deeper := strings.Cut(subject, "/")
	s := kindOf(Files).subject(root)
	switch {
	case s == nil:
		return subject
	case deeper:
		return rest + " in " + s.Summary
	}
	return s.Summary
}

func describeNetwork(subject string) string {
	if s := kindOf(Network).subject(subject); s != nil {
		return s.Summary
	}
	n, _ := parseNetwork(subject)
	where := "reach "
	port := n.port
	n.port = 0
	switch {
	case n.below:
		where += "every host below " + n.name
	case n.name != "", n.prefix.IsSingleIP():
		where += n.text()
	default:
		where += "the addresses " + n.text()
	}
	if port != 0 {
		where += fmt.Sprintf(" on port %d", port)
	}
	return where
}

func describeBus(p Permission) string {
	b, _ := parseBusSubject(p.Subject)
	bus := "your session"
	if p.Kind == SystemBus {
		bus = "the system"
	}
	name := b.name
	if b.prefix {
		name = "every program below " + b.name
	}
	switch b.level {
	case BusSee:
		return fmt.Sprintf("see whether %s runs in %s", name, bus)
	case BusTalk:
		return fmt.Sprintf("talk to %s in %s", name, bus)
	case BusOwn:
		return fmt.Sprintf("act as %s in %s", name, bus)
	}
	what := "every method"
	switch {
	case b.call.member != "":
		what = b.call.iface + "." + b.call.member
	case b.call.iface != "":
		what = "the methods of " + b.call.iface
	}
	return fmt.Sprintf("call %s of %s in %s", what, name, bus)
}

func describeEnv(subject string) string {
	name, value, fixed := strings.Cut(subject, "=")
	if fixed {
		return fmt.Sprintf("see %s with the value %q", name, value)
	}
	return "see your " + name
}

func describeLimit(subject string) string {
	v, _ := ParseLimit(subject)
	switch v.name {
	case "memory":
		return "use up to " + v.String() + " of memory"
	case "swap":
		return "use up to " + v.String() + " of swap space"
	case "cpu":
		return "use up to " + v.String() + " processors"
	case "pids":
		return "run up to " + v.String() + " processes and threads"
	case "io":
		return "read and write up to " + v.String() + " a second"
	case "files":
		return "open up to " + v.String() + " files in one process"
	}
	return "run for up to " + v.String()
}
