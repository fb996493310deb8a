package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// forbidden are imports that would turn an arrow of the room map around. A
// name covers the packages below it.
var forbidden = []struct{ room, imports, reason string }{
	{"permissions", "manifest", "the vocabulary knows nobody who speaks it"},
	{"permissions", "repo", "the vocabulary knows nobody who speaks it"},
	{"permissions", "runtime", "the vocabulary knows nobody who speaks it"},
	{"permissions", "portal", "the vocabulary knows nobody who speaks it"},
	{"manifest", "repo", "a manifest can be read without knowing where it came from"},
	{"manifest", "runtime", "a manifest can be read without being run"},
	{"manifest", "portal", "a manifest can be read without being run"},
	{"repo", "runtime", "siblings meet in cmd: what fetches must not be able to launch"},
	{"repo", "portal", "siblings meet in cmd"},
	{"runtime", "repo", "siblings meet in cmd: a launch must not link what downloads"},
	{"runtime", "portal", "siblings meet in cmd"},
	{"portal", "repo", "siblings meet in cmd"},
	{"portal", "runtime", "siblings meet in cmd"},
	{"portal", "manifest", "a portal decides by permissions alone, whoever asked for them"},

	{"internal/cli", "permissions", "internal is below the rooms"},
	{"internal/cli", "manifest", "internal is below the rooms"},
	{"internal/disk", "permissions", "internal is below the rooms"},
	{"internal/disk", "manifest", "internal is below the rooms"},
	{"internal/hint", "internal", "every room attaches hints: it must not bring anything along"},
	{"internal/safe", "internal", "every room escapes text: it must not bring anything along"},

	{"permissions", "cmd", "commands are the top"},
	{"manifest", "cmd", "commands are the top"},
	{"repo", "cmd", "commands are the top"},
	{"runtime", "cmd", "commands are the top"},
	{"portal", "cmd", "commands are the top"},
	{"internal", "cmd", "commands are the top"},

	{"cmd", "internal/testenv", "programs link no test code"},
	{"cmd", "internal/testapps", "programs link no test code"},
	{"cmd", "repo/repotest", "programs link no test code"},
	{"cmd", "internal/e2e", "programs link no test code"},
	{"cmd", "repo/store/storetest", "programs link no test code"},
}

// owners says who alone may import what is risky, and why others may not. Every
// module outside the standard library needs a row.
var owners = []struct {
	imports string
	owners  []string
	reason  string
}{
	{"github.com/BurntSushi/toml", []string{"manifest", "permissions"}, "it matches keys without regard to case: its users check that"},
	{"github.com/godbus/dbus/v5", []string{"portal", "runtime/cgroup"}, "a bus is spoken to in one place, by one set of rules"},
	{"github.com/seccomp/libseccomp-golang", []string{"runtime/seccomp"}, "compiles filters at build time; cgo costs every start 1 ms"},
	{"github.com/landlock-lsm/go-landlock", []string{"runtime"}, "changes the process for good"},
	{"github.com/spf13/cobra", []string{"cmd/sandbox-tool"}, "costs a launch 0.3 ms"},
	{"github.com/spf13/pflag", []string{"cmd/sandbox-tool"}, "comes with cobra"},
	{"github.com/jedib0t/go-pretty/v6", []string{"cmd/sandbox-tool"}, "tables and progress are for programs with an audience"},
	{"github.com/rivo/tview", []string{"cmd/sandbox-tui"}, "screens draw models; the models know no widgets"},
	{"github.com/gdamore/tcell/v2", []string{"cmd/sandbox-tui"}, "screens draw models; the models know no widgets"},
	{"github.com/klauspost/compress", []string{"repo"}, "what unpacks foreign bytes is in one room"},
	{"github.com/ulikunitz/xz", []string{"repo"}, "what unpacks foreign bytes is in one room"},
	{"golang.org/x/net", []string{"repo", "runtime"}, "foreign bytes"},
	{"golang.org/x/text", []string{"repo"}, "names are normalised where trees are made"},
	{"github.com/theupdateframework/go-tuf/v2", []string{"repo/trust", "repo/publish"}, "one room decides whom to believe, one signs"},
	{"golang.org/x/crypto", []string{"repo/key"}, "keys at rest and ssh-agent are one room's"},
	{"golang.org/x/term", []string{"cmd/sandbox-tool", "cmd/sandbox-tui"}, "a launch asks the terminal itself"},
	{"github.com/pkg/sftp", []string{"repo/upload"}, "one room puts files to servers"},
	{"golang.org/x/crypto", []string{"repo/key"}, "what seals keys is in one place"},
	{"github.com/theupdateframework/go-tuf/v2", []string{"repo"}, "signed metadata is read and written in one room; 1.9 ms of init"},
	{"github.com/secure-systems-lab/go-securesystemslib", []string{"repo"}, "the canonical form that signatures cover"},
	{"golang.org/x/sys", []string{""}, "system calls are everywhere"},

	{"net/http", []string{"repo"}, "one room talks to the network"},
	{"crypto/tls", []string{"repo"}, "one room talks to the network"},
	{"archive", []string{"repo"}, "what unpacks foreign bytes is in one room"},
	{"compress", []string{"repo"}, "what unpacks foreign bytes is in one room"},
	{"unsafe", []string{"runtime"}, "raw system calls are made by the launcher alone"},
	{"os/exec", []string{"repo", "cmd/sandbox-tool", "cmd/sandbox-tui", "internal/testenv", "internal/testapps", "internal/e2e"}, "no helper programs in a launch"},
	{"encoding/gob", nil, "not a format for bytes from others"},
	{"plugin", nil, "code is linked, never loaded"},
}

