package repo

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestTreeOf(t *testing.T) {
	tree := helloTree(t)
	if tree.Files != 3 || tree.Size != 42 || len(tree.Objects()) != 1 {
		t.Errorf("%d files of %d bytes, %d objects", tree.Files, tree.Size, len(tree.Objects()))
	}
	if tree.Ref("stable") != helloRef || tree.Runtime != "org.example.Platform/1" || string(tree.TOML) != helloTOML {
		t.Errorf("%+v", tree)
	}
	stored, err := EncodeTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeTree(stored)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, tree) {
		t.Errorf("got %+v\nwant %+v", got, tree)
	}
	again, err := EncodeTree(helloTree(t))
	if err != nil || !bytes.Equal(again, stored) {
		t.Errorf("the same bundle gave other bytes (%v)", err)
	}
}

func TestTreeForArch(t *testing.T) {
	for _, c := range []struct{ name, toml, arch, want string }{
		{"the only one", `arch = ["aarch64"]`, "", "aarch64"},
		{"any by default", ``, "", "any"},
		{"this machine's of several", `arch = ["aarch64", "x86_64"]`, "", knownHost()},
		{"the one asked for", `arch = ["aarch64", "x86_64"]`, "aarch64", "aarch64"},
		{"one that is not there", `arch = ["aarch64"]`, "x86_64", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeBundle(t, "id = \"org.example.Hello\"\nversion = \"1\"\ncommand = \"x\"\n"+c.toml+"\n", map[string]string{"files/bin/x*": "x"})
			tree, err := TreeFor(dir, c.arch)
			if c.want == "" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if err != nil || tree.Arch != c.want {
				t.Errorf("%+v, %v", tree, err)
			}
		})
	}
}

const header = `{"type":"sandbox-tree","format":1,"kind":"app","id":"org.example.Hello","arch":"any","version":"1","runtime":"",` +
	`"toml":"id = \"org.example.Hello\"\nversion = \"1\"\narch = [\"any\"]\ncommand = \"/app/x\"\n","files":FILES,"size":SIZE}`

func head(files, size string) string {
	return strings.NewReplacer("FILES", files, "SIZE", size).Replace(header)
}

func file(p, x string) string {
	return `{"p":"` + p + `","t":"f","o":"` + Sum([]byte(x)).String() + `","s":1}`
}

