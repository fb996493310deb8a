package runtime

import (
	"path"
	"slices"
)

// guarded is a path below the user's home that a wide grant does not open: an
// app that may write to your home may still not put code where your session
// runs it, nor read your keys. A grant that names the path itself does open it.
type guarded struct {
	rel  string
	hide bool // keep it unseen; otherwise it is shown read-only
	file bool

	// make says that it is made when an app may write beside it and it does not
	// exist, for what does not exist cannot be covered; of is the program or
	// place without which nothing would run it. Content and mode are such that
	// the session behaves as without it: a file of mode 0 is one that its reader
	// passes over when it cannot be read.
	make    bool
	of      string
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

// guardedHome is the table: keys first, then what is run by the shells,
// sessions and tools that an account has.
var guardedHome = []guarded{
	{rel: ".ssh", hide: true, make: true},
	{rel: ".gnupg", hide: true, make: true, of: "/usr/bin/gpg"},
	{rel: ".password-store", hide: true},
	{rel: ".aws", hide: true},
	{rel: ".azure", hide: true},
	{rel: ".kube", hide: true},
	{rel: ".docker", hide: true},
	{rel: ".netrc", hide: true, file: true},
	{rel: ".git-credentials", hide: true, file: true},
	{rel: ".config/gcloud", hide: true},
	{rel: ".config/gh", hide: true},
	{rel: ".local/share/keyrings", hide: true},
	{rel: ".local/share/kwalletd", hide: true},
	{rel: ".bash_history", hide: true, file: true},
	{rel: ".zsh_history", hide: true, file: true},

	startup(".profile", ""),
	{rel: ".bash_profile", file: true, make: true, of: "/bin/bash", mode: 0o644, content: sourceProfile},
	{rel: ".bash_login", file: true, make: true, of: "/bin/bash", mode: 0o644, content: sourceProfile},
	startup(".bash_logout", "/bin/bash"),
	startup(".bash_aliases", "/bin/bash"),
	startup(".bashrc", "/bin/bash"),
	startup(".zshenv", "/bin/zsh"),
	startup(".zprofile", "/bin/zsh"),
	startup(".zshrc", "/bin/zsh"),
	startup(".zlogin", "/bin/zsh"),
	startup(".zlogout", "/bin/zsh"),
	startup(".kshrc", "/bin/ksh"),
	startup(".mkshrc", "/bin/mksh"),
	startup(".cshrc", "/bin/csh"),
	startup(".tcshrc", "/bin/tcsh"),
	startup(".login", "/bin/csh"),
	startup(".logout", "/bin/csh"),
	{rel: ".config/fish", make: true, of: "/usr/bin/fish"},
	startup(".xprofile", "/etc/X11"),
	startup(".xsessionrc", "/etc/X11/Xsession"),
	{rel: ".xsession", file: true, make: true, of: "/etc/X11/Xsession"},
	{rel: ".Xsession", file: true, make: true, of: "/etc/X11/Xsession"},
	{rel: ".xinitrc", file: true, make: true, of: "/etc/X11/xinit/xinitrc", mode: 0o644, content: defaultXinit},
	startup(".pam_environment", "/etc/pam.d"),
	startup(".gitconfig", "/usr/bin/git"),
	{rel: ".config/git", make: true, of: "/usr/bin/git"},
	{rel: ".config/systemd", make: true},
	{rel: ".config/autostart", make: true},
	{rel: ".config/autostart-scripts"},
	{rel: ".config/plasma-workspace"},
	{rel: ".config/environment.d", make: true},
	startup(".config/user-dirs.dirs", ""), // says where xdg- permissions lead
	{rel: ".local/bin", make: true},
	{rel: "bin", make: true},
	{rel: ".local/share/applications", make: true},
	{rel: ".local/share/dbus-1", make: true},
	{rel: ".local/share/systemd", make: true},
	{rel: ".local/share/flatpak"},
}

// startup is a file that means nothing when it is empty.
func startup(rel, of string) guarded {
	return guarded{rel: rel, file: true, make: true, of: of, mode: 0o644}
}

// ownState are the project's own directories. No grant of any kind opens them:
// an app that could write there would decide its own permissions.
func ownState(host *Host) []string {
	var out []string
	dirs := append([]string{host.Dirs.Data, host.Dirs.Config, host.Dirs.Cache}, registryBases(host)...)
	for i, dir := range dirs {
		// What lies in another of them is hidden with that one.
		within := func(other string) bool { return other != "" && other != dir && below(dir, other) }
		if dir != "" && !slices.Contains(dirs[:i], dir) && !slices.ContainsFunc(dirs, within) {
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
