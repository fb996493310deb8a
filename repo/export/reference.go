package export

import _ "embed"

// Reference is the page about what apps show outside their sandbox.
//
//go:embed EXPORTS.md
var Reference string
