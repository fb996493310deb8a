package runtime

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/manifest"
	"sandbox/permissions"
)

// fakeHost is a machine that exists in a map: path → what is there. A value
// that begins with "->" is a symbolic link, "dir", "fifo", "socket", "char" and
// "file" are what they say.
type fakeHost map[string]string

func (f fakeHost) host() *Host {
	home := "/home/ann"
	env := map[string]string{"USER": "ann", "TERM": "xterm-256color", "LANG": "C.UTF-8", "GITHUB_TOKEN": "secret",
		"XDG_RUNTIME_DIR": "/run/user/1000", "WAYLAND_DISPLAY": "wayland-1", "DISPLAY": ":3.0", "SSH_AUTH_SOCK": "/tmp/ssh-x/agent.1"}
	get := func(k string) string { return env[k] }
	h := &Host{
		UID: 1000, GID: 1000, Home: home, Cwd: home, Env: get, Dirs: disk.UserDirs(get, home),
		Landlock: 7, OpenAt2: true, Resolv: "nameserver 192.0.2.1\n", Timezone: "Europe/Vienna",
		Look: f.look, Link: f.link, Entries: f.entries,
		Read: func(string) (string, error) { return "", fs.ErrNotExist },
	}
	h.XDG = xdgUserDirs(h)
	return h
}

func (f fakeHost) look(p string) (Found, error) {
	for range 41 {
		at, rest := "/", strings.Split(strings.Trim(p, "/"), "/")
		if p == "/" {
			return Found{Path: "/", Mode: unix.S_IFDIR | 0o755, Ino: 1, Dev: 1}, nil
		}
		link := false
		for i, name := range rest {
			at = path.Join(at, name)
			what, ok := f[at]
			if !ok {
				return Found{}, &os.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
			}
			if to, is := strings.CutPrefix(what, "->"); is {
				if !path.IsAbs(to) {
					to = path.Join(path.Dir(at), to)
				}
				p, link = path.Join(append([]string{to}, rest[i+1:]...)...), true
				break
			}
		}
		if !link {
			return f.found(at), nil
		}
	}
	return Found{}, &os.PathError{Op: "open", Path: p, Err: unix.ELOOP}
}

func (f fakeHost) link(p string) (string, error) {
	if to, is := strings.CutPrefix(f[p], "->"); is {
		return to, nil
	}
	return "", &os.PathError{Op: "readlink", Path: p, Err: unix.EINVAL}
}

func (f fakeHost) found(p string) Found {
	mode := map[string]uint32{"dir": unix.S_IFDIR, "file": unix.S_IFREG, "fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "char": unix.S_IFCHR}[f[p]]
	ino := uint64(0)
	for _, c := range p {
		ino = ino*31 + uint64(c)
	}
	return Found{Path: p, Mode: mode | 0o755, Ino: ino, Dev: unix.Mkdev(8, 1)}
}

func (f fakeHost) entries(dir string) []string {
	var out []string
	for p := range f {
		if path.Dir(p) == dir && p != "/" {
			out = append(out, path.Base(p))
		}
	}
	slices.Sort(out)
	return out
}

// standard is a small desktop.
func standard() fakeHost {
	f := fakeHost{}
	for _, d := range []string{"/home", "/home/ann", "/home/ann/Documents", "/home/ann/.config", "/home/ann/.local", "/home/ann/.local/share",
		"/home/ann/.ssh", "/srv", "/etc", "/usr", "/usr/bin", "/bin", "/dev", "/dev/dri", "/run", "/run/user", "/run/user/1000", "/tmp", "/tmp/.X11-unix", "/tmp/ssh-x",
		"/b", "/b/app", "/b/app/files", "/b/rt", "/b/rt/files", "/b/rt/files/bin", "/b/rt/files/lib", "/b/rt/files/etc", "/b/rt/files/etc/ssl", "/b/over", "/b/over/files", "/b/over/usr"} {
		f[d] = "dir"
	}
	for _, d := range []string{"/dev/dri/card0", "/dev/dri/renderD128", "/dev/kvm", "/dev/mem", "/dev/null", "/dev/ttyUSB0"} {
		f[d] = "char"
	}
	for _, s := range []string{"/run/user/1000/wayland-1", "/tmp/.X11-unix/X3", "/tmp/ssh-x/agent.1"} {
		f[s] = "socket"
	}
	f["/home/ann/notes.txt"], f["/home/ann/.bashrc"], f["/bin/bash"] = "file", "file", "file"
	return f
}

func parseManifest(t testing.TB, text string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse("sandbox.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// grant makes a layer of allowed and, with a leading "!", denied permissions.
func grant(t testing.TB, list ...string) permissions.Layer {
	t.Helper()
	l := permissions.Layer{Name: "this run"}
	for _, text := range list {
		d := permissions.Allow
		if rest, deny := strings.CutPrefix(text, "!"); deny {
			text, d = rest, permissions.Deny
		}
		p, err := permissions.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		l.Entries = append(l.Entries, permissions.Entry{Permission: p, Decision: d})
	}
	return l
}

const staticApp = "id = \"org.example.App\"\nversion = \"1\"\ncommand = \"app\"\n"

// plan makes a plan for the static app with the given permissions.
func plan(t testing.TB, f fakeHost, list ...string) (*Plan, error) {
	t.Helper()
	layer := grant(t, list...)
	req := Request{Manifest: parseManifest(t, staticApp), Bundle: "/b/app", Permissions: permissions.Merge(layer), Instance: "app-1"}
	for _, e := range layer.Entries {
		if e.Kind == permissions.Files && e.Decision == permissions.Allow {
			req.Asked = append(req.Asked, e.Subject)
		}
	}
	return Make(req, f.host())
}

func mustPlan(t testing.TB, f fakeHost, list ...string) *Plan {
	t.Helper()
	p, err := plan(t, f, list...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// step finds the last step with a target.
func (p *Plan) step(target string) *Step {
	for i := len(p.View) - 1; i >= 0; i-- {
		if p.View[i].Target == target {
			return &p.View[i]
		}
	}
	return nil
}
