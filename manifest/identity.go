package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sandbox/internal/hint"
)

const (
	maxName    = 80
	maxSummary = 200
	maxReason  = 300
)

var archNames = []string{"any", "aarch64", "x86_64"}

// archAliases are what other systems call the same machines.
var archAliases = map[string]string{"amd64": "x86_64", "x64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64", "all": "any", "noarch": "any"}

func (r *reader) id(n *node, _ string) {
	id, err := ParseID(n.text)
	r.report(n, err)
	r.m.ID = id
}

func (r *reader) extends(n *node, _ string) {
	id, err := ParseID(n.text)
	r.report(n, err)
	r.m.Extends = id
}

func (r *reader) version(n *node, _ string) {
	r.report(n, CheckVersion(n.text))
	r.m.Version = n.text
}

func (r *reader) channel(n *node, _ string) {
	r.report(n, CheckChannel(n.text))
	r.m.Channel = n.text
}

func (r *reader) runtime(n *node, _ string) {
	ref, err := ParseRuntimeRef(n.text)
	r.report(n, err)
	r.m.Runtime = ref
}

func (r *reader) name(n *node, _ string)    { r.m.Name = r.sentence(n, "name", maxName) }
func (r *reader) summary(n *node, _ string) { r.m.Summary = r.sentence(n, "summary", maxSummary) }

func (r *reader) kind(n *node, _ string) {
	r.m.Kind = Kind(r.oneOf(n, "kind", anyKind))
}

func (r *reader) license(n *node, _ string) {
	if err := checkLicense(n.text); err != nil {
		r.bad(n, "write an SPDX expression, like \"MIT OR Apache-2.0\"", "%v", err)
	}
	r.m.License = n.text
}

func (r *reader) homepage(n *node, _ string) {
	r.report(n, checkURL(n.text))
	r.m.Homepage = n.text
}

func (r *reader) arch(n *node, path string) {
	for _, elem := range r.strings(n, "arch", 16) {
		if alias := archAliases[strings.ToLower(elem.text)]; alias != "" {
			r.bad(elem, fmt.Sprintf("it is written %q here", alias), "unknown arch %q", elem.text)
			continue
		}
		name := r.oneOf(elem, "arch", archNames)
		if name == "" {
			continue
		}
		if slices.Contains(r.m.Arch, name) {
			r.bad(elem, "", "arch %q stands here twice", name)
		}
		r.m.Arch = append(r.m.Arch, name)
	}
	slices.Sort(r.m.Arch)
	if len(n.elems) == 0 {
		r.bad(n, "leave the key out for any arch", "arch is empty")
	}
	if len(r.m.Arch) > 1 && slices.Contains(r.m.Arch, "any") {
		r.bad(n, "", "arch \"any\" stands beside others")
	}
}

// report records an error of a value, with its hint.
func (r *reader) report(n *node, err error) {
	if err != nil {
		r.bad(n, hint.Of(err), "%v", err)
	}
}

// oneOf is the value when it is one of those known, or "".
func (r *reader) oneOf(n *node, name string, known []string) string {
	if slices.Contains(known, n.text) {
		return n.text
	}
	way := "known are: " + strings.Join(known, ", ")
	if near := nearest(n.text, known); near != "" {
		way = fmt.Sprintf("did you mean %q?", near)
	}
	r.bad(n, way, "unknown %s %q", name, n.text)
	return ""
}

// sentence is text for people: on one line, not empty, not longer than limit
// characters, with no space at its ends.
func (r *reader) sentence(n *node, name string, limit int) string {
	switch {
	case n.text == "":
		r.bad(n, "leave the key out if there is nothing to say", "%s is empty", name)
	case utf8.RuneCountInString(n.text) > limit:
		r.bad(n, "", "%s is longer than %d characters", name, limit)
	case strings.ContainsAny(n.text, "\r\n\t"):
		r.bad(n, "", "%s is not on one line", name)
	case strings.TrimSpace(n.text) != n.text:
		r.bad(n, "", "%s starts or ends with a space", name)
	}
	return n.text
}

// strings gives the elements of an array that are strings, and reports others
// and those past the limit.
func (r *reader) strings(n *node, name string, limit int) []*node {
	var elems []*node
	for i, elem := range n.elems {
		if i >= limit {
			r.bad(elem, "", "%s has more than %d elements", name, limit)
			break
		}
		if r.is(elem, wantString, "element of "+strconv.Quote(name)) {
			elems = append(elems, elem)
		}
	}
	return elems
}
