package store

import (
	"sandbox/repo"
)

// Size is what one installed thing takes on the disk, with the releases of it that
// are kept. Own would be free if it were uninstalled; Shared is also used by
// others.
type Size struct {
	Own    int64 `json:"own"`
	Shared int64 `json:"shared"`
}

// Sizes counts by contents: what several refs refer to is shared, whichever came
// first.
func (s *Store) Sizes() (map[repo.Ref]Size, error) {
	type content struct {
		d    repo.Digest
		exec bool
	}
	users := map[content]map[repo.Ref]int64{}
	sizes := map[repo.Ref]Size{}
	err := s.eachRelease(func(r Record) error {
		t, err := s.Tree(r.Release.Tree)
		if err != nil {
			return err
		}
		ref := r.Ref()
		own := sizes[ref]
		own.Own += int64(len(t.TOML)) + r.Release.TreeLength
		sizes[ref] = own
		for _, e := range t.Entries {
			if e.Type != repo.File || e.Size == 0 {
				continue
			}
			c := content{e.Object, e.Exec}
			if users[c] == nil {
				users[c] = map[repo.Ref]int64{}
			}
			users[c][ref] = e.Size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, by := range users {
		for ref, n := range by {
			size := sizes[ref]
			if len(by) == 1 {
				size.Own += n
			} else {
				size.Shared += n
			}
			sizes[ref] = size
		}
	}
	return sizes, nil
}
