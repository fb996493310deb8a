// Package snapshot keeps copies of an app's home, and puts one back.
//
//	<data>/app/<id>/
//	    home/                       the app's own home
//	    lock                        disk.HomeLock
//	    snapshots/
//	        lock                    one at a time
//	        <time>/home/            the copy
//	        <time>/info.json        what and when it is
//	        <time>/index            what the copied files were like in the home
//	        .…                      half made or half removed; cleared by the next
//
// A copy is made of clones where the file system can (FICLONE). What has not
// changed since the snapshot before, going by inode, size and the two times of the
// kernel's (ctime cannot be set by a program), is a hard link to its copy there:
// links are only ever made among snapshots. A link to a file of the home itself
// would be no copy at all, for an app may write to its files in place.
//
// # Atomic
//
// A snapshot gets its name when it is complete and on the disk. To restore, a copy
// of the snapshot is completed beside the home and exchanged with it in one step
// (renameat2); the home that was there becomes a snapshot itself, so that a restore
// can be undone. A crash leaves the old home or the new one, and no half snapshot.
//
// # Running apps
//
// While an instance runs, its home changes under the copy. Create refuses then, or
// has the instances held still for as long as it takes, when the caller can do
// that: then the copy is like what a power cut would have left, and says so.
// Restore and RemoveAll always refuse.
//
// # What is trusted
//
// Everything in a home may be hostile: the app wrote it. It is walked by
// descriptors, no link is followed, nothing but regular files is opened, and none
// of them waits. FIFOs are made anew; sockets and devices are left out and counted.
// Owners stay as they are, since root's apps have ids of their own; set-id bits do
// not. What lies beside the home no app can reach, whatever it is granted.
//
// # Limits
//
// Directories deeper than 240 are left out and counted. Only "user." extended attributes are
// kept, and no access control lists.
package snapshot
