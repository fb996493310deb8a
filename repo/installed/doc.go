// Package installed finds what is installed: the directory of a bundle by the
// name a person types, and the runtime below it, for `sandbox run`. It also says
// how a store is laid out on the disk, for package store, which fills one.
//
// A launch links this package, so it knows nothing of signatures, compression,
// networks or JSON: all it needs is in the names.
//
//	<store>/deploy/<kind>/<id>/<arch>/<channel>/
//	    <n>-<tree>/       a deployed release: a bundle directory
//	    <n>-<tree>.json   its record (package store)
//	    <n>-<tree>.lock   held shared by every instance that runs from it
//	    current           a link to the release that is started
//	<store>/../bin/NAME   what a name in PATH starts (see Command; package export)
//
// # What is trusted
//
// The user's own store and the machine's, when nobody but the user or root could
// have written to them: the owner and mode of the directories on the way are
// looked at on every use. Names in a store are hostile all the same, since it may
// lie on a disk that others have used: they are parsed into types, anything else
// is passed over, and nothing is opened by way of a symbolic link.
//
// # Limits
//
// What a deployed file holds is not read here: `sandbox verify` does that.
package installed
