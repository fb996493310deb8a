package repo

import _ "embed"

// Reference is the page for those who read repositories by other means.
//
//go:embed FORMAT.md
var Reference string
