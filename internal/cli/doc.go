// Package cli is what the project's programs share on the command line: the one
// table of verbs, its flags and help, errors and exit codes, and the hand-over
// from one program to the next.
//
// Users see a single program. The lean one, sandbox, performs the verbs that
// start and steer instances and replaces itself with the program beside it
// for every other verb, so that a launch does not pay for what it does not use.
//
// Standard output carries the result: one record a line, or JSON with --json.
// Everything else goes to standard error with a "sandbox:" prefix, without a
// capital letter at the start or a full stop at the end. Nothing is coloured
// unless it goes to a terminal. Text that came from an app, a bundle or a
// repository passes through safe.Text before it reaches either.
//
// The lean program links this package: only the standard library and x/sys here,
// and nothing that runs at program start.
package cli
