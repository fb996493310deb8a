// Package repo is the vocabulary of repositories: what a bundle is once it
// travels. A Tree names every file of a bundle by its content; a Locator says
// in which pack the contents lie; a Release is what the metadata signs about
// one version of a Ref; a catalogue is what a search reads. FORMAT.md says how
// each of them is written, for those who read a repository with other means.
//
// The package is pure: it turns values into bytes and back. Only TreeOf reads a
// directory. The rooms below do the rest:
//
//	bundle      bundle directories: made from a manifest, checked
//	strictjson  JSON by others, in one reading only
//	pack        contents in packs, written and read
//	key         the keys that sign
//	publish     the packager's side: a repository is made and changed
//	upload      the same for one that lies behind ssh or in a bucket
//	remote      where repositories are, and how bytes come from there
//	trust       what a repository really says
//	store       what is installed: contents, deployments, what is current
//	installed   a look into the store that costs a launch little
//	client      search, install, update: the rooms above put together
//	export      what apps show outside: commands, pages, entries of menus
//	snapshot    the homes of apps, kept before an update
//	bench       figures against OSTree and Flatpak
//
// # What is trusted
//
// Nothing that is decoded here. Stored bytes have been compared with a signed
// hash before, but whoever signs may be careless or hostile: a document is
// taken whole or refused whole. It says itself what it is, so that none can be
// read as another; keys have one spelling and are there once; every number is
// bounded before it is used, in 64 bits on every machine; no name leaves the
// bundle, lies below a link, or looks like another.
//
// # Limits
//
// Names that differ only in the case of ASCII letters are accepted, since
// Debian has them; where the file system folds case, such a bundle cannot be
// installed. A tree may have 400,000 entries, which take a reader some 100 MB.
package repo
