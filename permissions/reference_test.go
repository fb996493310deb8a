package permissions

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of PERMISSIONS.md")

const tablesBegin = "<!-- The tables below are written by: go test ./permissions -run Reference -update -->\n"

// notes stand below the tables; they say what a table cannot.
var notes = map[Kind]string{
	Network: `A name is a host name in ASCII (international names in their ` + "`xn--`" + ` form). Without a
port, every port is meant. ` + "`*.example.org`" + ` is every name below example.org, at any
depth, but not example.org itself. IPv6 addresses with a port stand in brackets:
` + "`network:[2001:db8::1]:443`" + `.

A granted name leads to the internet only; if it leads into the local network
it is refused unless ` + "`lan`" + ` is granted as well, or the name is one that only a local
resolver knows (no dot, .local, .internal, .home.arpa, .lan, .home, .localdomain).
` + "`lan`" + ` is the private, link-local, carrier and unique-local ranges; ` + "`internet`" + ` is
what is neither local nor special. Loopback, multicast and the metadata services of
clouds are in neither. The host's loopback is reached with ` + "`host`" + ` only, and with
anything denied or asked, ` + "`host`" + ` shrinks to ` + "`internet`" + ` and ` + "`lan`" + `, because a shared
network cannot be filtered.

` + "`network:none`" + `, allowed, takes away what its own and lower layers grant.`,
	Files: "`read` is to read files and list directories, `write` is also to change, add and\n" +
		"remove them, `create` is also to make the path itself when it is missing. Without a\n" +
		"suffix, `read` is meant. `~` is the home. A path has no `..` and no pattern; a name that\n" +
		"holds `: * ? [ ] { }` or a backslash has a backslash before it: `files:~/a\\:b:read`.\n\n" +
		"The trees that the sandbox makes itself cannot be granted: /, /app, /bin, /dev, /etc,\n" +
		"/lib, /lib32, /lib64, /libx32, /proc, /run (but for /run/media), /sbin, /sys, /usr, /var/run.\n" +
		"No grant reaches where the project keeps its own state and your decisions.",
	Device: "With anything of the devices denied or asked, `all` shrinks to the other words.",
	SessionBus: "The levels are `see` < `call` < `talk` < `own`, each with those before it. NAME is a\n" +
		"well-known name; `org.foo.*` is every name below org.foo, but not org.foo itself. A\n" +
		"method is `IFACE.MEMBER`, `IFACE.*` or `*`; a path `/a/b`, or `/a/b/*` for it and all below.",
	SystemBus: "As for the session bus.",
	Env:       "A name that is both passed through and given a value is passed through.",
	Limit: "Sizes are whole numbers of bytes, or of K, M, G, T (counted in 1024). Times are whole\n" +
		"numbers of d, h, m, s, largest first. A limit only takes away; it is listed with the\n" +
		"permissions because the same people decide about it in the same places.",
}

func tables() string {
	var b strings.Builder
	for _, k := range Kinds() {
		b.WriteString("\n## " + string(k.Name) + "\n\nSays " + k.Summary + ". Written `" + k.Syntax + "`, for example `" + k.Example + "`.\n\n")
		b.WriteString("| subject | the app can | risk | applies |\n|---|---|---|---|\n")
		for _, s := range k.Subjects {
			applies := "at once"
			if !k.Live || s.NextStart {
				applies = "next start"
			}
			b.WriteString("| `" + s.Name + "` | " + s.Summary + " | " + s.Risk.String() + ": " + s.Why + " | " + applies + " |\n")
		}
		if notes[k.Name] != "" {
			b.WriteString("\n" + notes[k.Name] + "\n")
		}
	}
	return b.String()
}

// The reference says what the table says, no more and no less.
func TestReferenceHasEveryWord(t *testing.T) {
	head, rest, found := strings.Cut(Reference, tablesBegin)
	if !found {
		t.Fatal("PERMISSIONS.md has lost the line above its tables")
	}
	if *update {
		if err := os.WriteFile("PERMISSIONS.md", []byte(head+tablesBegin+tables()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if rest != tables() {
		t.Error("PERMISSIONS.md and the table differ; run go test ./permissions -run Reference -update and read the diff")
	}
}

func TestReferenceExamplesParse(t *testing.T) {
	for _, code := range strings.Split(Reference, "`") {
		kind, _, found := strings.Cut(code, ":")
		if !found || kindOf(Kind(kind)) == nil || strings.ContainsAny(code, "|[") && !strings.Contains(code, "2001") || strings.ToUpper(code[len(kind)+1:]) == code[len(kind)+1:] || strings.Contains(code, "NAME") {
			continue
		}
		if _, err := Parse(code); err != nil {
			t.Error(err)
		}
	}
}

func TestTableIsComplete(t *testing.T) {
	seen := map[Kind]bool{}
	for _, k := range Kinds() {
		if seen[k.Name] || k.Summary == "" || k.Syntax == "" || len(k.Subjects) == 0 {
			t.Errorf("%s: twice, or empty", k.Name)
		}
		seen[k.Name] = true
		if p, err := Parse(k.Example); err != nil || p.String() != k.Example {
			t.Errorf("%s: example %q: %v, %v", k.Name, k.Example, p, err)
		}
		for _, s := range k.Subjects {
			if s.Summary == "" || s.Risk < Low || s.Risk > High || s.Why == "" {
				t.Errorf("%s:%s is not described or not rated", k.Name, s.Name)
			}
			if s.Pattern || k.Name == Limit {
				continue
			}
			p, err := Parse(string(k.Name) + ":" + s.Name)
			if err != nil {
				t.Error(err)
				continue
			}
			if d := Describe(p); !strings.Contains(d, s.Summary) {
				t.Errorf("Describe(%v) = %q", p, d)
			}
			if r, why := Risk(p); r != s.Risk || why != s.Why {
				t.Errorf("Risk(%v) = %v, %q", p, r, why)
			}
			if Live(p) != (k.Live && !s.NextStart) {
				t.Errorf("Live(%v) = %v", p, Live(p))
			}
		}
	}
	for _, l := range limits {
		if kindOf(Limit).subject(l.name) == nil {
			t.Errorf("limit %s is not in the table", l.name)
		}
	}
	if len(limits) != len(kindOf(Limit).Subjects) {
		t.Error("the table has a limit that does not parse")
	}
}
