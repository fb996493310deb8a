package permissions

import _ "embed"

// Reference is the vocabulary for users, as Markdown.
//
//go:embed PERMISSIONS.md
var Reference string
