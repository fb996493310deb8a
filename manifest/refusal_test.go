package manifest

import (
	"strings"
	"testing"
)

// TestRefusals has for each rule of the text a manifest that breaks it, the
// words that say so, and one beside it that keeps to it.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("a", 400)
	source := "[[build.source]]\ntype = \"dir\"\npath = \"a\"\n"
	cases := []struct{ name, bad, problem, good string }{
		{"empty name", `name = ""`, "name is empty", `name = "x"`},
		{"long name", `name = "` + long + `"`, "name is longer than 80", `name = "` + long[:80] + `"`},
		{"name of two lines", "name = \"\"\"a\nb\"\"\"", "name is not on one line", "name = \"\"\"\na\"\"\""},
		{"space before the name", `name = " x"`, "starts or ends with a space", `name = "x y"`},
		{"long summary", `summary = "` + long + `"`, "summary is longer than 200", `summary = "` + long[:200] + `"`},
		{"license", `license = "GPL v3"`, "not an SPDX expression", `license = "GPL-3.0-only"`},
		{"no arch", `arch = []`, "arch is empty", `arch = ["any"]`},
		{"arch twice", `arch = ["any", "any"]`, "stands here twice", `arch = ["x86_64", "aarch64"]`},
		{"misspelled arch", `arch = ["x86_46"]`, `unknown arch "x86_46"`, `arch = ["x86_64"]`},
		{"extends in an app", `extends = "org.gnu.Nano"`, "not for an app", `name = "x"`},
		{"bad runtime", `runtime = "debian/12"`, "at least 3 parts", `runtime = "org.debian.Platform/12"`},
		{"own runtime", `runtime = "org.example.Tool/12"`, "its own runtime", `runtime = "org.example.Tools/12"`},
		{"argument of another type", `args = ["x", 1]`, "must be a string", `args = ["", "-x", "a b"]`},
		{"many arguments", "args = [\n" + strings.Repeat("\"a\",\n", 65) + "]", "more than 64", "args = [\n" + strings.Repeat("\"a\",\n", 64) + "]"},
		{"many commands", "[commands]\n" + numbered("c%d = \"x\"\n", 65), "more than 64", "[commands]\n" + numbered("c%d = \"x\"\n", 64)},
		{"many variables", "[env]\n" + numbered("V%d = \"x\"\n", 129), "more than 128", "[env]\n" + numbered("V%d = \"x\"\n", 128)},
		{"variable of another type", "env = { A = 1 }", `"A" must be a string`, `env = { A = "1" }`},
		{"empty reason", "[permissions]\n\"device:gpu\" = \"\"", "reason is empty", "[permissions]\n\"device:gpu\" = {}"},
		{"long reason", "[permissions]\n\"device:gpu\" = \"" + long + "\"", "reason is longer", "[permissions]\n\"device:gpu\" = \"x y\""},
		{"reason of another type", "[permissions]\n\"device:gpu\" = true", "must be a string or table", "[permissions]\n\"device:gpu\" = { optional = true }"},
		{"variable as a permission", "[permissions]\n\"env:A=b\" = \"x y\"", "write it in the table env", "[permissions]\n\"env:A\" = \"x y\""},
		{"limit as a permission", "[permissions]\n\"limit:pids=5\" = \"x y\"", "[limits]", "[limits]\npids = 5"},
		{"same permission in two spellings", "[permissions]\n\"files:~/a/\" = \"x y\"\n\"files:~/a:read\" = \"x y\"", "stands here twice", "[permissions]\n\"files:~/a\" = \"x y\"\n\"files:~/b:read\" = \"x y\""},
		{"same place with two accesses", "[permissions]\n\"files:~/a:write\" = \"x y\"\n\"files:~/a:read\" = \"x y\"", "stands here twice", "[permissions]\n\"files:~/a:write\" = \"x y\""},
		{"limit out of range", "[limits]\npids = 0", "pids", "[limits]\npids = 0x10"},
		{"date as a limit", "[limits]\ntime = 10:00:00", "not a date or time", "[limits]\ntime = \"10m\""},
		{"empty step", "build.steps = [\" \"]", "step has not", "build.steps = [\"true\"]"},
		{"line end in a step", `build.steps = ["a\nb"]`, "control character U+000A", "build.steps = [\"\"\"a\nb\"\"\"]"},
		{"the manifest as a source", "[[build.source]]\ntype = \"file\"\npath = \"sandbox.toml\"", "manifest itself", "[[build.source]]\ntype = \"file\"\npath = \"a/sandbox.toml\""},
		{"many sources", strings.Repeat(source, 65), "more than 64", strings.Repeat(source, 64)},
		{"source that is no table", `build.source = ["x"]`, "must be a table", source},
		{"archive without its sum", "[[build.source]]\ntype = \"archive\"\npath = \"a\"", `"sha256" is missing`, "[[build.source]]\ntype = \"archive\"\npath = \"a\"\nsha256 = \"" + strings.Repeat("0f", 32) + "\""},
		{"sum in capitals", "[[build.source]]\ntype = \"file\"\npath = \"a\"\nsha256 = \"" + strings.Repeat("0F", 32) + "\"", "lower-case", "[[build.source]]\ntype = \"file\"\npath = \"a\"\nsha256 = \"" + strings.Repeat("0f", 32) + "\""},
		{"no packages", "[[build.source]]\ntype = \"debian\"\nsuite = \"sid\"\npackages = []", "packages is empty", "[[build.source]]\ntype = \"debian\"\nsuite = \"sid\"\npackages = [\"nano\"]"},
		{"negative strip", "[[build.source]]\ntype = \"archive\"\npath = \"a\"\nstrip = -1\nsha256 = \"" + strings.Repeat("0f", 32) + "\"", "strip is not", "[[build.source]]\ntype = \"archive\"\npath = \"a\"\nstrip = 1\nsha256 = \"" + strings.Repeat("0f", 32) + "\""},
		{"exported twice", "export.man = [\"a/tool.1\", \"b/tool.1\"]", "twice", "export.man = [\"a/tool.1\", \"b/tool.5\"]"},
		{"exported name of another type", "export.man = [{ path = \"a/x\", name = 1 }]", "must be a string", "export.man = [{ path = \"a/x\", name = \"tool.1\" }]"},
		{"exported key unknown", "export.man = [{ path = \"a/x\", nme = \"tool.1\" }]", `did you mean "name"`, "export.man = [{ path = \"a/x\", name = \"tool.1\" }]"},
		{"manual without a section", "export.man = [\"share/tool\"]", "cannot be exported", "export.man = [\"share/tool.1.gz\"]"},
		{"hidden export", "export.completions = [\"share/.tool\"]", "cannot be exported", "export.completions = [\"share/tool.fish\"]"},
		{"literal string that is not closed", "name = 'x", "not closed", "name = 'x'"},
		{"long literal string that is not closed", "name = '''x", "not closed", "name = '''x''' # '''"},
		{"bad escape", `name = "\uD800"`, "not a Unicode character", `name = "\u00e9"`},
		{"table that is not closed", "env = { A = \"x\"", "expected \",\" or \"}\"", "env = { A = \"x\", }"},
		{"two commas", "args = [\"a\",,\"b\"]", "expected a value", "args = [\"a\",\n# b\n\"b\",]"},
		{"header that is not closed", "[env", "expected \"]\"", "[ env ] # x"},
		{"header of one bracket too few", "[[build.source]", "expected \"]]\"", source},
		{"date that is none", "name = 2020-13-45", "must be a string", "name = \"2020-13-45\""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			problems := refused(t, base+c.bad+"\n")
			var b strings.Builder
			if err := Explain(&b, problems); err != nil || !strings.Contains(b.String(), c.problem) {
				t.Errorf("of %q is said, without %q:\n%s", c.bad, c.problem, b.String())
			}
			parses(t, base+c.good+"\n")
		})
	}
	refused(t, "id = \"org.example.Tool\"\nversion = \"1\"\nkind = \"extension\"\nextends = \"org.example.Tool\"\n", "cannot extend itself")
	parses(t, "id = \"org.example.Tool.X\"\nversion = \"1\"\nkind = \"extension\"\nextends = \"org.example.Tool\"\n")
}

