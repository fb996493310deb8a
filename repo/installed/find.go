package installed

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
)

// App finds the installed app that a person means: by its id, by the last part of
// the id in any case, or by the name of a command it exports. The user's store
// comes before the machine's. channel chooses where several are installed; ""
// stands for the only one, or "stable". The result is held: see Bundle.
func App(places []Place, unsafeName, channel string) (*Bundle, error) {
	stores, err := openAll(places)
	if err != nil {
		return nil, err
	}
	defer closeAll(stores)
	id, command, err := meant(places, stores, unsafeName)
	if err != nil {
		return nil, err
	}
	b, err := first(stores, manifest.App, id, channel)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, &NotInstalled{unsafeName, ids(stores)}
	}
	b.Command = command
	return b, nil
}

// Runtime finds the runtime that a manifest names.
func Runtime(places []Place, want manifest.RuntimeRef) (*Bundle, error) {
	stores, err := openAll(places)
	if err != nil {
		return nil, err
	}
	defer closeAll(stores)
	b, err := first(stores, manifest.Runtime, want.ID, want.Channel)
	if err == nil && b == nil {
		err = &NotInstalled{Name: want.String()}
	}
	return b, err
}

func openAll(places []Place) ([]*opened, error) {
	var stores []*opened
	for _, p := range places {
		s, err := open(p)
		if err != nil {
			closeAll(stores)
			return nil, err
		}
		if s != nil {
			stores = append(stores, s)
		}
	}
	return stores, nil
}

func closeAll(stores []*opened) {
	for _, s := range stores {
		s.close()
	}
}

// meant is the id behind a name, and the command when the name was one's.
func meant(places []Place, stores []*opened, unsafeName string) (id manifest.ID, command string, err error) {
	if id, err := manifest.ParseID(unsafeName); err == nil {
		return id, "", nil
	}
	var found []string
	c, err := Command(places, unsafeName)
	if err != nil {
		return "", "", err
	}
	if c != nil {
		found, command = append(found, string(c.ID)), c.Command
	}
	for _, s := range stores {
		names, _ := s.names(appsDir)
		for _, name := range names {
			if !strings.EqualFold(manifest.ID(name).Base(), unsafeName) {
				continue
			}
			if _, err := manifest.ParseID(name); err == nil {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	switch len(found) {
	case 0:
		return "", "", &NotInstalled{unsafeName, ids(stores)}
	case 1:
		return manifest.ID(found[0]), command, nil
	}
	return "", "", ambiguous(unsafeName, found)
}

const appsDir = "deploy/" + string(manifest.App)

// ids are the apps in all stores, sorted, with those that are on their way out.
func ids(stores []*opened) []string {
	var list []string
	for _, s := range stores {
		names, _ := s.names(appsDir)
		for _, name := range names {
			if id, err := manifest.ParseID(name); err == nil {
				list = append(list, string(id))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// first looks through the stores in order; nil when none has it.
func first(stores []*opened, kind manifest.Kind, id manifest.ID, channel string) (*Bundle, error) {
	for _, s := range stores {
		for _, arch := range arches() {
			b, err := s.pick(Ref{kind, id, arch, channel})
			if b != nil || err != nil {
				return b, err
			}
		}
	}
	return nil, nil
}

// pick holds the current release of a ref whose channel may still be open.
func (s *opened) pick(r Ref) (*Bundle, error) {
	if r.Channel != "" {
		if err := manifest.CheckChannel(r.Channel); err != nil {
			return nil, err
		}
		return s.hold(r)
	}
	channels, err := s.channels(r)
	if err != nil {
		return nil, err
	}
	switch {
	case len(channels) == 0:
		return nil, nil
	case len(channels) == 1:
		r.Channel = channels[0]
	case slices.Contains(channels, manifest.DefaultChannel):
		r.Channel = manifest.DefaultChannel
	default:
		return nil, severalChannels(string(r.ID), channels)
	}
	return s.hold(r)
}

// channels are those from which r is installed, sorted.
func (s *opened) channels(r Ref) ([]string, error) {
	base := path.Join("deploy", string(r.Kind), string(r.ID), r.Arch)
	names, err := s.names(base)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range names {
		if manifest.CheckChannel(name) != nil {
			continue
		}
		if fd, err := Beneath(s.fd, path.Join(base, name), unix.O_PATH|unix.O_DIRECTORY); err == nil {
			_, err := CurrentIn(fd)
			unix.Close(fd)
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				list = append(list, name)
			}
		}
	}
	slices.Sort(list)
	return list, nil
}
