// Package repotest makes repositories for tests, and lets them misbehave.
//
// It writes the format by hand, from FORMAT.md and not with package publish:
// every document is a plain JSON value that a test may bend before it is signed,
// and every file a slice of bytes that it may bend afterwards. So it can write
// what a packager's tool refuses to, and it is a second opinion on what the
// format says.
//
// A Server carries a repository over HTTP on the loopback and misbehaves where a
// test wants it: it breaks off, drips, lies, leads elsewhere, counts what it was
// asked for.
//
// Programs do not link this package.
package repotest
