package upload

import (
	"maps"
	"slices"
	"strings"

	"sandbox/repo"
	"sandbox/repo/publish"
)

// state is all that a plan depends on.
type state struct {
	local  map[string]file  // the working copy after the change
	remote map[string]int64 // the server's files before it, and their lengths

	// known are the files whose content changes, as they were read from the
	// server: the tag to replace each by, and its hash.
	known map[string]known

	damaged   map[string]bool // on the server, with a content that is not the name's
	needed    map[string]bool // by some release, or newest metadata
	swept     []string        // what gc removed from the working copy
	rootFirst bool            // the new root must be there before the timestamp
}

type file struct {
	size int64
	sum  repo.Digest // of files whose content changes
}

type known struct {
	tag string
	sum repo.Digest
}

// plan is what to do, in this order.
type plan struct {
	stages [][]step // the steps of one stage do not depend on each other
	remove []string // when all of them are done
	bytes  int64
}

// step puts one file.
type step struct {
	name string
	size int64
	when condition
}

// The stages, in the order in which files refer to each other: each is put
// before the next begins.
const (
	stagePack = iota
	stageLocator
	stageTree
	stageDelta
	stageCatalogue
	stageRole
	stageTargets
	stageSnapshot
	stageRootFirst
	stageTimestamp
	stageRoot
	stageSmall  // what no other file vouches for
	stageLayout // makes it a repository
	stages
)

// stageOf is the stage of a file, or -1 when no repository has one of that name.
func stageOf(name string, rootFirst bool) int {
	room, rest, below := strings.Cut(name, "/")
	_, _, ours := publish.Headers(name)
	switch {
	case name == publish.ConfigFile, name == publish.WaitingFile:
		return stageSmall
	case !ours:
		return -1
	case name == publish.TimestampFile:
		return stageTimestamp
	case name == publish.LayoutFile:
		return stageLayout
	case !below && publish.Constant(name):
		if rootFirst {
			return stageRootFirst
		}
		return stageRoot
	case !below:
		return stageSmall
	}
	switch room {
	case "pack":
		return stagePack
	case "loc":
		return stageLocator
	case "man":
		return stageTree
	case "delta":
		return stageDelta
	case "cat":
		return stageCatalogue
	}
	_, role, _ := strings.Cut(rest, ".")
	switch role {
	case "targets.json":
		return stageTargets
	case "snapshot.json":
		return stageSnapshot
	}
	return stageRole
}

// makePlan decides what to put and what to remove.
func makePlan(s state) plan {
	p := plan{stages: make([][]step, stages)}
	for _, name := range slices.Sorted(maps.Keys(s.local)) {
		stage := stageOf(name, s.rootFirst)
		if stage < 0 {
			continue
		}
		when, ok := s.due(name)
		if !ok {
			continue
		}
		f := s.local[name]
		p.stages[stage] = append(p.stages[stage], step{name, f.size, when})
		p.bytes += f.size
	}
	for _, name := range s.swept {
		_, there := s.remote[name]
		_, kept := s.local[name]
		if there && !kept {
			p.remove = append(p.remove, name)
		}
	}
	slices.Sort(p.remove)
	return p
}

// due reports whether a file is to be put, and on what condition.
func (s state) due(name string) (condition, bool) {
	f := s.local[name]
	length, there := s.remote[name]
	if !publish.Constant(name) {
		before, read := s.known[name]
		return condition{absent: !read, tag: before.tag}, !read || before.sum != f.sum
	}
	if !s.needed[name] && !isRoot(name) {
		return condition{}, false // left over from a change that failed
	}
	if !there {
		// Content that is named by its hash is the same, whoever puts it.
		return condition{absent: !isHashed(name)}, true
	}
	return condition{}, isHashed(name) && (s.damaged[name] || length != f.size)
}

func isRoot(name string) bool { return strings.HasSuffix(name, ".root.json") }

// isHashed reports whether the name of a constant file is that of its content.
func isHashed(name string) bool {
	return publish.Constant(name) && !strings.Contains(name, ".")
}

// lost are files that releases need and that are nowhere, or damaged there.
func (s state) lost() []string {
	var lost []string
	for name := range s.needed {
		_, here := s.local[name]
		_, there := s.remote[name]
		if !here && (!there || s.damaged[name]) {
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	return lost
}
