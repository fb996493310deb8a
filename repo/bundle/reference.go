package bundle

import _ "embed"

// Reference is the page for packagers: what a bundle is made from and how.
//
//go:embed BUILD.md
var Reference string
