// Package client installs, updates and describes what repositories offer. It
// brings together whom to believe (package trust), where bytes come from
// (package remote), how they are packed (package pack) and where they rest
// (package store).
//
// # Plan, then do
//
// A Plan is made without changing anything that is installed: it says which
// releases would come, from where, what they would be allowed, what has to be
// downloaded, and what a person has to agree to. The caller shows it, asks, and
// tells Settle what was agreed to; what was not is held back. Apply does the
// rest, step by step, each of which is whole or not there at all.
//
// # What a step is checked for
//
// The order is that of FORMAT.md. Metadata is verified first. Then, before
// anything is asked or downloaded: the release is newer than what is installed
// and than everything seen before; it comes from the repository and the
// publisher that the app came from; its tree has the signed length and hash and
// says the same as the index; its permissions are those that were signed, and
// are compared with those that were accepted. The manifest whose permissions
// are shown is the one that will be enforced: one text, parsed once, bound by
// the hash of the tree.
//
// Contents are hashed while they are written. A pack that holds something else,
// a server that dies, a disk that is full end the step; what was complete stays
// in the store for the next attempt, and of a large file what had come.
//
// Several steps are fetched at a time, through one gate of requests that bounds
// what is in memory, and installed in their order. The store is locked for each
// installation, not for the download (store.Fetch).
//
// # Consent
//
// An update that asks for more than was accepted, an app that would come from
// another repository, a publisher with another key, metadata that has expired:
// each is a Need of its own, and yes to one is no yes to another.
//
// # What this cannot stop
//
// A publisher may sign a bad release, and who holds a repository's keys may name
// a publisher for a new app. An app that was accepted may use what it was
// granted.
package client
