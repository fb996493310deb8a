package bundle

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// maxLinks is how many symbolic links one name may pass through, as in Linux.
const maxLinks = 40

// A linkSpace decides where the symbolic links of a tree lead, as the app will
// see them. Cleaning a target as text is not enough: "a/../.." leaves the tree
// when a is itself a link to a shallower place.
type linkSpace struct {
	mounts  map[string]string // top of the tree → name below the app's root: files → app, usr → usr
	roots   map[string]bool   // names below the app's root that a target may start with
	targets map[string]string // path inside, without the leading slash → target of the link there
}

// newLinkSpace describes a bundle: a runtime's files/ are /usr, an app's files/
// are /app and its usr/ lies over /usr. An app may point into the runtime's
// /usr, which is not at hand: such a link ends there.
func newLinkSpace(isRuntime bool) *linkSpace {
	s := &linkSpace{
		mounts:  map[string]string{"files": "app", "usr": "usr"},
		roots:   map[string]bool{"app": true, "usr": true},
		targets: map[string]string{},
	}
	if isRuntime {
		s.mounts = map[string]string{"files": "usr"}
		s.roots = map[string]bool{"usr": true}
	}
	return s
}

func (s *linkSpace) inside(p string) (string, bool) {
	top, rest, _ := strings.Cut(p, "/")
	mount, ok := s.mounts[top]
	return path.Join(mount, rest), ok
}

func (s *linkSpace) add(p, target string) {
	if in, ok := s.inside(p); ok {
		s.targets[in] = target
	}
}

// check follows the link at tree path p to its end.
func (s *linkSpace) check(p string) error {
	in, ok := s.inside(p)
	if !ok {
		return errors.New("is outside files/ and usr/")
	}
	at := strings.Split(in, "/")
	todo := []string{at[len(at)-1]}
	at = at[:len(at)-1]
	followed := 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			// Never up to the app's root itself: what lies there is the
			// launcher's.
			if len(at) <= 1 {
				return errors.New("leads out of the bundle")
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, part)
		if len(at) == 1 && !s.roots[part] {
			return fmt.Errorf("leads to /%s, outside the bundle", part)
		}
		target, isLink := s.targets[strings.Join(at, "/")]
		if !isLink {
			continue
		}
		if followed++; followed > maxLinks {
			return errors.New("is a loop of links")
		}
		at = at[:len(at)-1]
		if path.IsAbs(target) {
			at = at[:0]
		}
		todo = append(strings.Split(target, "/"), todo...)
		if len(todo) > 10*maxPathBytes {
			return errors.New("is too long once its links are followed")
		}
	}
	if len(at) == 0 {
		return errors.New("leads to the root")
	}
	return nil
}
