// Package bundle turns a manifest and its sources into a bundle directory, and
// checks bundle directories that others made.
//
// A bundle is a directory with fixed names at its top:
//
//	sandbox.toml   the manifest
//	files/         becomes /app; of a runtime, /usr
//	usr/           only in the overlay layout: lies over the runtime's /usr
//
// Below them are directories, regular files of mode 0644 or 0755, and symbolic
// links that stay inside as the app will see it. There are no owners, no
// set-id bits, no devices, no extended attributes, and every time is the same,
// so that the same input gives the same bytes and one digest names them.
//
// # What is trusted
//
// The manifest is the packager's own and was parsed strictly. Everything it
// points to is hostile: archives copied from the web, directories under
// somebody's control, even Debian packages, whose scripts are never run and
// whose set-id bits are dropped. Build steps run in the sandbox, by the caller;
// what they leave is checked like the rest.
//
// A source is refused whole, for anything odd, rather than repaired. Writing
// goes through os.Root and through a table of what was made, into a staging
// directory beside the result. The result gets its name by one rename when the
// tree is complete, checked and on disk; until then an earlier build stays as
// it was.
//
// # Debian packages
//
// The packager's own apt resolves and fetches them, without root and in a
// private state directory: the host's apt never notices. The signed index
// vouches for each package's SHA-256, sandbox.lock records it, and with the
// lock and a filled cache a build needs neither apt nor the network. Where
// files go is decided in place.go; BUILD.md says it to packagers.
//
// # Limits
//
// The xz library allocates the window that a stream asks for. The first block
// is checked before; a later block could ask for up to 4 GiB of address space,
// of which only what it fills is used. Names that differ by case only are
// refused in archives, but Debian has them (terminfo, Perl): there, and in
// Check, they are a warning. Diversions and triggers of packages are not known
// here.
package bundle
