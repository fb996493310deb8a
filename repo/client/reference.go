package client

import _ "embed"

// Reference is the page for those who install.
//
//go:embed INSTALL.md
var Reference string
