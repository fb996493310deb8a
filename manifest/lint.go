package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sandbox/permissions"
)

// Lint gives what a reviewer would say about a manifest that Parse accepted:
// nothing of it is an error. It is sorted by position.
func Lint(m *Manifest) []Problem {
	l := &linter{m: m}
	for _, a := range advice {
		a.run(l)
	}
	sortProblems(l.problems)
	return l.problems
}

// linter collects advice about one manifest.
type linter struct {
	m        *Manifest
	problems []Problem
}

var advice = []struct {
	name string
	run  func(*linter)
}{
	{"people can read what it is", (*linter).lintIdentity},
	{"the name looks like nothing else", (*linter).lintName},
	{"every permission has a reason", (*linter).lintReasons},
	{"no permission makes the others pointless", (*linter).lintBroad},
	{"every permission changes something", (*linter).lintCovered},
	{"what is optional can be asked for", (*linter).lintOptional},
	{"commands shadow nothing", (*linter).lintCommands},
	{"the environment is harmless", (*linter).lintEnv},
	{"a build can be repeated", (*linter).lintBuild},
	{"exports stay inert", (*linter).lintExports},
}

// say adds advice about a key that the text has.
func (l *linter) say(path, hint, format string, args ...any) {
	p := newProblem(l.m.file, l.m.where[path], fmt.Sprintf(format, args...), hint)
	p.Warning = true
	l.problems = append(l.problems, p)
}

func (l *linter) lintIdentity() {
	if l.m.Summary == "" {
		l.say("id", "add summary: one line about what it does", "there is no summary")
	} else if strings.HasSuffix(l.m.Summary, ".") {
		l.say("summary", "", "the summary ends with a full stop")
	}
	if l.m.License == "" {
		l.say("id", "add license, as an SPDX expression", "there is no license")
	}
	if _, ok := l.m.where["name"]; !ok {
		l.say("id", "add name, as people write it", "there is no name")
	}
	if strings.HasPrefix(l.m.Homepage, "http://") {
		l.say("homepage", "use https", "the homepage is not encrypted")
	}
	parts := strings.Split(string(l.m.ID), ".")
	if parts[0] != strings.ToLower(parts[0]) {
		l.say("id", "domains are written in lower case", "the id starts with %q", parts[0])
	}
	if slices.Contains([]string{"example", "localhost", "local", "test", "invalid"}, parts[0]) || len(parts) > 1 && parts[1] == "example" {
		l.say("id", "use a domain that you control", "the id is under a domain for examples")
	}
}

// lintName finds names that look like another one: letters of two scripts in
// one name (Cyrillic "о" in a Latin word), or letters outside the scripts that
// the rest of the text is written in.
func (l *linter) lintName() {
	for _, field := range []struct{ path, text string }{{"name", l.m.Name}, {"summary", l.m.Summary}} {
		for _, word := range strings.FieldsFunc(field.text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M) }) {
			if names := lookalike(word); len(names) > 1 {
				l.say(field.path, "write the word with the letters of one script", "%s mixes %s letters in %q", field.path, strings.Join(names, " and "), word)
				break
			}
		}
	}
}

// lookalike names the scripts of a word among those whose letters are mistaken
// for each other.
func lookalike(word string) []string {
	var names []string
	for _, name := range []string{"Latin", "Greek", "Cyrillic", "Armenian", "Cherokee", "Coptic", "Lisu"} {
		if strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Scripts[name], r) }) {
			names = append(names, name)
		}
	}
	return names
}

func (l *linter) lintReasons() {
	for _, e := range l.m.Permissions {
		if strings.TrimSpace(e.Reason) == "" {
			l.sayEntry(e, "say in a sentence what the application does with it", "%q has no reason", e.Permission.String())
		} else if len(strings.Fields(e.Reason)) < 2 {
			l.sayEntry(e, "say in a sentence what the application does with it", "%q has a reason of one word", e.Permission.String())
		}
	}
}

func (l *linter) lintOptional() {
	for _, e := range l.m.Permissions {
		if e.Optional && !permissions.Live(e.Permission) {
			l.sayEntry(e, "make it required, or leave it to the user", "%q cannot be asked for at first use: it takes effect at a start", e.Permission.String())
		}
	}
}

// sayEntry is advice at the line of a permission.
func (l *linter) sayEntry(e permissions.Entry, hint, format string, args ...any) {
	at := cmp.Or(l.m.where["permissions."+e.Permission.String()], place{line: e.Origin.Line, column: 1})
	p := newProblem(l.m.file, at, fmt.Sprintf(format, args...), hint)
	p.Warning = true
	l.problems = append(l.problems, p)
}

func (l *linter) lintCommands() {
	for _, c := range l.m.Commands {
		if !Shadows(c.Name) {
			continue
		}
		path := "commands." + c.Name
		if _, ok := l.m.where[path]; !ok {
			path = "command"
		}
		l.say(path, "choose another name; an installation may leave it out of PATH", "command %q has the name of a program of the system", c.Name)
	}
}

// loaderEnv are variables that make programs load or run code, so that a
// mistake in them is hard to find.
var loaderEnv = []string{"LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PROMPT_COMMAND", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "GIT_SSH_COMMAND"}

func (l *linter) lintEnv() {
	for _, v := range l.m.Env {
		switch {
		case misplacedHint(v.Name) != "":
			l.say("env."+v.Name, misplacedHint(v.Name), "variable %q has the name of a key", v.Name)
		case strings.Contains(v.Value, "$") || strings.HasPrefix(v.Value, "~"):
			l.say("env."+v.Name, "write the value as it shall be", "the value of %q is not expanded", v.Name)
		case slices.Contains(loaderEnv, v.Name):
			l.say("env."+v.Name, "", "variable %q makes programs run other code", v.Name)
		case v.Name == "PATH":
			l.say("env.PATH", "use absolute paths in command and commands", "variable \"PATH\" replaces /app/bin:/usr/bin")
		}
	}
}

var movingSuites = []string{"stable", "oldstable", "testing", "unstable", "sid", "experimental"}

func (l *linter) lintBuild() {
	for i, s := range l.m.Build.Sources {
		if s.Type == SourceDebian && l.m.Kind != Runtime && l.m.Runtime.ID == "" {
			l.say(fmt.Sprintf("build.source[%d].type", i), "add runtime, like \"org.debian.Platform/12\"", "packages of Debian need a runtime to lie over")
		}
		if slices.Contains(movingSuites, s.Suite) {
			l.say(fmt.Sprintf("build.source[%d].suite", i), "name a release, like \"bookworm\"", "suite %q means another release later", s.Suite)
		}
		if s.Type == SourceFile && s.SHA256 == "" && s.Executable {
			l.say(fmt.Sprintf("build.source[%d].path", i), "add sha256", "an executable file is not pinned")
		}
	}
}

func (l *linter) lintExports() {
	if len(l.m.Exports.Opens) > 0 && len(l.m.Exports.Desktop) == 0 {
		l.say("export.opens", "export the desktop entry that claims them", "opens claims nothing without a desktop entry")
	}
	for i := range l.m.Exports.Completions {
		l.say(fmt.Sprintf("export.completions[%d]", i), "leave it out unless it is needed", "a completion is code that runs in the user's shell, outside the sandbox")
	}
}
