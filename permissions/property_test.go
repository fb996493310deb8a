package permissions

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// allows asks the package about a thing of the oracle's world.
func allows(s Set, t thing) bool {
	switch t.kind {
	case Files:
		return int(s.FileAccess(t.text, where)) >= t.level
	case Network:
		switch {
		case t.port == 0:
			return slices.Equal(s.Network(), []string{"host"})
		case t.addr != "":
			return s.MayConnect("", netip.MustParseAddr(t.addr), t.port)
		}
		return s.level(point{kind: Network, text: t.text, port: t.port}) > 0
	case SessionBus, SystemBus:
		dot := len(t.iface) - 2
		return s.Bus(t.kind).set.level(point{kind: t.kind, text: t.text, iface: t.iface[:dot], member: t.iface[dot+1:], path: t.path}) >= uint8(t.level)
	}
	return s.level(point{kind: t.kind, text: t.text}) > 0
}

// resolved makes comparing exact for where the oracle's home is.
func resolved(allow, deny []Permission) Set {
	s, err := NewSet(allow, deny).Resolve(where)
	if err != nil {
		panic(err)
	}
	return s
}

func TestSetAllowsWhatTheOracleAllows(t *testing.T) {
	all := world()
	rapid.Check(t, func(t *rapid.T) {
		allow, deny := drawSome().Draw(t, "allow"), drawSome().Draw(t, "deny")
		s := NewSet(allow, deny)
		for _, x := range all {
			if got, want := allows(s, x), oracleAllows(allow, deny, x); got != want {
				t.Fatalf("%+v: allowed %v, want %v\n%v", x, got, want, s)
			}
		}
	})
}

// Security case T11: a diff is empty exactly when nothing has changed.
func TestDiffIsEmptyExactlyWhenTheEffectIsEqual(t *testing.T) {
	all := world()
	for _, kind := range append(kindList(), "") {
		t.Run("kind "+string(kind), func(t *testing.T) {
			only := []Kind{kind}
			if kind == "" {
				only = nil
			}
			rapid.Check(t, func(t *rapid.T) {
				a1, d1 := drawSome(only...).Draw(t, "allow"), drawSome(only...).Draw(t, "deny")
				a2, d2 := drawSome(only...).Draw(t, "allow2"), drawSome(only...).Draw(t, "deny2")
				if rapid.Bool().Draw(t, "related") { // or equal sets would be rare
					a2, d2 = append(slices.Clone(a1), a2[:min(1, len(a2))]...), append(slices.Clone(d1), d2[:min(1, len(d2))]...)
				}
				old, new := resolved(a1, d1), resolved(a2, d2)
				more, less := false, false
				for _, x := range all {
					was, is := oracleAllows(a1, d1, x), oracleAllows(a2, d2, x)
					more, less = more || is && !was, less || was && !is
				}
				l1, l2 := limitsOf(append(a1, d1...)), limitsOf(append(a2, d2...))
				for _, name := range []string{"memory", "pids", "time"} {
					was, had := l1[name]
					is, has := l2[name]
					more = more || had && (!has || is > was)
					less = less || has && (!had || is < was)
				}
				c := Diff(old, new)
				if c.Adds() != more || c.Adds() != AddsPermissions(old, new) || len(c.Narrowed)+len(c.Removed) > 0 != less {
					t.Fatalf("more %v, less %v, but the changes are\n%v\nold:\n%v\nnew:\n%v", more, less, c, old, new)
				}
				if c.IsEmpty() != old.Equal(new) || c.IsEmpty() != (!more && !less) {
					t.Fatalf("empty %v, equal %v", c.IsEmpty(), old.Equal(new))
				}
			})
		})
	}
}

func kindList() []Kind {
	var out []Kind
	for _, k := range Kinds() {
		out = append(out, k.Name)
	}
	return out
}

func drawSet(t *rapid.T, name string) Set {
	return NewSet(drawSome().Draw(t, name), drawSome().Draw(t, name+" deny"))
}

func TestCoversIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawSet(t, "a"), drawSet(t, "b"), drawSet(t, "c")
		if !a.CoversSet(a) || !a.Equal(a) {
			t.Fatalf("not reflexive: %v", a)
		}
		if a.CoversSet(b) && b.CoversSet(c) && !a.CoversSet(c) {
			t.Fatalf("not transitive:\n%v\n%v\n%v", a, b, c)
		}
		if a.CoversSet(b) && b.CoversSet(a) != a.Equal(b) {
			t.Fatalf("not antisymmetric:\n%v\n%v", a, b)
		}
		p := rapid.SampledFrom(everyWord()).Draw(t, "p")
		if a.CoversSet(b) && b.Covers(p) && !a.Covers(p) {
			t.Fatalf("covers a set but not what that covers, %v:\n%v\n%v", p, a, b)
		}
	})
}

func TestSinglePermissionsAreOrdered(t *testing.T) {
	words := slices.DeleteFunc(everyWord(), func(p Permission) bool {
		return p.Subject == "none" || p.Kind == Limit // none opens nothing; a limit takes away: see TestLimits
	})
	covers := make([][]bool, len(words))
	for i, p := range words {
		s := NewSet([]Permission{p}, nil)
		for _, q := range words {
			covers[i] = append(covers[i], s.Covers(q))
		}
	}
	for i, p := range words {
		for j, q := range words {
			if (i == j) != (covers[i][j] && covers[j][i]) {
				t.Errorf("%v and %v cover each other", p, q)
			}
			if covers[i][j] && p.Kind != q.Kind {
				t.Errorf("%v covers %v of another kind", p, q)
			}
			for k, r := range words {
				if covers[i][j] && covers[j][k] && !covers[i][k] {
					t.Errorf("%v, %v, %v: not transitive", p, q, r)
				}
			}
		}
	}
}

func TestMoreAllowedMoreCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		allow, deny := drawSome().Draw(t, "allow"), drawSome().Draw(t, "deny")
		p := rapid.SampledFrom(everyWord()).Draw(t, "one more")
		s := NewSet(allow, deny)
		if p.Kind != Limit && !NewSet(append(slices.Clone(allow), p), deny).CoversSet(s) {
			t.Fatalf("granting %v took something away", p)
		}
		if !s.CoversSet(NewSet(allow, append(slices.Clone(deny), p))) {
			t.Fatalf("denying %v gave something", p)
		}
	})
}

func TestSetReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Merge(drawLayers(t)...).Set()
		again, err := ParseSet(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if !again.Equal(s) || again.String() != s.String() {
			t.Fatalf("read back\n%v\nas\n%v", s, again)
		}
	})
}

func TestNodesSayWhatAccessSays(t *testing.T) {
	all := world()
	rapid.Check(t, func(t *rapid.T) {
		layers := drawLayers(t, Files)
		v, err := Merge(layers...).Set().View(where)
		if err != nil {
			t.Fatal(err)
		}
		nodes := v.Nodes()
		for _, x := range all {
			if x.kind == Files && around(nodes, x.text) != v.Access(x.text) {
				t.Fatalf("%s: nodes say %v, Access says %v: %v", x.text, around(nodes, x.text), v.Access(x.text), nodes)
			}
		}
	})
}

func drawLayers(t *rapid.T, kinds ...Kind) []Layer {
	layers := make([]Layer, rapid.IntRange(1, 4).Draw(t, "layers"))
	for i := range layers {
		for _, p := range drawSome(kinds...).Draw(t, "entries") {
			d := rapid.SampledFrom([]Decision{Allow, Allow, Deny, Ask, Unset}).Draw(t, "decision")
			layers[i].Entries = append(layers[i].Entries, Entry{Permission: p, Decision: d})
		}
	}
	return layers
}

// Security case F08: what is denied stays denied, wherever it is said.
func TestDenyWinsInAnyOrderAtAnyDepth(t *testing.T) {
	all := world()
	rapid.Check(t, func(t *rapid.T) {
		layers := drawLayers(t)
		d := rapid.SampledFrom(everyWord()).Draw(t, "denied")
		said := Entry{Permission: d, Decision: Deny}
		var first Effective
		for i := range layers {
			with := slices.Clone(layers)
			at := rapid.IntRange(0, len(with[i].Entries)).Draw(t, "at")
			with[i].Entries = slices.Insert(slices.Clone(with[i].Entries), at, said)
			e := Merge(with...)
			if i == 0 {
				first = e
			}
			if e.Set().String() != first.Set().String() {
				t.Fatalf("it matters where %v is denied:\n%v\n%v", d, first.Set(), e.Set())
			}
			for _, x := range all {
				if takes(d, x) && allows(e.Set(), x) {
					t.Fatalf("%v is denied, and %+v allowed:\n%v", d, x, e)
				}
			}
		}
	})
}

func TestOrderInsideALayerMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers := drawLayers(t)
		want := Merge(layers...)
		for i := range layers {
			layers[i].Entries = rapid.Permutation(layers[i].Entries).Draw(t, "shuffled")
		}
		if got := Merge(layers...); got.Set().String() != want.Set().String() || got.String() != want.String() {
			t.Fatalf("got\n%v\nwant\n%v", got, want)
		}
	})
}

// Without questions the layers can be told in two sentences; so they are here.
func TestLastLayerDecidesAboutAPlace(t *testing.T) {
	all := world()
	rapid.Check(t, func(t *rapid.T) {
		layers := drawLayers(t, Files, Device, Env, Socket)
		var allow, deny []Permission
		for i, l := range layers {
			layers[i].Entries = slices.DeleteFunc(l.Entries, func(e Entry) bool { return e.Decision == Ask })
		}
		for i, l := range layers {
			for _, e := range l.Entries {
				later := false
				for _, m := range layers[i+1:] {
					later = later || slices.ContainsFunc(m.Entries, func(o Entry) bool {
						return o.Decision == Allow && o.Kind == e.Kind && o.place() == e.place()
					})
				}
				switch {
				case e.Decision == Deny:
					deny = append(deny, e.Permission)
				case e.Decision == Allow && !later:
					allow = append(allow, e.Permission)
				}
			}
		}
		s := Merge(layers...).Set()
		for _, x := range all {
			if got, want := allows(s, x), oracleAllows(allow, deny, x); got != want {
				t.Fatalf("%+v: allowed %v, want %v\n%v", x, got, want, s)
			}
		}
	})
}

func TestDecideAgreesWithSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Merge(drawLayers(t)...)
		for _, p := range drawSome().Draw(t, "wanted") {
			if p.Kind == Limit || p.Subject == "none" {
				continue
			}
			d, entry := e.Decide(p)
			if d == Allow != e.Set().Covers(p) {
				t.Fatalf("Decide(%v) = %v, but covered %v\n%v", p, d, e.Set().Covers(p), e)
			}
			if d == Allow && entry.Decision == Unset {
				t.Fatalf("%v is allowed and nobody allowed it\n%v", p, e)
			}
			if d == Ask && entry.Decision != Ask {
				t.Fatalf("%v is asked about because of %v", p, entry)
			}
		}
		for _, ask := range e.Asks() {
			if ask.Subject != "none" && e.Set().Covers(ask.Permission) {
				t.Fatalf("%v is asked about and allowed\n%v\n%v", ask, e, e.Set())
			}
		}
	})
}
