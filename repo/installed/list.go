package installed

import (
	"slices"

	"sandbox/manifest"
)

// Apps holds the current release of every app in a place, one for each id: of
// several channels the one that App would take, or the first. Apps that cannot be
// held, because they are damaged or just going, are left out; Release the rest.
func Apps(p Place) ([]*Bundle, error) {
	s, err := open(p)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.close()
	var list []*Bundle
	for _, id := range ids([]*opened{s}) {
		if b := s.any(manifest.ID(id)); b != nil {
			list = append(list, b)
		}
	}
	return list, nil
}

func (s *opened) any(id manifest.ID) *Bundle {
	for _, arch := range arches() {
		r := Ref{manifest.App, id, arch, ""}
		channels, err := s.channels(r)
		if err != nil || len(channels) == 0 {
			continue
		}
		r.Channel = channels[0]
		if slices.Contains(channels, manifest.DefaultChannel) {
			r.Channel = manifest.DefaultChannel
		}
		if b, err := s.hold(r); b != nil && err == nil {
			return b
		}
	}
	return nil
}
