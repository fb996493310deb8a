// Package publish is the packager's side of a repository: it makes one, puts
// bundles into it, takes them out, and keeps it fresh. What it makes are plain
// files for any web server; FORMAT.md in the room above says what is in them,
// PUBLISH.md beside this file how it is used.
//
// # Transactions
//
// Everything that changes a repository holds one lock and ends in one rename,
// that of timestamp.json. Files are written in the order in which they refer to
// each other, last the one that refers to all: packs, locators, trees,
// catalogue, roles, snapshot; then they are brought to disk; then the timestamp
// takes its name. A crash before that leaves files nobody refers to, which the
// next run passes over and gc sweeps. No name is ever used twice: versions
// count past what a crash left behind.
//
// The root is the exception, because clients look for the next one by its
// number. It gets its name last, after a timestamp that both the old and the
// new root vouch for; where the old keys are gone there is a moment in which
// clients must try again.
//
// # What is trusted
//
// The keys, and nothing on disk. Before anything is signed, everything that is
// there is verified from the first root down, so that what somebody with access
// to the directory planted is never signed. Expiry does not count here: to
// renew what has expired is one of the things this package is for. Bundles are
// checked as if a stranger had made them.
//
// # What it cannot stop
//
// Who holds the keys of the bins can publish whatever no publisher is
// responsible for. A first root that somebody replaced together with
// everything below it is a different repository, which our keys do not fit; who
// then replaces the keys too is not noticed here, but by every client.
package publish
