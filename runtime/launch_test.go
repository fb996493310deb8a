package runtime

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"sandbox/internal/testenv"
	"sandbox/permissions"
	"sandbox/runtime/cgroup"
)

// launched runs a shell line in a sandbox whose runtime is this machine's own
// /usr, with what edit changes, and returns its output and status.
func launched(t *testing.T, line string, edit func(*Host, *Request, *Options)) (string, int, error) {
	t.Helper()
	testenv.NeedUserNS(t)
	testenv.NeedCommand(t, "sh")
	home := testenv.ShortDir(t)
	t.Setenv("HOME", home)
	for _, v := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(v, filepath.Join(home, strings.ToLower(v)))
		if err := os.Mkdir(filepath.Join(home, strings.ToLower(v)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	host, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	bundle := t.TempDir()
	man := parseManifest(t, "id = \"org.example.Shell\"\nversion = \"1\"\ncommand = \"/usr/bin/sh\"\nargs = [\"-c\"]\n")
	req := Request{Manifest: man, Bundle: bundle, Permissions: permissions.Merge(man.Layer()), Args: []string{line}, Instance: "shell-1", Ephemeral: true}
	opt := Options{Host: host, Limits: cgroup.Unlimited()}
	edit(host, &req, &opt)
	plan, err := Make(req, host)
	if err != nil {
		t.Fatal(err)
	}
	plan.View = append(plan.View, Step{Do: Bind, Source: "/usr", Target: "/usr", ReadOnly: true})
	for _, dir := range []string{"bin", "lib", "lib64"} {
		if to, err := os.Readlink("/" + dir); err == nil {
			plan.View = append(plan.View, Step{Do: Symlink, Source: to, Target: "/" + dir})
		}
	}
	opt.Plan = plan
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	opt.Std = [3]int{int(null.Fd()), int(w.Fd()), int(w.Fd())}
	var out bytes.Buffer
	done := make(chan struct{})
	go func() {
		io.Copy(&out, r)
		close(done)
	}()
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	status, err := Run(opt)
	w.Close()
	<-done
	return out.String(), status, err
}

// Where openat2(2) is missing or forbidden, every path is walked a component
// at a time; what comes of it is the same.
func TestLaunchWithAndWithoutOpenat2(t *testing.T) {
	for _, has := range []bool{true, false} {
		name := map[bool]string{true: "openat2", false: "component by component"}[has]
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "note"), []byte("granted\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, status, err := launched(t, "cat "+dir+"/note; test ! -e /proc/kcore -o ! -s /proc/kcore && echo covered; exit 3", func(h *Host, r *Request, _ *Options) {
				if has && !h.OpenAt2 {
					testenv.Skip(t, "needs openat2(2)")
				}
				h.OpenAt2 = has
				r.Permissions = permissions.Merge(grant(t, "files:"+dir+":read"))
				r.Asked = []string{dir}
			})
			if err != nil || status != 3 || out != "granted\ncovered\n" {
				t.Errorf("status %d, error %v, output %q", status, err, out)
			}
		})
	}
}

func TestLaunchRefusesALinkThatAppearsAfterThePlan(t *testing.T) {
	for _, has := range []bool{true, false} {
		dir := t.TempDir()
		real := filepath.Join(dir, "real")
		secret := t.TempDir()
		if err := os.Mkdir(real, 0o700); err != nil {
			t.Fatal(err)
		}
		out, _, err := launched(t, "echo started", func(h *Host, r *Request, o *Options) {
			h.OpenAt2 = has
			r.Permissions = permissions.Merge(grant(t, "files:"+real+":write"))
			look := h.Look
			h.Look = func(p string) (Found, error) { // the swap, between plan and deed
				f, err := look(p)
				if p == real {
					os.Remove(real)
					os.Symlink(secret, real)
				}
				return f, err
			}
		})
		if err == nil || strings.Contains(out, "started") {
			t.Errorf("openat2 %v: started with a link in place of the directory: %v %q", has, err, out)
		}
	}
}
