package manifest

import "sandbox/permissions"

// FileName is the name of a manifest inside its bundle directory.
const FileName = "sandbox.toml"

// Kind says what a bundle is. The zero value is none of them.
type Kind string

const (
	App       Kind = "app"
	Runtime   Kind = "runtime"
	Extension Kind = "extension"
)

// Manifest is a checked sandbox.toml. The zero value asks for nothing.
//
// Defaults are filled in by Parse: Name, Channel, Kind, Command and
// Commands hold what applies, not only what was written.
type Manifest struct {
	ID       ID
	Name     string
	Version  string
	Channel  string
	Kind     Kind
	Summary  string
	License  string
	Homepage string
	Arch     []string // sorted; "any" stands alone; empty: as the files are

	// Command is a bare name, looked up in /app/bin:/usr/bin inside, or a
	// clean absolute path below /app or /usr.
	Command  string
	Args     []string  // before the user's arguments
	Commands []Command // names for PATH, sorted
	Runtime  RuntimeRef
	Extends  ID

	Env         []EnvVar            // sorted by name
	Permissions []permissions.Entry // Allow, or Ask when optional; in the order of the text
	Limits      []permissions.Entry // all of kind limit

	Build   Build
	Exports Exports

	file  string
	where map[string]place // key path, as in Keys, to where its value stands
}

// Command is one name that the application wants in PATH.
type Command struct {
	Name string
	Path string // as Manifest.Command
}

// EnvVar is a variable that the application's environment starts with.
type EnvVar struct {
	Name, Value string
}

// RuntimeRef names the runtime below an application. The zero value means that
// the bundle needs none.
type RuntimeRef struct {
	ID      ID
	Channel string
}

// String is ID/CHANNEL, or empty for no runtime.
func (r RuntimeRef) String() string {
	if r.ID == "" {
		return ""
	}
	return string(r.ID) + "/" + r.Channel
}

// Build is how the bundle's files are made. A bundle without sources and steps
// already holds them.
type Build struct {
	Sources []Source
	Steps   []string // shell lines, run inside the sandbox only
}

// SourceType says where a source takes its files from.
type SourceType string

const (
	SourceDebian  SourceType = "debian"
	SourceDir     SourceType = "dir"
	SourceFile    SourceType = "file"
	SourceArchive SourceType = "archive"
)

// Source is one [[build.source]]. Which fields are set depends on the Type.
type Source struct {
	Type SourceType `json:"type"`
	Line int        `json:"line"` // in the manifest

	// debian
	Suite    string   `json:"suite,omitempty"`
	Packages []string `json:"packages,omitempty"` // in the order of the text

	// dir, file, archive
	Path       string `json:"path,omitempty"`       // clean, relative, below the manifest's directory
	Dest       string `json:"dest,omitempty"`       // clean, relative, below files/; empty means files/ itself
	SHA256     string `json:"sha256,omitempty"`     // lower-case hex; always set for an archive
	Executable bool   `json:"executable,omitempty"` // file
	Strip      int    `json:"strip,omitempty"`      // archive: leading path elements to drop
}

// Exports are files of the bundle that the host may show to its user. What is
// done with them, and whether, is decided at installation.
type Exports struct {
	Desktop     []Export // desktop entries
	Icons       []Export
	Man         []Export // manual pages
	Mime        []Export // shared-mime-info packages
	Metainfo    []Export // AppStream
	Completions []Export // shell completions

	// Opens are the types of files, and as x-scheme-handler/NAME the schemes of
	// addresses, that the desktop entries may claim. They name no files.
	Opens []string
}

// Export is one exported file: where it is inside, and its name outside.
type Export struct {
	Path string `json:"path"` // clean, absolute, below /app or /usr
	Name string `json:"name"` // a single path element
}

// Layer is what the manifest contributes to the merge of permissions.
func (m *Manifest) Layer() permissions.Layer {
	entries := make([]permissions.Entry, 0, len(m.Permissions)+len(m.Limits))
	entries = append(entries, m.Permissions...)
	return permissions.Layer{Name: permissions.LayerManifest, Entries: append(entries, m.Limits...)}
}
