// Package store keeps what is installed on the user's disk: contents by their
// hash, releases deployed from them, and which of them is current.
//
//	<store>/
//	    format                      what layout this is
//	    lock                        held by the one writer, with a line that says who
//	    fetching                    held by downloads, shared (fetch.go)
//	    objects/ab/<sha256>.f .x    contents: mode 0644, and 0755
//	    trees/ab/<sha256>           tree files, as they were signed
//	    deploy/<ref>/               see package installed
//	    state/<ref>.json            floors, holds, pins: what an uninstall leaves
//	    history.jsonl               what was done, a line each
//	    unsynced                    contents may not have reached the disk (object.go)
//	    unswept                     a gc has left contents alone, for a download (gc.go)
//	    partial/                    of large contents whose download broke off (partial.go)
//	    tmp/                        of the writer; what a crash leaves is cleared by the next
//
// A deployed release is a bundle directory. Its files are hard links to the
// objects, or copies where a file system cannot link or has no link left
// (ext4 allows 65,000).
//
// # A crash at any moment
//
// leaves the old release or the new one. Contents and the tree are complete, and
// forced to the disk by one syncfs(2), before anything names them. Then the tree
// gets its name, the record follows, and `current` is flipped by a rename; removal
// goes the other way round. A directory without a record, and everything in tmp/,
// is nobody's and goes with the next writer or gc that finds no download under way.
//
// # Who waits for whom
//
// Whoever reads waits for nobody. Whoever changes something waits for the lock, which
// a download does not have: it holds "fetching", shared with other downloads, so that
// nothing it brings is removed before a release refers to it.
//
// # What is trusted
//
// The user's account, and root's for the store of the machine. What comes in was
// verified by its hash; Deploy looks again whether tree, manifest and release
// speak of the same thing. Records and names that lie in a store are parsed into
// types, for the disk may have been in another machine; nothing below a store is
// opened by way of a symbolic link (os.Root, openat2).
//
// The floor of a ref, the highest release number that was ever seen of it from one
// repository, lies outside of what an uninstall or a cache cleaner removes:
// removing an app and installing it again is no way back to an old release
// (CVE-2026-96281).
//
// # Limits
//
// A program of the same user can change everything here, as it can everything of
// that user's. Verify finds what has changed, by accident or by a program in the
// way of CVE-2022-0847; nothing looks at a launch.
package store
