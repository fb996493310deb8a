package store

import (
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
)

// Find is the one installed thing that a person means: by its ref, its id, its
// id or the last part of that in any case, or one of these with the channel
// (ID/CHANNEL). Apps come before what apps bring along.
func (s *Store) Find(unsafeName string) (Record, error) {
	all, err := s.Records()
	if len(all) == 0 && err != nil {
		return Record{}, err
	}
	return Choose(all, unsafeName)
}

// NotInstalled says that nothing of that name is there.
type NotInstalled struct {
	Name string
	Have []string // ids, for a suggestion
}

func (e *NotInstalled) Error() string { return fmt.Sprintf("%q is not installed", e.Name) }

// Choose is Find among records.
func Choose(all []Record, unsafeName string) (Record, error) {
	var match []Record
	for _, kind := range [...]manifest.Kind{manifest.App, manifest.Extension, manifest.Runtime} {
		if len(match) > 0 {
			break
		}
		for _, r := range all {
			if r.Ref().Kind == kind && Means(unsafeName, r.Ref()) {
				match = append(match, r)
			}
		}
	}
	if len(match) > 1 { // of one id, the default channel is meant
		i := slices.IndexFunc(match, func(r Record) bool { return r.Ref().Channel == manifest.DefaultChannel })
		same := !slices.ContainsFunc(match, func(r Record) bool { return r.Ref().ID != match[0].Ref().ID })
		if same && i >= 0 {
			match = match[i : i+1]
		}
	}
	switch len(match) {
	case 1:
		return match[0], nil
	case 0:
		e := &NotInstalled{Name: unsafeName}
		for _, r := range all {
			e.Have = append(e.Have, string(r.Ref().ID))
		}
		return Record{}, e
	}
	var refs []string
	for _, r := range match {
		refs = append(refs, r.Ref().String())
	}
	return Record{}, hint.With(fmt.Errorf("%q means more than one", unsafeName), "name one of %s", strings.Join(refs, ", "))
}

// Means reports whether a person who writes the name can mean the ref.
func Means(unsafeName string, r repo.Ref) bool {
	name := unsafeName
	id, channel, some := strings.Cut(name, "/")
	switch {
	case name == r.String():
		return true
	case some:
		return channel == r.Channel && called(id, r)
	}
	return called(name, r)
}

func called(name string, r repo.Ref) bool {
	return name == string(r.ID) || strings.EqualFold(name, r.ID.Base())
}
