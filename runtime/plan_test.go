package runtime

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/permissions"
)

var update = flag.Bool("update", false, "rewrite the golden plans")

func TestGoldenPlans(t *testing.T) {
	runtimeManifest := parseManifest(t, "id = \"org.debian.Platform\"\nkind = \"runtime\"\nversion = \"12\"\nchannel = \"12\"\n")
	onRuntime := staticApp + "runtime = \"org.debian.Platform/12\"\nargs = [\"--quiet\"]\nenv = { PAGER = \"less\" }\n"
	for _, c := range []struct {
		name string
		text string
		list []string
		edit func(*Request, *Host)
	}{
		{"static", staticApp, nil, nil},
		{"runtime", onRuntime, []string{"network:host", "limit:memory=64M"}, func(r *Request, _ *Host) {
			r.Runtime, r.Base, r.Args = "/b/rt", runtimeManifest, []string{"a\x1b[2Jb", "-x"}
		}},
		{"overlay", onRuntime, nil, func(r *Request, _ *Host) { r.Runtime, r.Base, r.Bundle = "/b/rt", runtimeManifest, "/b/over" }},
		{"desktop", staticApp, []string{"socket:wayland", "socket:x11", "socket:ssh-agent", "socket:cups", "device:gpu", "device:camera", "feature:devel"}, nil},
		{"home", staticApp, []string{"files:home:write", "!files:~/Documents"}, nil},
		{"root", staticApp, []string{"files:/srv:write"}, func(_ *Request, h *Host) { h.UID, h.GID, h.Root, h.Home, h.Cwd = 0, 0, true, "/root", "/root" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := standard().host()
			req := Request{Manifest: parseManifest(t, c.text), Bundle: "/b/app", Permissions: permissions.Merge(grant(t, c.list...)), Instance: "app-1"}
			if c.edit != nil {
				c.edit(&req, host)
			}
			p, err := Make(req, host)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata/plan", c.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != string(want) {
				t.Errorf("the plan differs from %s; if it should, run go test ./runtime -run Golden -update and review the diff\n%s", file, p)
			}
		})
	}
}

func TestPlansAreTheSameEveryTime(t *testing.T) {
	list := []string{"files:home:write", "!files:~/.config", "socket:wayland", "device:all", "env:EDITOR=vi"}
	first := mustPlan(t, standard(), list...).String()
	for range 20 {
		if again := mustPlan(t, standard(), list...).String(); again != first {
			t.Fatal("two plans of one request differ")
		}
	}
}

// The dry run is read on a terminal: nothing in it may be a control sequence.
func TestPlanTextIsSafe(t *testing.T) {
	f := standard()
	f["/home/ann/e\x1b[31m"] = "dir"
	host := f.host()
	p, err := permissions.File("/home/ann/e\x1b[31m", permissions.Read)
	if err == nil {
		t.Fatalf("the vocabulary takes %q", p)
	}
	req := Request{Manifest: parseManifest(t, staticApp), Bundle: "/b/app", Args: []string{"\x1b]52;c;x\a", "\u202e"}, Instance: "app-1"}
	plan, err := Make(req, host)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(plan.String(), "\x1b\a\u202e") {
		t.Error("the plan prints what the app's arguments say")
	}
}

func TestRefusedRequests(t *testing.T) {
	base := func() Request {
		return Request{Manifest: parseManifest(t, staticApp), Bundle: "/b/app", Instance: "app-1"}
	}
	for _, c := range []struct {
		name string
		edit func(*Request, *Host)
		want string
	}{
		{"a runtime is missing", func(r *Request, _ *Host) {
			r.Manifest = parseManifest(t, staticApp+"runtime = \"org.debian.Platform/12\"\n")
		}, "needs the runtime org.debian.Platform/12"},
		{"another runtime", func(r *Request, _ *Host) {
			r.Manifest = parseManifest(t, staticApp+"runtime = \"org.debian.Platform/12\"\n")
			r.Runtime = "/b/rt"
			r.Base = parseManifest(t, "id = \"org.debian.Platform\"\nkind = \"runtime\"\nversion = \"13\"\nchannel = \"13\"\n")
		}, "is org.debian.Platform/13"},
		{"a runtime is no app", func(r *Request, _ *Host) {
			r.Manifest = parseManifest(t, "id = \"org.debian.Platform\"\nkind = \"runtime\"\nversion = \"12\"\n")
		}, "of kind \"runtime\""},
		{"a descriptor as directory (CVE-2024-21626)", func(r *Request, _ *Host) { r.Dir = "/proc/self/fd/7" }, "cannot start in"},
		{"a relative directory", func(r *Request, _ *Host) { r.Dir = "x/../../y" }, "cannot start in"},
		{"a line break in HOME (CVE-2022-4318)", func(_ *Request, h *Host) { h.Home = "/h\nroot2::0:0::/:/bin/sh" }, "passwd"},
		{"a colon in HOME", func(_ *Request, h *Host) { h.Home = "/h:0" }, "passwd"},
		{"a system directory as HOME", func(_ *Request, h *Host) { h.Home = "/usr/share" }, "cannot use /usr/share"},
		{"a NUL in an argument", func(r *Request, _ *Host) { r.Args = []string{"a\x00b"} }, "NUL"},
		{"a control character in the command", func(r *Request, _ *Host) { r.Command = "a\nb" }, "not a name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, host := base(), standard().host()
			c.edit(&req, host)
			if _, err := Make(req, host); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Make: %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Make(base(), standard().host()); err != nil {
		t.Errorf("the plain request is refused too: %v", err)
	}
}
