package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
)

// Want is what a person asked for: a ref, an ID with or without a channel, or
// a short name.
type Want struct {
	Text    string
	Ref     repo.Ref    // when all of it was said
	ID      manifest.ID // "" when it was a short name
	Channel string      // "" when none was said
}

// ParseWant reads an argument.
func ParseWant(unsafeText string) (Want, error) {
	w := Want{Text: unsafeText}
	name, channel, hasChannel := strings.Cut(unsafeText, "/")
	var err error
	switch {
	case strings.Count(unsafeText, "/") == 3:
		w.Ref, err = repo.ParseRef(unsafeText)
		w.ID, w.Channel = w.Ref.ID, w.Ref.Channel
		return w, err
	case hasChannel:
		if err = manifest.CheckChannel(channel); err != nil {
			break
		}
		w.Channel = channel
	}
	if err == nil && strings.Contains(name, ".") {
		w.ID, err = manifest.ParseID(name)
		return w, err
	}
	ok := err == nil && name != "" && len(name) <= 80
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '+')
	}
	if !ok {
		return Want{}, hint.With(fmt.Errorf("cannot tell what %q is", unsafeText), "write an ID, ID/CHANNEL or the last part of an ID")
	}
	w.Text = name
	return w, nil
}

// kindsInOrder is what an ID without a kind may be.
var kindsInOrder = [...]manifest.Kind{manifest.App, manifest.Runtime, manifest.Extension}

// refs are the refs that a want may stand for, the likeliest first.
func (w Want) refs(arches []string) []repo.Ref {
	if !w.Ref.IsZero() {
		return []repo.Ref{w.Ref}
	}
	var all []repo.Ref
	for _, kind := range kindsInOrder {
		for _, arch := range arches {
			all = append(all, repo.Ref{Kind: kind, ID: w.ID, Arch: arch, Channel: cmp.Or(w.Channel, manifest.DefaultChannel)})
		}
	}
	return all
}

// named tells whether a row of a catalogue goes by a short name.
func named(row *repo.CatalogueRow, name string) bool {
	return row.Ref.Kind == manifest.App && (strings.EqualFold(row.Ref.ID.Base(), name) || strings.EqualFold(row.Name, name))
}

// sortOrigins puts the preferred ones first: by priority, then a user's own
// before the machine's, then by name.
func sortOrigins(all []*Origin) {
	slices.SortStableFunc(all, func(a, b *Origin) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), compareBool(a.Machine, b.Machine), cmp.Compare(a.Name, b.Name))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
