// Package pack writes the contents of bundles into packs and reads them again.
//
// A pack is nothing but zstd frames, one after the other, each of which unpacks
// on its own; what lies where is in a repo.Locator. A file of 256 KiB or more
// has a frame for itself, and one for every 16 MiB where it is larger. Smaller
// files share frames of at most 256 KiB, in the order in which they are given,
// so that files of one directory compress each other. A client fetches ranges
// of whole frames; an update of one small file costs one frame.
//
// The same objects in the same order give the same packs, however many
// processors work on them.
//
// # What is trusted
//
// Write reads files that may change under it: every object is compared with its
// digest, and the pack is worthless when one differs. Reading trusts nothing:
// the window, the packed and the unpacked length of a frame are bounded before
// and while it is decoded, and a frame gives exactly as many bytes as its
// locator says or an error. Whether they are the right bytes is found out by
// those who hash them on their way to the disk.
package pack
