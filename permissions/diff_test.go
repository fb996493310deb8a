package permissions

import (
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "device:gpu", "device:gpu", ""},
		{"other words, same effect", "files:home:write files:~/x:read", "files:home:write", ""},
		{"two halves are the whole", "network:10.0.0.0/9 network:10.128.0.0/9", "network:10.0.0.0/8", ""},
		{"a denial of what was not granted", "device:gpu", "device:gpu -device:kvm -network:host", ""},
		{"added", "", "network:internet", "+ network:internet"},
		{"removed", "device:gpu device:kvm", "device:gpu", "- device:kvm"},
		{"more access", "files:~/x:read", "files:~/x:write", "> files:~/x:read → files:~/x:write"},
		{"less access", "files:~/x:write", "files:~/x:read", "< files:~/x:write → files:~/x:read"},
		{"a wider place", "files:~/x:read", "files:home:read", "> files:~/x:read → files:home:read"},
		{"covered already", "files:home:read", "files:home:read files:~/x:read", ""},
		{"denied", "files:home:read", "files:home:read -files:~/x:read", "< files:home:read, now denied: files:~/x:read"},
		{"no longer denied", "files:home:read -files:~/x:read", "files:home:read", "> files:home:read, no longer denied: files:~/x:read"},
		{"an absolute path that may lie in the home", "files:home:read -files:/home/u/x:read", "files:home:read", "> files:home:read, no longer denied: files:/home/u/x:read"},
		{"bus", "session-bus:talk:org.a.B", "session-bus:own:org.a.B", "> session-bus:talk:org.a.B → session-bus:own:org.a.B"},
		{"env value", "env:A=1", "env:A=2", "> env:A=1 → env:A=2\n< env:A=1 → env:A=2"},
		{"env opened", "env:A=1", "env:A", "> env:A=1 → env:A"},
		{"limit raised", "limit:memory=1G", "limit:memory=2G", "> limit:memory=1G → limit:memory=2G"},
		{"limit lowered", "limit:memory=2G", "limit:memory=1G", "< limit:memory=2G → limit:memory=1G"},
		{"limit dropped", "limit:memory=2G", "", "> limit:memory=2G → no limit"},
		{"limit new", "", "limit:memory=2G", "< no limit → limit:memory=2G"},
		{"up and down", "device:gpu", "device:kvm", "+ device:kvm\n- device:gpu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Diff(spaced(c.old), spaced(c.new))
			if strings.TrimSpace(got.String()) != c.want {
				t.Errorf("got\n%v\nwant\n%v", got, c.want)
			}
			if got.IsEmpty() != (c.want == "") || got.Adds() != strings.ContainsAny(c.want, "+>") {
				t.Errorf("empty %v, adds %v", got.IsEmpty(), got.Adds())
			}
		})
	}
}

// spaced reads "files:home:read -files:~/x:read".
func spaced(text string) Set {
	var allow, deny []Permission
	for _, w := range strings.Fields(text) {
		if d, ok := strings.CutPrefix(w, "-"); ok {
			deny = append(deny, must(d))
		} else {
			allow = append(allow, must(w))
		}
	}
	return NewSet(allow, deny)
}

// Security case P14: every kind counts when an update asks for more.
func TestEveryKindCanAdd(t *testing.T) {
	for _, k := range Kinds() {
		p := must(k.Example)
		with := NewSet([]Permission{p}, nil)
		old, new := Set{}, with
		if k.Name == Limit { // dropping a limit is what adds
			old, new = with, Set{}
		}
		if !AddsPermissions(old, new) || AddsPermissions(new, old) || !Diff(old, new).Adds() {
			t.Errorf("%v is not seen as more", p)
		}
	}
}

func TestParseSetRefuses(t *testing.T) {
	for _, text := range []string{"nonsense", "deny nonsense", "deny ", "  except files:~/x:read", "device:gpu\n  except files:~/x:read", " device:gpu", "device:gpu\r\n", "allow device:gpu"} {
		if s, err := ParseSet(text); err == nil {
			t.Errorf("ParseSet(%q) = %v", text, s)
		}
	}
	s, err := ParseSet("files:home:write\n  except files:~/a:read\n\ndeny device\ndevice:gpu\n")
	if err != nil || s.Covers(must("device:gpu")) || s.Covers(must("files:~/a:read")) || !s.Covers(must("files:~/b:write")) {
		t.Errorf("got %v, %v", s, err)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add("files:home:read\n", "files:home:write\ndeny files:~/x:read\n")
	f.Add("network:host\n", "network:host\n  except network:a.org:80\n")
	f.Add("session-bus:call:org.a.B=*@/p/*\n", "session-bus:talk:org.a.*\nlimit:memory=1G\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 400 {
			return
		}
		old, err := ParseSet(a)
		if err != nil {
			return
		}
		new, err := ParseSet(b)
		if err != nil {
			return
		}
		c := Diff(old, new)
		if c.IsEmpty() != old.Equal(new) || c.Adds() != AddsPermissions(old, new) {
			t.Fatalf("old\n%v\nnew\n%v\nchanges\n%v", old, new, c)
		}
		if again, err := ParseSet(old.String()); err != nil || again.String() != old.String() || !again.Equal(old) {
			t.Fatalf("%v reads back as %v, %v", old, again, err)
		}
	})
}
