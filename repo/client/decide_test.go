package client

import (
	"errors"
	"testing"

	"sandbox/repo"
	"sandbox/repo/store"
)

func TestDecide(t *testing.T) {
	const here, there = "sha256:here", "sha256:there"
	rel := func(n uint64, key byte) repo.Release {
		return repo.Release{N: n, Tree: repo.Digest{byte(n)}, Publisher: repo.Publisher{Key: []byte{key}}}
	}
	old := func(n uint64, key byte) *store.Record {
		return &store.Record{Release: rel(n, key), RemoteFingerprint: here, Publisher: []byte{key}}
	}
	changed := rel(3, 'a')
	changed.Tree = repo.Digest{99}
	for _, c := range []struct {
		name   string
		q      question
		action Action
		needs  Need
		err    error
	}{
		{"nothing is installed", question{nil, rel(3, 'a'), here, 0, false, nil}, Install, 0, nil},
		{"nothing is installed, and it is the highest seen", question{nil, rel(3, 'a'), here, 3, false, nil}, Install, 0, nil},
		{"nothing is installed, but was, of the same publisher", question{nil, rel(3, 'a'), here, 3, false, [][]byte{{'b'}, {'a'}}}, Install, 0, nil},
		{"nothing is installed, but was, of another publisher", question{nil, rel(3, 'a'), here, 3, false, [][]byte{{'b'}}}, Install, NeedPublisher, nil},
		{"nothing is installed, and more was seen", question{nil, rel(3, 'a'), here, 4, false, nil}, "", 0, ErrOlder},
		{"the same on purpose", question{nil, rel(3, 'a'), here, 4, true, nil}, Install, 0, nil},
		{"newer", question{old(2, 'a'), rel(3, 'a'), here, 2, false, nil}, Update, 0, nil},
		{"newer, but older than seen", question{old(2, 'a'), rel(3, 'a'), here, 4, false, nil}, "", 0, ErrOlder},
		{"the same on purpose", question{old(2, 'a'), rel(3, 'a'), here, 4, true, nil}, Update, 0, nil},
		{"equal", question{old(3, 'a'), rel(3, 'a'), here, 3, false, nil}, "", 0, nil},
		{"equal, though more was seen", question{old(3, 'a'), rel(3, 'a'), here, 5, false, nil}, "", 0, nil},
		{"equal in number only", question{old(3, 'a'), changed, here, 3, false, nil}, "", 0, ErrDamaged},
		{"older", question{old(4, 'a'), rel(3, 'a'), here, 4, false, nil}, "", 0, ErrOlder},
		{"older on purpose", question{old(4, 'a'), rel(3, 'a'), here, 4, true, nil}, Downgrade, 0, nil},
		{"another publisher", question{old(2, 'a'), rel(3, 'b'), here, 2, false, nil}, Update, NeedPublisher, nil},
		{"another repository", question{old(2, 'a'), rel(3, 'a'), there, 0, false, nil}, Switch, NeedOrigin, nil},
		{"another repository with a lower number", question{old(9, 'a'), rel(3, 'a'), there, 0, false, nil}, Switch, NeedOrigin, nil},
		{"another repository with the same number", question{old(3, 'a'), rel(3, 'a'), there, 0, false, nil}, Switch, NeedOrigin, nil},
		{"another repository that went back", question{old(2, 'a'), rel(3, 'a'), there, 7, false, nil}, "", 0, ErrOlder},
		{"another repository and publisher", question{old(2, 'a'), rel(3, 'b'), there, 0, false, nil}, Switch, NeedOrigin | NeedPublisher, nil},
	} {
		action, needs, err := decide(c.q)
		if action != c.action || needs != c.needs || !errors.Is(err, c.err) {
			t.Errorf("%s: %q %d %v; want %q %d %v", c.name, action, needs, err, c.action, c.needs, c.err)
		}
	}
}
