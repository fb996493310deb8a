// Package upload keeps a repository that lies on a server: in a bucket of an
// S3-compatible store (s3://), or in a directory behind ssh (ssh://). It reads
// nothing of what is in a repository; that is the room of package publish.
//
// # How
//
// A Place has a working copy in the user's cache: all small files of the
// repository, without the packs. Change brings the copy up to date, has package
// publish work on it as on any directory, with all its checks, plans which files
// are new there (plan.go, a pure function), and puts them to the server in the
// order in which they refer to each other. timestamp.json comes last and makes
// clients see the rest. What stops before that leaves files nobody refers to: the
// next run does not upload again what came through, and `repo gc` removes the
// remainder. Files are removed only after a timestamp that does not need them.
//
// # Two at once
//
// No name is ever given a second content: metadata and roots are put only where
// there is none of that name, and timestamp.json only over the one that was read.
// In a bucket that is the server's doing (If-None-Match, If-Match). Who comes
// second is told so by the server, reads again, and does the work again on what
// the other one made. Behind ssh there is no such condition: there, a lock file is
// held for the whole change. In a bucket only gc takes it, and everybody heeds
// it: nobody may begin to count on a file that is being removed.
//
// A lock that was left behind says whose it is. The next change from the same
// working copy lifts it by itself; for all others there is Unlock.
//
// # What is trusted
//
// As in package publish: the keys, and nothing on the server. Names that no
// repository has are passed over, files named by their hash are compared with it,
// and a timestamp older than one that this working copy has seen stops the
// change. So does a root that does not come from those that it has seen: what is
// signed for another repository with the same key could be used against this one. A
// working copy that is new believes the first root that it meets: `repo show` prints
// its fingerprint. Listings have an end, what they announce must fit on the disk, a pack has
// the length that releases say, and of a server's errors only plain words are shown:
// they become part of commands. A server that shows each of two publishers another
// state is found out by clients, not here.
//
// Secrets of AWS go into the signatures of requests and nowhere else. For ssh
// there is the user's own ssh, which knows keys, agents and hosts.
package upload
