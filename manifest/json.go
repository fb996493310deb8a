package manifest

import (
	"encoding/json"

	"sandbox/permissions"
)

// MarshalJSON gives the view of a manifest that --json prints. Names follow
// the keys of sandbox.toml; what was filled in by default is there too.
func (m *Manifest) MarshalJSON() ([]byte, error) {
	v := view{
		ID: m.ID, Name: m.Name, Version: m.Version, Channel: m.Channel, Kind: m.Kind,
		Summary: m.Summary, License: m.License, Homepage: m.Homepage, Arch: m.Arch,
		Runtime: m.Runtime.String(), Extends: m.Extends, Command: m.Command, Args: m.Args,
		Commands: map[string]string{}, Env: map[string]string{},
		Permissions: viewEntries(m.Permissions), Limits: viewEntries(m.Limits),
		Sources: m.Build.Sources, Steps: m.Build.Steps, Export: m.Exports.view(),
	}
	for _, c := range m.Commands {
		v.Commands[c.Name] = c.Path
	}
	for _, e := range m.Env {
		v.Env[e.Name] = e.Value
	}
	return json.Marshal(v)
}

type view struct {
	ID          ID                `json:"id"`
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Channel     string            `json:"channel"`
	Kind        Kind              `json:"kind"`
	Summary     string            `json:"summary,omitempty"`
	License     string            `json:"license,omitempty"`
	Homepage    string            `json:"homepage,omitempty"`
	Arch        []string          `json:"arch,omitempty"`
	Runtime     string            `json:"runtime,omitempty"`
	Extends     ID                `json:"extends,omitempty"`
	Command     string            `json:"command,omitempty"`
	Args        []string          `json:"args,omitempty"`
	Commands    map[string]string `json:"commands,omitempty"`
	Env         map[string]string `json:"env,omitempty"`
	Permissions []viewEntry       `json:"permissions"`
	Limits      []viewEntry       `json:"limits,omitempty"`
	Sources     []Source          `json:"sources,omitempty"`
	Steps       []string          `json:"steps,omitempty"`
	Export      map[string]any    `json:"export,omitempty"` // lists by key
}

type viewEntry struct {
	Permission string `json:"permission"`
	Reason     string `json:"reason,omitempty"`
	Optional   bool   `json:"optional,omitempty"`
	Line       int    `json:"line"`
}

func viewEntries(entries []permissions.Entry) []viewEntry {
	out := make([]viewEntry, len(entries))
	for i, e := range entries {
		out[i] = viewEntry{e.Permission.String(), e.Reason, e.Optional, e.Origin.Line}
	}
	return out
}

func (e Exports) view() map[string]any {
	out := map[string]any{}
	if len(e.Opens) > 0 {
		out["opens"] = e.Opens
	}
	for _, class := range exportClasses {
		if list := *class.into(&e); len(list) > 0 {
			out[class.name] = list
		}
	}
	return out
}
