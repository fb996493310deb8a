package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sandbox/internal/hint"
)

const (
	maxSources  = 64
	maxPackages = 512
	maxSteps    = 128
	maxStep     = 4000
	maxStrip    = 16
)

var sourceTypes = []string{string(SourceDebian), string(SourceDir), string(SourceFile), string(SourceArchive)}

func (r *reader) build(n *node, path string) { r.table(n, "build.", path+".") }

func (r *reader) steps(n *node, _ string) {
	for _, elem := range r.strings(n, "steps", maxSteps) {
		if strings.TrimSpace(elem.text) == "" || len(elem.text) > maxStep {
			r.bad(elem, "", "step has not 1 to %d bytes", maxStep)
		}
		r.m.Build.Steps = append(r.m.Build.Steps, elem.text)
	}
}

func (r *reader) sources(n *node, path string) {
	for i, elem := range n.elems {
		if i >= maxSources {
			r.bad(elem, "", "more than %d sources", maxSources)
			return
		}
		if !r.is(elem, wantTable, `element of "source"`) {
			continue
		}
		r.source = &Source{Line: r.place(elem.at, elem.end).line}
		r.table(elem, "build.source.", path+"["+strconv.Itoa(i)+"].")
		r.audience(elem, "build.source.", string(r.source.Type))
		if elem.get("type") == nil {
			r.problem(elem.at, elem.end-elem.at, `key "type" is missing`, "known are: "+strings.Join(sourceTypes, ", "))
		}
		if r.source.Type == SourceFile && r.source.Dest == "" {
			r.source.Dest = r.source.Path[strings.LastIndexByte(r.source.Path, '/')+1:]
		}
		r.m.Build.Sources = append(r.m.Build.Sources, *r.source)
	}
}

func (r *reader) sourceType(n *node, _ string) {
	r.source.Type = SourceType(r.oneOf(n, "source type", sourceTypes))
}

// suite holds names such as bookworm-backports: they become part of a line of
// sources.list, so the grammar has no spaces, slashes or options.
func (r *reader) suite(n *node, _ string) {
	outside := func(c rune) bool { return !(c >= 'a' && c <= 'z') && !isDigit(c) && c != '-' }
	if n.text == "" || len(n.text) > 40 || n.text[0] < 'a' || strings.IndexFunc(n.text, outside) >= 0 {
		r.bad(n, "a suite is a name like \"bookworm\"", "suite %q is not a name", n.text)
	}
	r.source.Suite = n.text
}

func (r *reader) packages(n *node, _ string) {
	if len(n.elems) == 0 {
		r.bad(n, "", "packages is empty")
	}
	for _, elem := range r.strings(n, "packages", maxPackages) {
		if err := CheckPackage(elem.text); err != nil {
			r.report(elem, err)
		} else if slices.Contains(r.source.Packages, elem.text) {
			r.bad(elem, "", "package %q stands here twice", elem.text)
		}
		r.source.Packages = append(r.source.Packages, elem.text)
	}
}

// CheckPackage tells whether text is a Debian package name (Debian policy
// 5.6.1). It cannot be an option, a version or a path of apt.
func CheckPackage(text string) error {
	if len(text) < 2 || len(text) > 128 {
		return fmt.Errorf("package name %q has not 2 to 128 characters", text)
	}
	for i, c := range text {
		if !(c >= 'a' && c <= 'z') && !isDigit(c) && (i == 0 || !strings.ContainsRune("+-.", c)) {
			return hint.With(fmt.Errorf("package name %q holds a character other than a-z, 0-9 and inner + - .", text),
				"versions and architectures are not part of it")
		}
	}
	if last := text[len(text)-1]; last == '-' || len(text) > 2 && last == '+' && text[len(text)-2] != '+' {
		return fmt.Errorf("package name %q ends with %q, which apt reads as an order to install or remove", text, string(last))
	}
	return nil
}

func (r *reader) sourcePath(n *node, _ string) {
	err := checkRelative(n.text)
	if err == nil && n.text == FileName {
		err = fmt.Errorf("path is the manifest itself")
	}
	r.report(n, err)
	r.source.Path = n.text
}

func (r *reader) dest(n *node, _ string) {
	r.report(n, checkRelative(n.text))
	r.source.Dest = n.text
}

func (r *reader) sha256(n *node, _ string) {
	outside := func(c rune) bool { return !isDigit(c) && !(c >= 'a' && c <= 'f') }
	if len(n.text) != 64 || strings.IndexFunc(n.text, outside) >= 0 {
		r.bad(n, "it is what sha256sum prints", "sha256 is not 64 lower-case hexadecimal digits")
	}
	r.source.SHA256 = n.text
}

func (r *reader) executable(n *node, _ string) { r.source.Executable = n.text == "true" }

func (r *reader) strip(n *node, _ string) {
	v, err := strconv.Atoi(n.text)
	if err != nil || v < 0 || v > maxStrip {
		r.bad(n, "", "strip is not a number from 0 to %d", maxStrip)
	}
	r.source.Strip = v
}
