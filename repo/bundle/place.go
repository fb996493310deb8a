package bundle

import (
	"path"
	"strings"
)

// Where the files of a Debian package go. /usr is merged, /etc becomes
// /usr/etc (the launcher links its entries into the generated /etc), and the
// rest of the root has no meaning without a running system.

// mergedDirs are links into /usr on every Debian since 12.
var mergedDirs = map[string]bool{"bin": true, "sbin": true, "lib": true, "lib32": true, "lib64": true, "libx32": true}

// unused are places below /usr that only a running system, a package manager
// or a maintainer reads.
var unused = []string{
	"etc/alternatives", "etc/apt", "etc/cron.d", "etc/cron.daily", "etc/cron.hourly", "etc/cron.monthly", "etc/cron.weekly",
	"etc/cron.yearly", "etc/dpkg", "etc/init", "etc/init.d", "etc/kernel", "etc/logrotate.d", "etc/pam.d", "etc/rc0.d", "etc/rc1.d",
	"etc/rc2.d", "etc/rc3.d", "etc/rc4.d", "etc/rc5.d", "etc/rc6.d", "etc/rcS.d", "etc/sysctl.conf", "etc/sysctl.d",
	"etc/systemd", "etc/udev", "etc/update-motd.d",
	"lib/modprobe.d", "lib/modules-load.d", "lib/sysctl.d", "lib/systemd", "lib/sysusers.d", "lib/tmpfiles.d", "lib/udev",
	"share/bug", "share/doc-base", "share/initramfs-tools", "share/lintian", "share/menu",
}

// moved gives the place below /usr of a clean path of a package, and "" for a
// path that a bundle does without. "." stands for /usr itself.
func moved(p string) string {
	top, rest, _ := strings.Cut(p, "/")
	switch {
	case top == "usr" && rest == "":
		return "."
	case top == "usr":
		p = rest
	case !mergedDirs[top] && top != "etc":
		return ""
	}
	for _, u := range unused {
		if p == u || strings.HasPrefix(p, u+"/") {
			return ""
		}
	}
	return p
}

// wanted tells whether a file or link at a moved path is kept. Of the
// documentation that is the copyright, which the licences ask to be passed on;
// a runtime does without manual pages, which are read outside or in an app
// that brings its own.
func wanted(p string, isRuntime bool) bool {
	if rest, ok := strings.CutPrefix(p, "share/doc/"); ok {
		return strings.HasSuffix(rest, "/copyright") || !strings.Contains(rest, "/")
	}
	if isRuntime {
		for _, d := range []string{"share/man/", "share/info/", "share/locale/", "share/doc-base/"} {
			if strings.HasPrefix(p, d) {
				return false
			}
		}
	}
	return true
}

// movedTarget rewrites the target of a link that stood at p in the package,
// so that it leads to the same file after the move. "" means that the target
// is not in a bundle.
func movedTarget(p, target string) string {
	full := target
	if !path.IsAbs(target) {
		full = path.Join("/", path.Dir(p), target)
	}
	full = strings.TrimPrefix(path.Clean(full), "/")
	if full == "" {
		return ""
	}
	to := moved(full)
	if to == "" {
		return ""
	}
	if path.IsAbs(target) {
		return path.Join("/usr", to)
	}
	return relative(path.Dir(moved(p)), to)
}

// relative is the shortest way from directory dir to p, both below one root.
func relative(dir, p string) string {
	if p == "." {
		p = ""
	}
	var from []string
	if dir != "." {
		from = strings.Split(dir, "/")
	}
	to := strings.Split(p, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	rel := path.Join(strings.Repeat("../", len(from)), strings.Join(to, "/"))
	if rel == "" {
		return "."
	}
	return rel
}
