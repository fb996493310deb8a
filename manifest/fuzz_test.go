package manifest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func seed(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.toml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, text := range tricky {
		f.Add([]byte(text))
	}
	f.Add(Template("org.example.Tool"))
}

// tricky are corners of TOML that the two parsers must read alike.
var tricky = []string{
	"a.b = 1\na.c = 2\n[d]\ne.f.g = 1\n[d.x]\ny = 1",
	"[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1\n[[a.e]]\n[[a.e]]\nf = 1",
	"a = \"\"\"\nx\\\n   y\\tz\"\"\"\"\"\nb = '''\n''x'''''",
	"a = { b = { c = 1 }, d.e = 2,\n# c\n }",
	"a = [ [1, 2], [\"x\", { y = 1 }], ]",
	"\"a b\" = 1\n'c\"d' = 2\n\"\" = 3\n\"\\u00e9\\x41\\e\" = 4",
	"a = 1979-05-27 07:32:00\nb = 07:32\nc = 1979-05-27T00:32:00.5-07:00 # x\nd = 1979-05-27",
	"a = +1_000\nb = 0xff\nc = 0o7\nd = 0b1\ne = 1e3\nf = -inf\ng = nan\nh = 6.26e-2",
	"[ a . 'b' ]\nc = true\r\nd = false\r\n",
	"[a]\n[b]\n[a.c]\n", "[a.b]\n[a]\n", "[a]\nb.c = 1\n[a.b]\n", "a = 1\na = 2", "[a]\n[a]", "a.b = 1\n[a]\n",
	"a = []\n[[a]]\n", "[[a]]\n[a]\n", "a = { b = 1 }\n[a.c]\n", "a = { b = 1 }\na.c = 2",
	"a = \"\"\"\\\\\"\"\"\"\"\"", "a = 0_1", "a = 1__0", "a = .1", "a = 1.", "a = 2020-13-01", "a = tru", "a = \"\\uD800\"", "a = [1 2]", "a = {b=1 c=2}",
	"a = \"\\ \"", "a = \"\"\"\\ x\"\"\"", "a == 1", "= 1", "[]", "[a", "[[a]", "a = [[[[[[[[[1]]]]]]]]]",
}

// FuzzScan holds the scanner to the decoder: a text that the decoder accepts,
// the scanner accepts, finding the same keys and values. It is stricter in two
// points, in which the decoder accepts what TOML forbids: a header that adds to
// a table which an inline table or a dotted key has closed, and six quotes at
// the end of a multi-line string, when a backslash stands before them.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		text := newText("x", data)
		text.checkBytes()
		text.checkLines()
		if len(text.problems) > 0 || len(data) > MaxSize {
			return
		}
		root, syntax := scan(text)
		tree, err := decode(data)
		if err != nil {
			return
		}
		if syntax != nil {
			if bounded(syntax.text) || bytes.Contains(data, []byte(`\""""""`)) {
				return
			}
			t.Fatalf("decoder accepts, scanner says: %d: %s", syntax.at, syntax.text)
		}
		for _, p := range text.problems {
			if !strings.HasSuffix(p.Text, "is defined twice") {
				t.Fatalf("decoder accepts, scanner says: %v", p)
			}
		}
		if len(text.problems) > 0 {
			return
		}
		if n, ok := same(root, tree); !ok {
			t.Fatalf("readings differ at %d: %+v\n%#v", n.at, n, tree)
		}
		checkPlaces(t, text, root)
	})
}

// bounded tells a limit of the scanner from a fault of the text.
func bounded(text string) bool {
	return strings.Contains(text, "more than ")
}

// checkPlaces reads every key again where the scanner says that it stands.
func checkPlaces(t *testing.T, text *text, n *node) {
	for _, name := range n.names {
		child := n.items[name]
		s := &scanner{t: text, src: text.data[child.keyAt:child.keyEnd]}
		if parts := s.key(); s.err != nil || len(parts) != 1 || parts[0].name != name {
			t.Fatalf("key %q stands elsewhere than at %d-%d", name, child.keyAt, child.keyEnd)
		}
		checkPlaces(t, text, child)
	}
	for _, elem := range n.elems {
		checkPlaces(t, text, elem)
	}
}

// FuzzParse: no text makes Parse panic; a refusal is Problems, sorted, each
// inside the text; what is accepted reads the same when written out again.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("x", data)
		if err != nil {
			checkProblems(t, err, newText("x", data))
			return
		}
		for _, p := range Lint(m) {
			if !p.Warning {
				t.Fatalf("advice is not a warning: %v", p)
			}
		}
		again, err := Parse("y", encode(m))
		if err != nil {
			t.Fatalf("written out again it is refused: %v\n%s", err, encode(m))
		}
		if !reflect.DeepEqual(plain(m), plain(again)) {
			t.Fatalf("written out again it differs:\n%+v\n%+v", plain(m), plain(again))
		}
	})
}

func checkProblems(t *testing.T, err error, text *text) {
	problems, ok := err.(Problems)
	if !ok || len(problems) == 0 {
		t.Fatalf("error is %T %v", err, err)
	}
	last := Problem{}
	for _, p := range problems {
		if p.Line > 0 && (p.Line < last.Line || p.Line == last.Line && p.Column < last.Column) {
			t.Fatalf("problems are not sorted: %v", problems)
		}
		if p.Line > len(text.lines) || p.Line > 0 && p.Column < 1 || p.Text == "" || p.Warning {
			t.Fatalf("bad problem %+v", p)
		}
		last = p
	}
}
