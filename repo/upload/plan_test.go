package upload

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandbox/repo"
)

// hashName is a name below room for some content.
func hashName(room, content string) string {
	h := repo.Sum([]byte(content)).String()
	if room == "cat" {
		return room + "/" + h
	}
	return room + "/" + h[:2] + "/" + h
}

func TestPlan(t *testing.T) {
	pack, loc, man, cat := hashName("pack", "p"), hashName("loc", "l"), hashName("man", "m"), hashName("cat", "c")
	all := []string{pack, loc, man, cat, "meta/2.bin-00.json", "meta/1.pub-acme.json", "meta/2.targets.json", "meta/2.snapshot.json", "1.root.json", "2.root.json", "timestamp.json", "repo.sandboxremote", ".publish/config.json", "sandbox-repo.json"}
	fill := func(names ...string) state {
		s := state{local: map[string]file{}, remote: map[string]int64{}, known: map[string]known{}, needed: map[string]bool{}, damaged: map[string]bool{}}
		for _, n := range names {
			s.local[n] = file{size: 10, sum: repo.Sum([]byte(n))}
			s.needed[n] = true
		}
		return s
	}
	has := func(s *state, names ...string) {
		for _, n := range names {
			s.remote[n] = 10
			s.known[n] = known{"tag of " + n, s.local[n].sum}
		}
	}
	for _, c := range []struct {
		name string
		make func() state
		want []string // "NAME" is put in any case, "NAME?" where there is none, "NAME=TAG" over that one
		gone []string
	}{
		{"everything, in the order of reference", func() state { return fill(all...) }, []string{
			pack, loc, man, cat, "meta/1.pub-acme.json?", "meta/2.bin-00.json?", "meta/2.targets.json?", "meta/2.snapshot.json?",
			"timestamp.json?", "1.root.json?", "2.root.json?", ".publish/config.json?", "repo.sandboxremote?", "sandbox-repo.json?"}, nil},
		{"nothing when all is there", func() state { s := fill(all...); has(&s, all...); return s }, nil, nil},
		{"a new timestamp over the one that was read", func() state {
			s := fill(all...)
			has(&s, all...)
			s.local["timestamp.json"] = file{10, repo.Sum([]byte("new"))}
			return s
		}, []string{"timestamp.json=tag of timestamp.json"}, nil},
		{"a root before the timestamp that only it vouches for", func() state {
			s := fill("1.root.json", "2.root.json", "timestamp.json", "meta/3.snapshot.json")
			has(&s, "1.root.json", "timestamp.json")
			s.local["timestamp.json"] = file{10, repo.Sum([]byte("new"))}
			s.rootFirst = true
			return s
		}, []string{"meta/3.snapshot.json?", "2.root.json?", "timestamp.json=tag of timestamp.json"}, nil},
		{"nothing that nobody needs", func() state {
			s := fill(pack, man, "timestamp.json")
			delete(s.needed, pack)
			has(&s, "timestamp.json")
			return s
		}, []string{man}, nil},
		{"again what is damaged there, or cut", func() state {
			s := fill(man, cat, loc)
			has(&s, man, cat, loc)
			s.damaged[man] = true
			s.remote[cat] = 3
			return s
		}, []string{man, cat}, nil},
		{"no metadata over other metadata", func() state {
			s := fill("meta/2.bin-00.json")
			has(&s, "meta/2.bin-00.json")
			s.remote["meta/2.bin-00.json"] = 3
			return s
		}, nil, nil},
		{"away with what was swept and is there", func() state {
			s := fill(man)
			has(&s, man)
			s.remote[pack], s.remote[cat] = 10, 10
			s.swept = []string{pack, loc, man}
			return s
		}, nil, []string{pack}},
		{"nothing of the publisher's own, nor strange names", func() state {
			return fill(".publish/index", ".publish/lock", ".tmp-1", "pack/.tmp-2", "README", "meta/x")
		}, nil, nil},
	} {
		p := makePlan(c.make())
		var got []string
		var bytes int64
		for _, stage := range p.stages {
			for _, s := range stage {
				word := s.name
				switch {
				case s.when.absent:
					word += "?"
				case s.when.tag != "":
					word += "=" + s.when.tag
				}
				got = append(got, word)
				bytes += s.size
			}
		}
		if !slices.Equal(got, c.want) || !slices.Equal(p.remove, c.gone) || p.bytes != bytes {
			t.Errorf("%s: puts\n %s\nremoves %q, %d bytes; want\n %s\nand %q", c.name, strings.Join(got, "\n "), p.remove, p.bytes, strings.Join(c.want, "\n "), c.gone)
		}
	}
	s := fill(man)
	s.needed[loc], s.needed[pack] = true, true
	s.remote[pack] = 10
	if got := s.lost(); fmt.Sprint(got) != fmt.Sprint([]string{loc}) {
		t.Errorf("lost %q", got)
	}
}