// B01, B02, B25, B26, B28, B31, B34: what a signed tree may say all the same.
func TestDecodeTree(t *testing.T) {
	files := `{"p":"files","t":"d"}`
	one := head("1", "1")
	none := head("0", "0")
	obj := Sum([]byte("x")).String()
	for _, c := range []struct {
		name, want string // want: "" when accepted
		lines      []string
	}{
		{"plain", "", []string{one, files, file("files/x", "x")}},
		{"only a directory", "", []string{none, files}},
		{"empty file", "", []string{head("1", "0"), files, `{"p":"files/x","t":"f"}`}},
		{"link inside", "", []string{none, files, `{"p":"files/x","t":"l","l":"y"}`}},
		{"link to the runtime", "", []string{none, files, `{"p":"files/x","t":"l","l":"/usr/bin/env"}`}},
		{"bytewise order", "", []string{none, files, `{"p":"files/a","t":"d"}`, `{"p":"files/a-b","t":"d"}`, `{"p":"files/a/b","t":"d"}`}},
		{"names that differ in ASCII case", "", []string{none, files, `{"p":"files/A","t":"d"}`, `{"p":"files/a","t":"d"}`}},

		{"nothing at all", "empty", nil},
		{"another document", "sandbox-locator", []string{`{"type":"sandbox-locator","format":1,"kind":"","id":"","arch":"","version":"","runtime":"","toml":"","files":0,"size":0}`}},
		{"no type", `a ""`, []string{strings.Replace(none, `"type":"sandbox-tree",`, "", 1), files}},
		{"another format", "format 2", []string{strings.Replace(none, `"format":1`, `"format":2`, 1), files}},
		{"key in another case", "unknown key", []string{strings.Replace(none, `"toml"`, `"TOML"`, 1), files}},
		{"key twice", "twice", []string{strings.Replace(none, `"id":`, `"id":"org.example.Other","id":`, 1), files}},
		{"kind is another", "kind", []string{strings.Replace(none, `"kind":"app"`, `"kind":"runtime"`, 1), files}},
		{"id is another", "id", []string{strings.Replace(none, `"id":"org.example.Hello"`, `"id":"org.example.Evil"`, 1), files}},
		{"arch is another", "arch", []string{strings.Replace(none, `"arch":"any"`, `"arch":"x86_64"`, 1), files}},
		{"version is another", "version", []string{strings.Replace(none, `"version":"1"`, `"version":"2"`, 1), files}},
		{"runtime is another", "runtime", []string{strings.Replace(none, `"runtime":""`, `"runtime":"org.example.Platform/1"`, 1), files}},
		{"manifest with NUL", "", []string{strings.Replace(none, `/app/x\"`, `/app/x\u0000\"`, 1), files}},
		{"manifest with a wrong key", "", []string{strings.Replace(none, `command`, `Command`, 1), files}},
		{"two headers", "unknown key", []string{none, none, files}},

		{"no files", "missing", []string{none}},
		{"files is a link", "no place", []string{none, `{"p":"files","t":"l","l":"usr"}`}},
		{"files is a file", "no place", []string{one, file("files", "x")}},
		{"another top", "no place", []string{none, `{"p":"etc","t":"d"}`, files}},
		{"sandbox.toml among the entries", "no place", []string{one, files, file("sandbox.toml", "x")}},
		{"unknown type", "unknown type", []string{none, files, `{"p":"files/x","t":"h","l":"y"}`}},
		{"unknown key", "unknown key", []string{none, files, `{"p":"files/x","t":"d","mode":2541}`}},
		{"entry key in another case", "unknown key", []string{none, files, `{"P":"files/x","t":"d"}`}},
		{"not in order", "order", []string{none, files, `{"p":"files/b","t":"d"}`, `{"p":"files/a","t":"d"}`}},
		{"twice", "order", []string{none, files, `{"p":"files/a","t":"d"}`, `{"p":"files/a","t":"l","l":"b"}`}},
		{"no parent", "no directory", []string{one, files, file("files/a/b", "x")}},
		{"below a link", "no directory", []string{one, files, `{"p":"files/a","t":"l","l":"."}`, file("files/a/b", "x")}},
		{"below a file", "no directory", []string{head("2", "2"), files, file("files/a", "x"), file("files/a/b", "x")}},
		{"link to the host", "outside", []string{none, files, `{"p":"files/icon.png","t":"l","l":"/etc/shadow"}`}},
		{"link above the top", "out of", []string{none, files, `{"p":"files/x","t":"l","l":"../../etc/shadow"}`}},
		{"link by way of another", "out of", []string{none, files, `{"p":"files/s","t":"l","l":"."}`, `{"p":"files/x","t":"l","l":"s/../../.."}`}},
		{"loop", "loop", []string{none, files, `{"p":"files/a","t":"l","l":"b"}`, `{"p":"files/b","t":"l","l":"a"}`}},
		{"empty target", "empty", []string{none, files, `{"p":"files/a","t":"l"}`}},
		{"target with an escape", "control", []string{none, files, `{"p":"files/a","t":"l","l":"\u001b[2J"}`}},
		{"directory with content", "content", []string{none, files, `{"p":"files/x","t":"d","o":"` + obj + `"}`}},
		{"executable directory", "content", []string{none, files, `{"p":"files/x","t":"d","x":true}`}},
		{"file with a target", "target", []string{one, files, `{"p":"files/x","t":"f","o":"` + obj + `","s":1,"l":"/etc/shadow"}`}},
		{"file without its object", "object", []string{one, files, `{"p":"files/x","t":"f","s":1}`}},
		{"empty file with an object", "object", []string{head("1", "0"), files, `{"p":"files/x","t":"f","o":"` + obj + `"}`}},
		{"object is a path", "digest", []string{one, files, `{"p":"files/x","t":"f","o":"../../../etc/passwd","s":1}`}},
		{"size negative", "size", []string{head("1", "-1"), files, `{"p":"files/x","t":"f","o":"` + obj + `","s":-1}`}},
		{"size absurd", "size", []string{head("1", "0"), files, `{"p":"files/x","t":"f","o":"` + obj + `","s":9223372036854775807}`}},
		{"one object, two sizes", "two sizes", []string{head("2", "3"), files, file("files/x", "x"), `{"p":"files/y","t":"f","o":"` + obj + `","s":2}`}},
		{"sizes do not add up", "header says", []string{head("1", "2"), files, file("files/x", "x")}},
		{"counts do not add up", "header says", []string{head("2", "1"), files, file("files/x", "x")}},
		{"ligature and letters", "look like one", []string{none, files, `{"p":"files/file","t":"d"}`, "{\"p\":\"files/\ufb01le\",\"t\":\"d\"}"}},
		{"an empty line", "end of JSON", []string{none, "", files}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, err := DecodeTree(lines(t, c.lines...))
			if strings.HasPrefix(c.name, "manifest with") {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if len(c.lines) == 0 {
				_, err = DecodeTree(compress(t, ""))
			}
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %+v, %v; want an error with %q", tree, err, c.want)
			}
			if (tree == nil) != (err != nil) {
				t.Error("a refused tree was returned")
			}
		})
	}
}

func TestDecodeTreeNames(t *testing.T) {
	for _, name := range traversal {
		if strings.HasPrefix(name, "-") || name == "a b" || name == "a@b" || strings.HasPrefix(name, "a%") || name == "a?x" || name == "a#x" {
			continue // odd, and harmless in a directory
		}
		quoted := strings.NewReplacer(`\`, `\\`, "\x00", `\u0000`, "\n", `\n`, "\x1b", `\u001b`).Replace(name)
		stored := lines(t, head("0", "0"), `{"p":"files","t":"d"}`, `{"p":"files/`+quoted+`","t":"d"}`)
		if tree, err := DecodeTree(stored); err == nil {
			t.Errorf("accepted %q: %+v", name, tree.Entries)
		}
	}
}

// knownHost is this machine's arch, or nothing where there are no bundles for it.
func knownHost() string {
	if CheckArch(HostArch()) != nil {
		return ""
	}
	return HostArch()
}
