package manifest

import "slices"

// checks look at several keys together, after each was read on its own.
var checks = []struct {
	name string
	run  func(*reader)
}{
	{"an app has something to start", (*reader).checkCommand},
	{"an extension extends another bundle", (*reader).checkExtends},
	{"a bundle is not its own runtime", (*reader).checkRuntime},
	{"exports keep to their names", (*reader).checkExports},
}

func (r *reader) check() {
	for _, c := range checks {
		c.run(r)
	}
}

// setDefaults fills in what the text left out.
func (m *Manifest) setDefaults() {
	if m.Kind == "" && m.where["kind"] == (place{}) {
		m.Kind = App
	}
	if m.Name == "" {
		m.Name = m.ID.Base()
	}
	if m.Channel == "" {
		m.Channel = DefaultChannel
	}
	if m.Command == "" && len(m.Commands) == 1 && m.where["command"] == (place{}) {
		m.Command = m.Commands[0].Path
	}
	if m.Commands == nil && m.Command != "" {
		_, base, _ := cutLast("/"+m.Command, "/")
		if CheckCommandName(base) == nil {
			m.Commands = []Command{{Name: base, Path: m.Command}}
		}
	}
}

func (r *reader) checkCommand() {
	_, written := r.m.where["command"]
	if r.m.Kind != App || r.m.Command != "" || written {
		return
	}
	if len(r.m.Commands) > 1 {
		r.badAt("commands", "add command, for a start without a name", "\"command\" is missing: commands has %d entries", len(r.m.Commands))
		return
	}
	r.problem(0, 1, `key "command" is missing`, `for example: command = "nano"`)
}

func (r *reader) checkExtends() {
	if r.m.Extends != "" && r.m.Extends == r.m.ID {
		r.badAt("extends", "", "a bundle cannot extend itself")
	}
}

func (r *reader) checkRuntime() {
	if r.m.Runtime.ID != "" && r.m.Runtime.ID == r.m.ID {
		r.badAt("runtime", "", "a bundle cannot be its own runtime")
	}
}

// Supports tells whether the manifest says that the bundle's files run on an
// arch. One that says nothing leaves it to the files.
func (m *Manifest) Supports(arch string) bool {
	return len(m.Arch) == 0 || slices.Contains(m.Arch, arch) || slices.Contains(m.Arch, "any")
}
