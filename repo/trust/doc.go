// Package trust decides what a repository really says. It reads the metadata
// of The Update Framework through go-tuf and answers one question: which
// release does a ref stand for, by the word of those who may say so.
//
// # What is trusted
//
// The first root, which a person accepted by its fingerprint, and what has been
// stored here since. Nothing that a server sends counts before it is verified,
// and nothing is stored before that. Then this holds:
//
//   - root: each version is signed by the one before and by itself, and versions
//     are walked one by one;
//   - timestamp and snapshot never go back, no listed file vanishes or goes
//     back, and all belong together by length and hash: no rollback, no mix of
//     old and new;
//   - all of it is unexpired at the latest time this machine has seen, so
//     neither silence nor a clock that is set back freezes a user at an old
//     state;
//   - a ref is said by the first role, in order, to whom it is delegated.
//
// go-tuf does the comparing and verifying. Before it sees a byte, this package
// has bounded it and looked at its shape (check.go, role.go), since go-tuf and
// its forerunners accepted thresholds below one (CVE-2026-23992), took
// delegations out of order (CVE-2024-47534), let role names become paths
// (CVE-2026-24686) and trip over what is missing or null. Its own downloader is
// not used: bytes come from package remote.
//
// # What this cannot stop
//
// Who holds the keys of a repository says what its refs are. The publisher's
// own signature on a release (checked here, remembered by package client)
// limits that to new apps. A key that is lost is replaced by a new root; a user
// who is kept from the network learns of that only when the timestamp expires.
//
// # On disk
//
// A remote's directory holds root/N.root.json, each written once verified;
// state.json, which has the timestamp and snapshot last verified and the time of
// that, replaced in one rename; meta/, the role files that the snapshot names,
// checked against it at each reading; and cat/, the same for catalogues.
package trust
