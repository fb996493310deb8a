package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckRefuses(t *testing.T) {
	in := func(dir, name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string // "" when accepted
	}{
		{"as built", func(*testing.T, string) {}, ""},
		{"usr beside files", func(t *testing.T, dir string) { write(t, in(dir, "usr/bin/x"), "", 0o755) }, ""},
		{"case collision is a warning", func(t *testing.T, dir string) { write(t, in(dir, "files/bin/TOOL"), "", 0o755) }, ""},
		{"files is a link", func(t *testing.T, dir string) {
			os.Rename(in(dir, "files"), in(dir, "usr"))
			os.Symlink("usr", in(dir, "files"))
		}, "no place at the top"},
		{"usr is a link to the host", func(t *testing.T, dir string) { os.Symlink("/usr", in(dir, "usr")) }, "no place at the top"},
		{"usr is a file", func(t *testing.T, dir string) { write(t, in(dir, "usr"), "", 0o644) }, "no place at the top"},
		{"manifest is a link", func(t *testing.T, dir string) {
			os.Rename(in(dir, "sandbox.toml"), in(dir, "files/s"))
			os.Symlink("files/s", in(dir, "sandbox.toml"))
		}, "sandbox.toml"},
		{"manifest is a FIFO", func(t *testing.T, dir string) {
			os.Remove(in(dir, "sandbox.toml"))
			syscall.Mkfifo(in(dir, "sandbox.toml"), 0o644)
		}, "no regular file"},
		{"no files", func(t *testing.T, dir string) { os.RemoveAll(in(dir, "files")) }, "missing"},
		{"more at the top", func(t *testing.T, dir string) { write(t, in(dir, ".git/config"), "", 0o644) }, "no place at the top"},
		{"link to the host", func(t *testing.T, dir string) { os.Symlink("/etc/shadow", in(dir, "files/icon.png")) }, "outside the bundle"},
		{"link above the top", func(t *testing.T, dir string) { os.Symlink("../../../etc/shadow", in(dir, "files/icon.png")) }, "out of the bundle"},
		{"FIFO", func(t *testing.T, dir string) { syscall.Mkfifo(in(dir, "files/pipe"), 0o644) }, "cannot hold"},
		{"socket", func(t *testing.T, dir string) {
			fd, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			defer unix.Close(fd)
			t.Chdir(in(dir, "files")) // the whole path may be too long for a socket
			if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "s"}); err != nil {
				t.Fatal(err)
			}
		}, "cannot hold"},
		{"setuid", func(t *testing.T, dir string) { os.Chmod(in(dir, "files/bin/tool"), 0o755|os.ModeSetuid) }, "mode"},
		{"writable by all", func(t *testing.T, dir string) { os.Chmod(in(dir, "files/bin/tool"), 0o777) }, "mode"},
		{"directory writable by all", func(t *testing.T, dir string) { os.Chmod(in(dir, "files/bin"), 0o777|os.ModeSticky) }, "mode"},
		{"control character", func(t *testing.T, dir string) { write(t, in(dir, "files/a\x1b[2J"), "", 0o644) }, "control character"},
		{"extended attribute", func(t *testing.T, dir string) {
			if err := unix.Setxattr(in(dir, "files/bin/tool"), "user.overlay.opaque", []byte("y"), 0); err != nil {
				t.Skip("needs a file system with user attributes:", err)
			}
		}, "extended attribute"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := project(t, dirSource, map[string]string{"root/bin/tool*": "tool"})
			res := mustBuild(t, Options{Dir: dir})
			c.change(t, res.Dir)
			info, err := Check(res.Dir)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %+v, %v, want a refusal with %q", info, err, c.want)
			}
			if strings.Contains(c.name, "collision") && (info == nil || len(info.Warnings) != 1) {
				t.Errorf("no warning: %+v", info)
			}
		})
	}
}

func TestCheckReportsAllProblems(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "tool"})
	res := mustBuild(t, Options{Dir: dir})
	for _, name := range []string{"a", "b"} {
		os.Symlink("/etc/shadow", filepath.Join(res.Dir, "files", name))
	}
	_, err := Check(res.Dir)
	if err == nil || !strings.Contains(err.Error(), "files/a") || !strings.Contains(err.Error(), "files/b") {
		t.Errorf("got %v", err)
	}
}
