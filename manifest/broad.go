package manifest

import (
	"fmt"
	"slices"
	"strings"

	"sandbox/permissions"
)

// lintBroad finds permissions after which the rest of the sandbox hardly
// counts: those that the vocabulary itself rates as dangerous, programs on the
// bus that run anything for their callers, and files that decide what other
// programs do or that hold keys.
func (l *linter) lintBroad() {
	for _, e := range l.m.Permissions {
		if why := danger(e.Permission); why != "" {
			way := "ask for less, or make it optional so that the user is asked when it is needed"
			if e.Optional {
				way = "ask for less"
			}
			l.sayEntry(e, way, "%q is broad: %s", e.Permission.String(), why)
		}
		if why := foreignName(l.m.ID, e.Permission); why != "" {
			l.sayEntry(e, "own names below the id", "%q: %s", e.Permission.String(), why)
		}
	}
}

// danger says what is dangerous about a permission, or "".
func danger(p permissions.Permission) string {
	for _, k := range permissions.Kinds() {
		for _, s := range k.Subjects {
			if k.Name == p.Kind && !s.Pattern && s.Name == p.Subject && s.Risk >= permissions.High {
				return s.Why
			}
		}
	}
	switch p.Kind {
	case permissions.Files:
		return dangerousFiles(p)
	case permissions.SessionBus, permissions.SystemBus:
		return dangerousName(p.Subject)
	case permissions.Env:
		return secretEnv(p.Subject)
	}
	return ""
}

// keyPlaces hold keys, passwords and tokens.
var keyPlaces = []string{"~/.ssh", "~/.gnupg", "~/.aws", "~/.azure", "~/.kube", "~/.docker", "~/.netrc", "~/.pgpass", "~/.password-store",
	"~/.mozilla", "~/.thunderbird", "xdg-data/keyrings", "xdg-config/gcloud", "xdg-config/gh", "xdg-config/google-chrome", "xdg-config/chromium",
	"~/.local/share/keyrings", "~/.config/gcloud", "~/.config/gh", "~/.config/google-chrome", "~/.config/chromium"}

// startPlaces make other programs run something when they are written to.
var startPlaces = []string{"~/.bashrc", "~/.bash_profile", "~/.bash_login", "~/.profile", "~/.bash_logout", "~/.zshrc", "~/.zshenv", "~/.zprofile",
	"~/.pam_environment", "~/.xprofile", "~/.xsession", "~/.config", "~/.local", "~/.local/bin", "~/bin", "~/.local/share", "~/.gitconfig", "~/.vimrc",
	"xdg-config/autostart", "xdg-config/systemd", "xdg-config/environment.d", "xdg-config/fish", "xdg-config/git", "xdg-data/applications", "xdg-data/systemd",
	"xdg-data/dbus-1", "~/.config/autostart", "~/.config/systemd", "~/.config/environment.d", "~/.config/fish", "~/.config/git",
	"~/.local/share/applications", "~/.local/share/systemd", "~/.local/share/dbus-1"}

func dangerousFiles(p permissions.Permission) string {
	if under(p.Subject, keyPlaces) {
		return "keys or passwords lie there"
	}
	if p.Access >= permissions.Write && under(p.Subject, startPlaces) {
		return "what is written there can make other programs run anything"
	}
	return ""
}

// under tells whether path is one of the places or lies below one.
func under(path string, places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		return path == place || strings.HasPrefix(path, place+"/")
	})
}

// openNames are programs on a bus that run commands, hand out files or watch
// the user for anybody who calls them.
var openNames = []struct{ name, why string }{
	{"org.freedesktop.systemd1", "it starts programs outside the sandbox"},
	{"org.freedesktop.Flatpak", "it starts programs outside the sandbox"},
	{"org.freedesktop.impl.portal", "it answers portals in the place of the user"},
	{"org.freedesktop.secrets", "it gives out every password of the keyring; portal:secret keeps one for the application"},
	{"org.gnome.keyring", "it gives out every password of the keyring"},
	{"org.kde.kwalletd5", "it gives out every password of the wallet"},
	{"org.kde.kwalletd6", "it gives out every password of the wallet"},
	{"org.gnome.Shell", "it can run code in the desktop"},
	{"org.kde.KWin", "it can run code in the desktop"},
	{"org.kde.plasmashell", "it can run code in the desktop"},
	{"org.gnome.SettingsDaemon", "it can change what keys start"},
	{"org.gnome.Terminal", "it runs commands outside the sandbox"},
	{"org.kde.konsole", "it runs commands outside the sandbox"},
	{"ca.desrt.dconf", "settings can make other programs run anything"},
	{"org.gtk.vfs", "it reads and writes files outside the sandbox"},
	{"org.freedesktop.FileManager1", "it opens files with programs outside the sandbox"},
	{"org.freedesktop.login1", "it can end sessions and power off"},
	{"org.freedesktop.PolicyKit1", "it decides about rights"},
	{"org.freedesktop.PackageKit", "it installs software"},
	{"org.freedesktop.Accounts", "it changes accounts"},
	{"org.freedesktop.NetworkManager", "it gives out passwords of networks"},
	{"org.freedesktop.UDisks2", "it mounts and writes disks"},
	{"org.a11y.Bus", "it sees and drives the windows of every program"},
	{"org.freedesktop.impl.portal.PermissionStore", "it holds the decisions of the user"},
}

// dangerousName looks at a bus subject such as talk:NAME or talk:PREFIX.*.
func dangerousName(subject string) string {
	level, name, _ := strings.Cut(subject, ":")
	if level == "see" {
		return ""
	}
	name, _, rule := strings.Cut(name, "=")
	prefix, wild := strings.CutSuffix(name, ".*")
	if wild && strings.Count(prefix, ".") < 2 && !rule {
		return fmt.Sprintf("names below %s belong to many programs", prefix)
	}
	for _, open := range openNames {
		if name == open.name || strings.HasPrefix(name, open.name+".") || wild && strings.HasPrefix(open.name, prefix+".") {
			return open.why
		}
	}
	return ""
}

// secretEnv looks at the name of a variable that is passed in.
func secretEnv(name string) string {
	for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL", "PRIVATE_KEY"} {
		if strings.Contains(strings.ToUpper(name), word) {
			return "the variable holds a secret, by its name"
		}
	}
	if slices.Contains(loaderEnv, name) {
		return "the variable makes programs run other code"
	}
	return ""
}

// foreignName speaks up when an application wants to be found under a name
// that is not below its id.
func foreignName(id ID, p permissions.Permission) string {
	name, own := strings.CutPrefix(p.Subject, "own:")
	if !own || p.Kind != permissions.SessionBus && p.Kind != permissions.SystemBus {
		return ""
	}
	name = strings.TrimSuffix(name, ".*")
	for _, prefix := range []string{string(id), "org.mpris.MediaPlayer2." + string(id)} {
		if name == prefix || strings.HasPrefix(name, prefix+".") {
			return ""
		}
	}
	return "others may take it for another program"
}
