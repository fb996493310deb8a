package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/manifest"
)

// deploy puts a bundle into a store as an installation would.
func deploy(t *testing.T, store, id, more string, files map[string]string) {
	t.Helper()
	top := filepath.Join(store, "deploy/app", id, "any/stable")
	dir := filepath.Join(top, "1-0123456789ab")
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, manifest.FileName), "id = \""+id+"\"\nversion = \"1\"\ncommand = \"tool\"\n"+more)
	for name, text := range files {
		put(filepath.Join(dir, name), text)
	}
	put(dir+".lock", "")
	if err := os.Symlink("1-0123456789ab", filepath.Join(top, "current")); err != nil {
		t.Fatal(err)
	}
}

// stores are the user's and the machine's for one test, and a PATH without
// surprises.
func stores(t *testing.T) (data, user, system string) {
	t.Helper()
	home := testenv.TempXDG(t)
	system = filepath.Join(filepath.Dir(home), "system/store")
	t.Setenv("SANDBOX_SYSTEM_DIR", system)
	t.Setenv("PATH", filepath.Join(home, "bin"))
	data = filepath.Join(home, ".local/share/sandbox")
	return data, filepath.Join(data, "store"), system
}

func synced(system bool, changed ...manifest.ID) string {
	var out bytes.Buffer
	syncExports(&out, system, changed...)
	return out.String()
}

func TestAlias(t *testing.T) {
	data, user, system := stores(t)
	deploy(t, user, "org.example.Frob", "commands = { frob = \"tool\", ls = \"ls\" }\n", nil)
	deploy(t, system, "org.example.Blip", "commands = { blip = \"tool\" }\n", nil)
	said := synced(false, "org.example.Frob")
	for _, want := range []string{"org.example.Frob is started by: frob\n", "ls does not start org.example.Frob", "'sandbox alias set NAME org.example.Frob:ls'", "is not in PATH: 'sandbox shell-init --help'"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if said := synced(false); said != "" {
		t.Errorf("said about nothing:\n%s", said)
	}
	t.Setenv("PATH", os.Getenv("PATH")+":"+filepath.Join(data, "bin"))
	if said := synced(true, "org.example.Blip"); !strings.HasPrefix(said, "sandbox: org.example.Blip is started by: blip\n") {
		t.Errorf("said:\n%s", said)
	}
	leads := func(name, want string) {
		t.Helper()
		if got, _ := os.Readlink(filepath.Join(data, "bin", name)); got != want {
			t.Errorf("%s leads to %q, not %q", name, got, want)
		}
	}
	for _, args := range [][]string{
		{"alias", "set", "f", "frob"}, // by the last part of the id
		{"alias", "set", "ls", "org.example.Frob:ls"},
		{"alias", "set", "b", "org.example.Blip"}, // an app of the machine
	} {
		if _, err := sandbox(args...); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
	}
	leads("f", "../command/org.example.Frob:")
	leads("ls", "../command/org.example.Frob:ls")
	leads("b", "../command/org.example.Blip:")
	leads("blip", "")
	out, err := sandbox("alias", "list")
	want := `b     org.example.Blip       alias
f     org.example.Frob       alias
frob  org.example.Frob:frob  command
ls    org.example.Frob:ls    alias, hides /usr/bin/ls
blip  org.example.Blip:blip  command of the machine
`
	if _, missing := os.Stat("/usr/bin/ls"); missing != nil {
		want = strings.ReplaceAll(want, "/usr/bin/ls", "/bin/ls")
	}
	if err != nil || out != want {
		t.Errorf("%v: got\n%swant\n%s", err, out, want)
	}
	out, err = sandbox("alias", "list", "--json")
	var rows []aliasRow
	if err != nil || json.Unmarshal([]byte(out), &rows) != nil || len(rows) != 5 || !rows[0].Alias || !rows[4].System {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := sandbox("alias", "remove", "ls"); err != nil {
		t.Error(err)
	}
	leads("ls", "")
	for _, c := range []struct {
		args       []string
		want, hint string
	}{
		{[]string{"alias", "remove", "ls"}, "cannot remove the alias ls: there is no alias ls", "'sandbox alias list' shows names and what they start"},
		{[]string{"alias", "set", "x", "org.example.Forb"}, `cannot set the alias x: "org.example.Forb" is not installed`, "did you mean org.example.Frob?"},
		{[]string{"alias", "set", "x", "frob:none"}, `cannot set the alias x: org.example.Frob has no command "none"`, "it has frob, ls"},
		{[]string{"alias", "set", "../x", "frob"}, `command name "../x" is not a plain name`, "use letters, digits and inner . _ + -"},
		{[]string{"alias", "set", "sandbox", "frob"}, `command name "sandbox" belongs to sandbox itself`, ""},
	} {
		if _, err := sandbox(c.args...); err == nil || err.Error() != c.want || hint.Of(err) != c.hint {
			t.Errorf("%q: %v (hint %q)", c.args, err, hint.Of(err))
		}
	}
	// What is uninstalled takes its names along.
	os.RemoveAll(filepath.Join(user, "deploy"))
	synced(false)
	leads("f", "")
	leads("frob", "")
	leads("b", "../command/org.example.Blip:")
}

func TestCompletionAllowAndDeny(t *testing.T) {
	data, user, _ := stores(t)
	deploy(t, user, "org.example.Frob", "commands = { frob = \"tool\" }\n[export]\ncompletions = [\"c/frob\"]\n", map[string]string{"files/c/frob": "complete -W x frob\n"})
	file := filepath.Join(data, "share/bash-completion/completions/frob")
	if said := synced(false, "org.example.Frob"); !strings.Contains(said, "'sandbox completion allow org.example.Frob'") {
		t.Errorf("said:\n%s", said)
	}
	for _, step := range []struct {
		verb  string
		there bool
	}{{"allow", true}, {"allow", true}, {"deny", false}, {"deny", false}} {
		if _, err := sandbox("completion", step.verb, "frob"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); (err == nil) != step.there {
			t.Errorf("after %s: %v", step.verb, err)
		}
	}
	if _, err := sandbox("completion", "allow", "none"); err == nil {
		t.Error("completions of nothing are allowed")
	}
}

func TestShellInit(t *testing.T) {
	data, _, system := stores(t)
	out, err := sandbox("shell-init", "bash")
	if err != nil || !strings.Contains(out, "'"+data+"/bin'") || strings.Contains(out, filepath.Dir(system)) {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.MkdirAll(filepath.Join(filepath.Dir(system), "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := sandbox("shell-init", "fish"); err != nil || !strings.Contains(out, filepath.Dir(system)+"/bin") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := sandbox("shell-init", "tcsh"); err == nil || hint.Of(err) != "sh fits most others" {
		t.Errorf("tcsh: %v", err)
	}
}
