package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"sandbox/permissions"
)

// encode writes a manifest out again, with every default made explicit.
func encode(m *Manifest) []byte {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, quote(value))
		}
	}
	line("id", string(m.ID))
	line("name", m.Name)
	line("version", m.Version)
	line("channel", m.Channel)
	line("kind", string(m.Kind))
	line("summary", m.Summary)
	line("license", m.License)
	line("homepage", m.Homepage)
	line("extends", string(m.Extends))
	line("runtime", m.Runtime.String())
	line("command", m.Command)
	if len(m.Arch) > 0 {
		fmt.Fprintf(&b, "arch = %s\n", list(m.Arch))
	}
	if len(m.Args) > 0 {
		fmt.Fprintf(&b, "args = %s\n", list(m.Args))
	}
	if m.Kind == App {
		b.WriteString("[commands]\n")
		for _, c := range m.Commands {
			line(quote(c.Name), c.Path)
		}
	}
	b.WriteString("[env]\n")
	for _, e := range m.Env {
		fmt.Fprintf(&b, "%s = %s\n", quote(e.Name), quote(e.Value))
	}
	encodeGrants(&b, m)
	encodeBuild(&b, m)
	return []byte(b.String())
}

func encodeGrants(b *strings.Builder, m *Manifest) {
	if len(m.Permissions) > 0 {
		b.WriteString("[permissions]\n")
	}
	for _, e := range m.Permissions {
		reason := ""
		if e.Reason != "" {
			reason = "reason = " + quote(e.Reason) + ", "
		}
		fmt.Fprintf(b, "%s = { %soptional = %v }\n", quote(e.Permission.String()), reason, e.Optional)
	}
	if len(m.Limits) > 0 {
		b.WriteString("[limits]\n")
	}
	for _, e := range m.Limits {
		name, value, _ := strings.Cut(e.Subject, "=")
		fmt.Fprintf(b, "%s = %s\n", name, quote(value))
	}
}

func encodeBuild(b *strings.Builder, m *Manifest) {
	b.WriteString("[build]\n")
	if len(m.Build.Steps) > 0 {
		fmt.Fprintf(b, "steps = [\n")
		for _, s := range m.Build.Steps {
			b.WriteString(multiline(s) + ",\n")
		}
		b.WriteString("]\n")
	}
	for _, s := range m.Build.Sources {
		fmt.Fprintf(b, "[[build.source]]\ntype = %s\n", quote(string(s.Type)))
		for _, kv := range [][2]string{{"suite", s.Suite}, {"path", s.Path}, {"dest", s.Dest}, {"sha256", s.SHA256}} {
			if kv[1] != "" {
				fmt.Fprintf(b, "%s = %s\n", kv[0], quote(kv[1]))
			}
		}
		if len(s.Packages) > 0 {
			fmt.Fprintf(b, "packages = %s\n", list(s.Packages))
		}
		if s.Executable {
			b.WriteString("executable = true\n")
		}
		if s.Strip > 0 {
			b.WriteString("strip = " + strconv.Itoa(s.Strip) + "\n")
		}
	}
	if m.Kind == App {
		b.WriteString("[export]\n")
	}
	if len(m.Exports.Opens) > 0 {
		fmt.Fprintf(b, "opens = %s\n", list(m.Exports.Opens))
	}
	for _, class := range exportClasses {
		for i, e := range *class.into(&m.Exports) {
			if i == 0 {
				b.WriteString(class.name + " = [\n")
			}
			fmt.Fprintf(b, "{ path = %s, name = %s },\n", quote(e.Path), quote(e.Name))
			if i == len(*class.into(&m.Exports))-1 {
				b.WriteString("]\n")
			}
		}
	}
}

func list(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[\n" + strings.Join(quoted, ",\n") + "]"
}

// multiline writes a step, which may hold line ends.
func multiline(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", `\r`).Replace(s)
	return "\"\"\"\n" + s + "\"\"\""
}

// plain drops what depends on the writing and not on the meaning.
func plain(m *Manifest) Manifest {
	p := *m
	p.file, p.where = "", nil
	p.Permissions, p.Limits = bare(m.Permissions), bare(m.Limits)
	p.Build.Sources = append([]Source(nil), m.Build.Sources...)
	for i := range p.Build.Sources {
		p.Build.Sources[i].Line = 0
	}
	if len(p.Commands) == 0 {
		p.Commands = nil
	}
	return p
}

func bare(entries []permissions.Entry) []permissions.Entry {
	var out []permissions.Entry
	for _, e := range entries {
		e.Origin = permissions.Origin{}
		out = append(out, e)
	}
	return out
}
