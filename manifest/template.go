package manifest

import (
	"fmt"
	"strings"
)

// Template is the manifest that `sandbox init` writes for a new bundle: it
// parses as it is, and says in comments what else there is.
func Template(id string) []byte {
	base := ID(id).Base()
	command := strings.ToLower(base)
	if CheckCommandName(command) != nil {
		command = "tool"
	}
	return []byte(strings.NewReplacer(
		"$ID", quote(id), "$NAME", quote(base), "$COMMAND", quote(command),
	).Replace(templateText))
}

const templateText = `# What this bundle is. All keys: sandbox help manifest
id = $ID
name = $NAME
version = "0.1"
summary = "One line about what it does"
license = "LicenseRef-unknown"          # an SPDX expression, like "MIT OR Apache-2.0"
# homepage = "https://example.org"
# arch = ["x86_64"]                     # default: any

# The /usr it runs on. Leave it out when the bundle brings all it needs.
# runtime = "org.debian.Platform/12"

command = $COMMAND
# args = ["--flag"]                     # put before the user's arguments
# commands = { $COMMAND = $COMMAND }    # names in PATH; default: the command
# env = { EDITOR = "nano" }

# What it may do, each with a reason for the person who decides. Without an
# entry here it has no network and sees no file of the user's.
[permissions]
# "files:~/Documents:write" = "edit your documents"
# "network:example.org:443" = { reason = "check for updates", optional = true }

[limits]
# memory = "512M"
# pids = 100

# Where the files come from. Without a source, files/ is taken as it is.
# [[build.source]]
# type = "debian"
# suite = "bookworm"
# packages = ["nano"]

# [build]
# steps = ["make install DESTDIR=$DEST"]  # run inside the sandbox
`

// quote writes s as a TOML string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case badRune(r) != "":
			fmt.Fprintf(&b, "\\U%08X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
