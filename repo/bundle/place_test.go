package bundle

import (
	"reflect"
	"testing"
)

func TestMoved(t *testing.T) {
	for in, want := range map[string]string{
		"usr/bin/nano":               "bin/nano",
		"bin/bash":                   "bin/bash",
		"lib64/ld-linux-x86-64.so.2": "lib64/ld-linux-x86-64.so.2",
		"etc/nanorc":                 "etc/nanorc",
		"usr":                        ".",
		"var/lib/x":                  "",
		"opt/x":                      "",
		"etc/init.d/x":               "",
		"etc/init.dx":                "etc/init.dx",
		"lib/systemd/system/x":       "",
		"usr/lib/udev/rules.d/x":     "",
	} {
		if got := moved(in); got != want {
			t.Errorf("moved(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMovedTarget(t *testing.T) {
	for _, c := range []struct{ name, at, target, want string }{
		{"beside it", "usr/lib/libz.so.1", "libz.so.1.2.13", "libz.so.1.2.13"},
		{"from lib64 to lib", "lib64/ld.so", "/lib/x86_64-linux-gnu/ld.so", "/usr/lib/x86_64-linux-gnu/ld.so"},
		{"across the merged root", "bin/x", "../usr/share/x", "../share/x"},
		{"from etc into usr", "etc/os-release", "../usr/lib/os-release", "../lib/os-release"},
		{"from usr into etc", "usr/share/vim/vimrc", "/etc/vim/vimrc", "/usr/etc/vim/vimrc"},
		{"relative into etc", "usr/lib/ssl/certs", "../../../etc/ssl/certs", "../../etc/ssl/certs"},
		{"to another root", "usr/x", "/var/lib/x", ""},
		{"to a device", "etc/x", "/dev/null", ""},
		{"above the root", "usr/x", "../../../bin/y", "bin/y"},
		{"the root", "usr/x", "/", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := movedTarget(c.at, c.target); got != c.want {
				t.Errorf("movedTarget(%q, %q) = %q, want %q", c.at, c.target, got, c.want)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		path         string
		app, runtime bool
	}{
		{"bin/nano", true, true},
		{"share/doc/nano/copyright", true, true},
		{"share/doc/nano/changelog.gz", false, false},
		{"share/doc/libncursesw6", true, true},
		{"share/man/man1/nano.1.gz", true, false},
		{"share/locale/de/LC_MESSAGES/nano.mo", true, false},
	} {
		if wanted(c.path, false) != c.app || wanted(c.path, true) != c.runtime {
			t.Errorf("%s: kept in an app %v, in a runtime %v", c.path, wanted(c.path, false), wanted(c.path, true))
		}
	}
}

func TestParseAlternatives(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []alternative
	}{
		{"with a slave on a continued line", "if true; then\n  update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n    --slave /usr/bin/nawk nawk /usr/bin/mawk\nfi\n",
			[]alternative{{"/usr/bin/awk", "/usr/bin/mawk", 5}, {"/usr/bin/nawk", "/usr/bin/mawk", 5}}},
		{"quiet", "update-alternatives --quiet --install /usr/bin/pager pager /usr/bin/less 77\n", []alternative{{"/usr/bin/pager", "/usr/bin/less", 77}}},
		{"variables are passed over", "update-alternatives --install \"$BIN\"/x x \"$BIN\"/x.y 5\n", nil},
		{"removal", "update-alternatives --remove w /usr/bin/w.procps\n", nil},
		{"substitution", "update-alternatives --install /usr/bin/x x `id` 5\n", nil},
		{"cut off", "update-alternatives --install /usr/bin/x x\n", nil},
		{"slave alone", "update-alternatives --slave /a b /c\n", nil},
		{"priority that is none", "update-alternatives --install /usr/bin/x x /y high\n", nil},
		{"in a comment", "# update-alternatives --install /usr/bin/x x /y 5\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseAlternatives(c.script); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestChooseAlternatives(t *testing.T) {
	all := []alternative{{"/usr/bin/vi", "/b", 10}, {"/usr/bin/vi", "/gone", 99}, {"/usr/bin/vi", "/a", 10}, {"/usr/bin/vi", "/low", 1}}
	got := chooseAlternatives(all, func(target string) bool { return target != "/gone" })
	if len(got) != 1 || got[0].target != "/a" {
		t.Errorf("got %v", got)
	}
}
