// Package manifest reads what an application says about itself: the file
// sandbox.toml at the top of a bundle.
//
// The text is written by somebody the reader has no reason to trust, and what
// it says is shown to a person who then decides. So the rule of the room is
// that nothing may be read differently from how it looks:
//
//   - The bytes are checked before anything else: UTF-8, no byte order mark, no
//     NUL, no control, bidirectional or invisible characters, also not by way
//     of an escape inside a string.
//   - Two parsers read the text: a scanner of this package, which knows where
//     every key and value stands, and BurntSushi/toml, which knows TOML. A text
//     on which they disagree is refused.
//   - Keys are compared with the table of Keys byte for byte. No struct is ever
//     decoded into, so no key is matched without regard to case.
//   - Unknown keys, values and suffixes are errors; there is no lenient mode.
//
// All problems of a text are reported at once, each with its line and column.
// Advice that is not an error comes from Lint. MANIFEST.md is the reference for
// packagers.
//
// What this package cannot do: it says nothing about the files of the bundle
// (a command may be missing), nor whether a permission is wise, nor who wrote
// the manifest.
package manifest