// TestReadingsThatDiffer: where the two parsers do not see the same, same says
// at which value.
func TestReadingsThatDiffer(t *testing.T) {
	const doc = "a = \"x\"\nb = [1, 2]\nc = { d = true, e = 1.5 }\n[[f]]\ng = 2020-01-02\n"
	read := func() (*node, map[string]any) {
		text := newText("x", []byte(doc))
		root, syntax := scan(text)
		tree, err := decode([]byte(doc))
		if syntax != nil || err != nil || len(text.problems) > 0 {
			t.Fatal(syntax, err, text.problems)
		}
		return root, tree
	}
	if root, tree := read(); !agrees(root, tree) {
		t.Fatal("the readings of a plain text differ")
	}
	changes := map[string]func(n *node, tree map[string]any){
		"string":        func(n *node, _ map[string]any) { n.items["a"].text = "y" },
		"type":          func(_ *node, tree map[string]any) { tree["a"] = int64(1) },
		"unknown type":  func(_ *node, tree map[string]any) { tree["a"] = 'x' },
		"number":        func(n *node, _ map[string]any) { n.items["b"].elems[1].text = "3" },
		"length":        func(n *node, _ map[string]any) { n.items["b"].elems = n.items["b"].elems[:1] },
		"boolean":       func(n *node, _ map[string]any) { n.items["c"].items["d"].text = "false" },
		"key":           func(_ *node, tree map[string]any) { tree["A"] = tree["a"]; delete(tree, "a") },
		"one key more":  func(_ *node, tree map[string]any) { tree["z"] = int64(1) },
		"inner key":     func(n *node, _ map[string]any) { delete(n.items["c"].items, "e") },
		"table as list": func(_ *node, tree map[string]any) { tree["c"] = []any{} },
	}
	for name, change := range changes {
		root, tree := read()
		if change(root, tree); agrees(root, tree) {
			t.Errorf("a difference of %s is not seen", name)
		}
	}
}

func agrees(root *node, tree map[string]any) bool {
	_, ok := same(root, tree)
	return ok
}
