package runtime

import "path"

// guarded is a path below the user's home that a wide grant does not open: an
// app that may write to your home may still not put code where your session
// runs it, nor read your keys. A grant that names the path itself does open it.
type guarded struct {
	rel  string
	hide bool // keep it unseen; otherwise it is shown read-only
	file bool
	// When an app may write beside it and it does not exist, it is made, for
	// what does not exist cannot be covered. Content and mode are such that the
	// session behaves as without it.
	content string
	mode    uint32
}

const sourceProfile = `# Made by sandbox, so that an app with access to this directory cannot.
# It does what bash does without this file.
if [ -f ~/.profile ]; then . ~/.profile; fi
`

const defaultXinit = `#!/bin/sh
# Made by sandbox, so that an app with access to this directory cannot.
# It does what startx does without this file.
exec /bin/sh /etc/X11/xinit/xinitrc
`

// guardedHome is the table, keys first, then what is run by shells, sessions
// and tools that every account has. A missing file of mode 0 is one that its
// reader passes over when it cannot be read.
var guardedHome = []guarded{
	{rel: ".ssh", hide: true},
	{rel: ".gnupg", hide: true},
	{rel: ".password-store", hide: true},
	{rel: ".aws", hide: true},
	{rel: ".azure", hide: true},
	{rel: ".kube", hide: true},
	{rel: ".docker", hide: true},
	{rel: ".netrc", hide: true, file: true, mode: 0o600},
	{rel: ".git-credentials", hide: true, file: true, mode: 0o600},
	{rel: ".config/gcloud", hide: true},
	{rel: ".config/gh", hide: true},
	{rel: ".local/share/keyrings", hide: true},
	{rel: ".local/share/kwalletd", hide: true},
	{rel: ".bash_history", hide: true, file: true, mode: 0o600},

	{rel: ".profile", file: true, mode: 0o644},
	{rel: ".bash_profile", file: true, mode: 0o644, content: sourceProfile},
	{rel: ".bash_login", file: true, mode: 0o644, content: sourceProfile},
	{rel: ".bash_logout", file: true, mode: 0o644},
	{rel: ".bash_aliases", file: true, mode: 0o644},
	{rel: ".bashrc", file: true, mode: 0o644},
	{rel: ".zshenv", file: true, mode: 0o644},
	{rel: ".zprofile", file: true, mode: 0o644},
	{rel: ".zshrc", file: true, mode: 0o644},
	{rel: ".zlogin", file: true, mode: 0o644},
	{rel: ".zlogout", file: true, mode: 0o644},
	{rel: ".kshrc", file: true, mode: 0o644},
	{rel: ".mkshrc", file: true, mode: 0o644},
	{rel: ".cshrc", file: true, mode: 0o644},
	{rel: ".login", file: true, mode: 0o644},
	{rel: ".logout", file: true, mode: 0o644},
	{rel: ".config/fish"},
	{rel: ".xprofile", file: true, mode: 0o644},
	{rel: ".xsessionrc", file: true, mode: 0o644},
	{rel: ".xsession", file: true, mode: 0},
	{rel: ".Xsession", file: true, mode: 0},
	{rel: ".xinitrc", file: true, mode: 0o644, content: defaultXinit},
	{rel: ".pam_environment", file: true, mode: 0o644},
	{rel: ".gitconfig", file: true, mode: 0o644},
	{rel: ".config/git"},
	{rel: ".config/systemd"},
	{rel: ".config/autostart"},
	{rel: ".config/autostart-scripts"},
	{rel: ".config/plasma-workspace"},
	{rel: ".config/environment.d"},
	{rel: ".local/bin"},
	{rel: "bin"},
	{rel: ".local/share/applications"},
	{rel: ".local/share/dbus-1"},
	{rel: ".local/share/systemd"},
	{rel: ".local/share/flatpak"},
}

// ownState are the project's own directories. No grant of any kind opens them:
// an app that could write there would decide its own permissions.
func ownState(host *Host) []string {
	var out []string
	for _, dir := range []string{host.Dirs.Data, host.Dirs.Config, host.Dirs.Cache, host.Dirs.Runtime} {
		if dir != "" {
			out = append(out, dir)
		}
	}
	return out
}

// reserved are trees that mean something else inside, or never go inside.
var reserved = []string{"/proc", "/sys", "/dev", "/run", "/app", "/boot", "/efi", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// isReserved reports whether a place, with all links resolved, can be granted
// by no path. Removable media under /run/media are the exception people expect.
func isReserved(p string) bool {
	if p == "/" {
		return true
	}
	if below(p, "/run/media") && p != "/run/media" {
		return false
	}
	for _, r := range reserved {
		if below(p, r) {
			return true
		}
	}
	return false
}

// below reports whether p is dir or lies in it. Both are clean and absolute.
func below(p, dir string) bool {
	if dir == "/" || p == dir {
		return true
	}
	return len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/'
}

// rebase moves p from under one directory to under another.
func rebase(p, from, to string) string { return path.Join(to, p[len(from):]) }