// heavy is what the program of the launch must not link, however far away: it
// would be paid for at every start.
var heavy = []string{
	"sandbox/repo", "net/http", "crypto/tls", "encoding/gob", "text/template", "html/template", "archive/tar", "testing",
	"github.com/spf13", "github.com/klauspost", "github.com/ulikunitz", "github.com/rivo", "github.com/gdamore", "github.com/jedib0t",
}

// light is what is heavy by its room only: a look at the disk.
var light = []string{"sandbox/repo/installed"}

const module = "sandbox/"

type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Dir        string
	GoFiles    []string
}

func TestDeps(t *testing.T) {
	all := list(t)
	for path, p := range all {
		room, ours := strings.CutPrefix(path, module)
		if !ours {
			continue
		}
		for _, imported := range p.Imports {
			for _, wrong := range judge(room, imported, all[imported].Standard) {
				t.Error(wrong)
			}
		}
	}
	lean := closure(all, module+"cmd/sandbox")
	for _, h := range heavy {
		for path, via := range lean {
			if within(path, h) && !slices.Contains(light, path) {
				t.Errorf("cmd/sandbox links %s (by way of %s): every launch would pay for it", path, via)
			}
		}
	}
}

func TestDepsBites(t *testing.T) {
	for _, c := range []struct {
		name, room, imported string
		standard, wrong      bool
	}{
		{"a sibling", "repo/bundle", "sandbox/runtime", false, true},
		{"down the map", "repo/bundle", "sandbox/manifest", false, false},
		{"up the map", "permissions", "sandbox/manifest", false, true},
		{"within a room", "repo", "sandbox/repo/bundle", false, false},
		{"a room from the commands", "cmd/sandbox", "sandbox/runtime", false, false},
		{"somebody else's library", "repo", "github.com/rivo/tview", false, true},
		{"one's own library", "cmd/sandbox-tui", "github.com/rivo/tview", false, false},
		{"a name that only begins alike", "cmd/sandbox-tuition", "github.com/rivo/tview", false, true},
		{"a library nobody owns", "repo", "example.org/left/pad", false, true},
		{"the standard library", "permissions", "strings", true, false},
		{"what is risky in it", "permissions", "net/http", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(c.room, c.imported, c.standard); (len(got) > 0) != c.wrong {
				t.Errorf("%s imports %s: %q", c.room, c.imported, got)
			}
		})
	}
}

// judge says what is wrong with an import.
func judge(room, imported string, standard bool) (wrong []string) {
	for _, f := range forbidden {
		if within(room, f.room) && within(imported, module+f.imports) && !within(imported, module+f.room) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", room, imported, f.reason))
		}
	}
	known := standard || strings.HasPrefix(imported, module)
	for _, o := range owners {
		if !within(imported, o.imports) {
			continue
		}
		known = true
		if !slices.ContainsFunc(o.owners, func(owner string) bool { return owner == "" || within(room, owner) }) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s (owners: %s)", room, imported, o.reason, strings.Join(o.owners, ", ")))
		}
	}
	if !known {
		wrong = append(wrong, fmt.Sprintf("%s imports %s, which has no owner in this table", room, imported))
	}
	return wrong
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// closure maps every package that start links to the one that imports it.
func closure(all map[string]listed, start string) map[string]string {
	seen := map[string]string{start: ""}
	queue := []string{start}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		for _, next := range all[path].Imports {
			if _, ok := seen[next]; !ok {
				seen[next] = path
				queue = append(queue, next)
			}
		}
	}
	return seen
}

// list describes the module's packages and all they import, without tests.
func list(t *testing.T) map[string]listed {
	t.Helper()
	c := exec.Command("go", "list", "-deps", "-e", "-json=ImportPath,Standard,Imports,Dir,GoFiles", module+"...")
	c.Env = append(c.Environ(), "CGO_ENABLED=0")
	out, err := c.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	if err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	return all
}
