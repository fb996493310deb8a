package repo

// Where the files of a repository lie, relative to its address, with slashes.
// All but the metadata are named by their content and never change.

func TreePath(d Digest) string      { return fanned("man/", d) }
func LocatorPath(d Digest) string   { return fanned("loc/", d) }
func PackPath(d Digest) string      { return fanned("pack/", d) }
func CataloguePath(d Digest) string { return "cat/" + d.String() }

// fanned spreads files over 256 directories, which file systems and people
// with ls prefer.
func fanned(room string, d Digest) string {
	s := d.String()
	return room + s[:2] + "/" + s
}
