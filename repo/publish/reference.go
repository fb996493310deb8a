package publish

import _ "embed"

// Reference is the page for those who publish.
//
//go:embed PUBLISH.md
var Reference string
