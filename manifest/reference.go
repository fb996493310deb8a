package manifest

import _ "embed"

// Reference is the document about sandbox.toml, for `sandbox help manifest`.
//
//go:embed MANIFEST.md
var Reference string
