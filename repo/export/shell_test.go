package export

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/testenv"
)

// Each shell that is here reads what it is given, twice, with a home whose name
// holds what shells take for their own.
func TestShellInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's $HOME "x" \ y`)
	user, system := Place{Data: filepath.Join(dir, "user")}, Place{Data: filepath.Join(dir, "system")}
	for _, shell := range Shells {
		t.Run(shell, func(t *testing.T) {
			text, err := ShellInit(shell, user, system)
			if err != nil {
				t.Fatal(err)
			}
			program := testenv.NeedCommand(t, shell)
			show := "\necho \"$PATH\"; echo \"$XDG_DATA_DIRS\"; echo \"$MANPATH\"\n"
			if shell == "fish" {
				show = "\nstring join : -- $PATH; string join : -- $XDG_DATA_DIRS; string join : -- $MANPATH; or echo\n"
			}
			lists := ""
			if shell == "fish" {
				lists = "\nset -gx --path XDG_DATA_DIRS $XDG_DATA_DIRS\n"
			}
			file := filepath.Join(t.TempDir(), "init")
			if err := os.WriteFile(file, []byte(text+text+lists+text+show), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{file}
			if shell == "fish" {
				args = []string{"--no-config", file} // what is installed here has its own words there
			}
			c := exec.Command(program, args...)
			c.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "MANPATH=/m:"}
			out, err := c.Output()
			want := user.Bin() + ":" + system.Bin() + ":/usr/bin:/bin\n/usr/local/share:/usr/share:" + system.Share() + ":" + user.Share() +
				"\n" + user.Share() + "/man:" + system.Share() + "/man:/m:\n"
			if err != nil || string(out) != want {
				t.Errorf("%v: got\n%swant\n%s", err, out, want)
			}
			c = exec.Command(program, args...)
			c.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "XDG_DATA_DIRS=/d"}
			out, err = c.Output()
			if lines := strings.Split(string(out), "\n"); err != nil || len(lines) < 3 || lines[2] != "" || !strings.HasPrefix(lines[1], "/d:") {
				t.Errorf("without MANPATH: %v\n%s", err, out)
			}
		})
	}
	if _, err := ShellInit("tcsh", user); err == nil {
		t.Error("tcsh is spoken")
	}
	if _, err := ShellInit("sh", Place{Data: "/a:b"}); err == nil {
		t.Error("a colon is accepted")
	}
}

// man finds the page of a command that is in PATH by itself.
func TestManFindsPages(t *testing.T) {
	man := testenv.NeedCommand(t, "man")
	p := newPlace(t)
	syncs(t, p, full(t))
	c := exec.Command(man, "-w", "tool")
	c.Env = []string{"PATH=" + p.Bin() + ":/usr/bin:/bin", "HOME=" + t.TempDir()}
	out, err := c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != filepath.Join(p.Share(), "man/man1/tool.1") {
		t.Errorf("%v: %s", err, out)
	}
}

// The desktop's own judge finds nothing to complain about, whatever the bundle
// and the path of our program are like.
func TestDesktopEntriesAreValid(t *testing.T) {
	judge := testenv.NeedCommand(t, "desktop-file-validate")
	p := newPlace(t)
	p.Program = `/opt/odd "dir" $(x) 100%/sandbox`
	syncs(t, p, full(t))
	if out, err := exec.Command(judge, filepath.Join(p.Share(), "applications/org.example.Tool.desktop")).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s\n%s", err, out, content(t, p, "share/applications/org.example.Tool.desktop"))
	}
}

func TestDesktopEntry(t *testing.T) {
	p := newPlace(t)
	syncs(t, p, full(t))
	want := `[Desktop Entry]
Type=Application
Categories=Utility;TextEditor;
Comment=Does things in a window
GenericName=Editor
Keywords=a;b\;c;
Name=Tool Window
Name[de]=Werkzeug
Terminal=true
MimeType=text/plain;application/x-tool;
Exec=/opt/sandbox/bin/sandbox run --command toolw -- org.example.Tool %F
Icon=org.example.Tool
X-Sandbox-App=org.example.Tool
`
	if got := content(t, p, "share/applications/org.example.Tool.desktop"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func FuzzForeignFiles(f *testing.F) {
	for _, seed := range []string{entry, types, drawing, "[Desktop Entry]\nType=Application\nKeywords=\\;\\\nExec=a %f"} {
		f.Add([]byte(seed))
	}
	m := load(f, newApp(f, "org.example.Tool", "commands = { tool = \"tool\", toolw = \"toolw\" }", nil))
	p := Place{Program: program}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkSVG(data)
		if types, err := readTypes(data); err == nil {
			if again, err := readTypes(mimePackage(types)); err != nil || len(again) != len(types) {
				t.Errorf("what was written reads otherwise: %v", err)
			}
			for name := range mimeDatabase(types) {
				if !filepath.IsLocal(name) || strings.HasPrefix(name, "packages/") {
					t.Errorf("a file %q", name)
				}
			}
		}
		text, _, err := desktopEntry(p, m, nil, data)
		if err != nil {
			return
		}
		pairs, err := readEntry(text, "Desktop Entry")
		if err != nil || strings.Count(string(text), "[Desktop Entry]\n") < 1 || strings.Contains(string(text), "\n[") {
			t.Errorf("what was written reads otherwise: %v\n%s", err, text)
		}
		exec, _, _ := strings.Cut(pairs["Exec"], " -- ")
		if exec != program+" run" && exec != program+" run --command toolw" {
			t.Errorf("starts %q", pairs["Exec"])
		}
	})
}
