// Package export shows installed apps to the user's shell and desktop: command
// names in a directory for PATH, manual pages, shell completions, desktop
// entries, icons, MIME types, AppStream descriptions and D-Bus services.
//
// Below a Place, the directories are
//
//	bin/NAME                 link to ../command/ID:COMMAND
//	command/ID:COMMAND       link to the program sandbox
//	share/…                  laid out as an element of XDG_DATA_DIRS
//	exports.json             what of this we made
//
// so that a name in PATH is sandbox itself, which finds out by one readlink
// what it is to start (package repo/installed).
//
// # One function
//
// Sync makes all of it equal to what is installed and decided: it may be called
// at any time and any number of times. Every file is replaced by rename; a crash
// leaves some files old and some new, and the next Sync ends the work. What is
// no longer wanted is removed. A file that is there and not in exports.json, or
// that somebody has changed since, is left alone and said.
//
// # What is trusted
//
// The manifest was parsed strictly and its names belong to the bundle. The
// files it points to are hostile: they are opened below the deployed tree without
// following any link (CVE-2024-29069), with a bound on their size, and only
// regular ones. No file that a desktop or a bus acts upon is copied: desktop
// entries, MIME packages, services and AppStream descriptions are written here,
// from the manifest and from an allow-list of harmless keys. Pictures are decoded
// and encoded again; SVG is taken as it is after a look at every element. A
// manual page is text without control characters.
//
// Completions are code that runs in the user's shell, outside the sandbox. They
// are copied only for the apps that the user named.
//
// # Names
//
// A command of an app is not linked when its name is that of a program of the
// system, of one in PATH, or of another app's command: that is said, and an
// alias, which is the user's own word, decides. An alias wins over all.
//
// # Limits
//
// An app may call itself by a name or show a picture that reminds of another
// program. A program that the host gets later under the name of a linked command
// is hidden by the link where our directory stands first in PATH; the next Sync
// says so. Desktops read caches that are made here without their tools, so a
// running desktop may notice new types of files at its next start.
package export
