// Package remote knows where repositories are and how their bytes come here.
//
// A Source gives the files of one repository by their path: over http, https,
// from a directory, or out of a single-file bundle. What comes is not trusted
// for anything. The caller names the most it will take before the first byte is
// read, and checks length and hash afterwards; that is repo/trust and
// repo/client.
//
// # What a server can do
//
// It can refuse, and it can waste some time. It cannot
//
//   - send more than was asked for: every body is cut at a limit known before;
//   - keep a reader waiting: a body that brings too little for too long ends
//     (Pace), counted by the time spent waiting for it, so a slow disk here is
//     not held against it;
//   - lead elsewhere: a redirect that leaves the scheme, host and port of the
//     repository is refused (CVE-2020-15157: credentials went along), paths are
//     built here from names of a strict grammar and never taken from an answer;
//   - send bytes in another encoding: nothing is unpacked on the way;
//   - make this read a local file: the file source stays below its directory
//     and opens regular files only.
//
// No credentials are sent. A URL with a user name or a query is refused.
//
// # Interruptions
//
// A body that ends early is asked for again from where it stopped, a few times.
// A server that knows no ranges answers with the whole file; then one stream of
// each file serves everything that is wanted of it. Across processes, what was
// complete is in the store and not asked for again; and of a large object that was
// not, what had come is kept (Kept), and the rest is asked for. It is believed as
// little as the server: what does not fit is thrown away and asked for anew.
//
// # Configured remotes
//
// Each has a directory in the store, remotes/NAME, with remote.json written
// here, and the state of repo/trust beside it.
package remote
