package permissions

import (
	"strings"
)

// Risk rates one permission and says why, as a sentence without a full stop.
// It judges the permission alone; what two do together (files and internet)
// is for the caller to see. What cannot be read is rated High.
func Risk(p Permission) (Danger, string) {
	p, err := canonical(p)
	if err != nil {
		return High, "not a permission that is known"
	}
	switch {
	case p.Kind == Files:
		return riskOfFiles(p)
	case p.Kind == Network:
		return riskOfNetwork(p.Subject)
	case p.Kind.isBus():
		return riskOfBus(p)
	case p.Kind == Env:
		return riskOfEnv(p.Subject)
	}
	name := p.Subject
	if p.Kind == Limit {
		name = envName(name)
	}
	s := kindOf(p.Kind).subject(name)
	return s.Risk, s.Why
}

// pattern is the row of a shape.
func (k *KindInfo) pattern(name string) (Danger, string) {
	for _, s := range k.Subjects {
		if s.Name == name {
			return s.Risk, s.Why
		}
	}
	return High, ""
}

// Paths below the home that hold secrets, or make other programs run what is
// written there.
var (
	secretPaths = [...]string{
		".ssh", ".gnupg", ".password-store", ".local/share/keyrings", ".aws", ".azure", ".kube", ".docker", ".netrc",
		".git-credentials", ".config/gh", ".config/gcloud", ".mozilla", ".thunderbird", ".config/chromium", ".config/google-chrome",
		".local/share/kwalletd", ".bash_history", ".zsh_history", ".pki", ".npmrc", ".pypirc", ".config/rclone",
	}
	startPaths = [...]string{
		".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin",
		".inputrc", ".xinitrc", ".xprofile", ".xsession", ".xsessionrc", ".config/autostart", ".config/systemd", ".config/environment.d", ".config/fish",
		".config/plasma-workspace", ".local/bin", "bin", ".local/share/applications", ".local/share/dbus-1", ".local/share/systemd",
		".config/git", ".gitconfig", ".vimrc", ".vim", ".config/nvim", ".emacs", ".emacs.d", ".config/emacs", ".tmux.conf", ".config/tmux",
		".config/sandbox", ".local/share/sandbox", ".config/user-dirs.dirs",
	}
)

func riskOfFiles(p Permission) (Danger, string) {
	files := kindOf(Files)
	root, rest, _ := strings.Cut(p.Subject, "/")
	if s := files.subject(p.Subject); s != nil {
		return s.Risk, s.Why
	}
	switch root {
	case "~":
		return riskInHome(rest, p.Access)
	case "xdg-config":
		return riskInHome(".config/"+rest, p.Access)
	case "xdg-data":
		return riskInHome(".local/share/"+rest, p.Access)
	case "":
		return riskOfAbsolute(p)
	}
	s := files.subject(root)
	if s.Risk == High { // one program's part of what belongs to all
		return Medium, "the files of another program"
	}
	return s.Risk, s.Why
}

func riskInHome(path string, a Access) (Danger, string) {
	for _, secret := range secretPaths {
		if within(secret, path) || within(path, secret) {
			return High, "keys, passwords or private history lie there"
		}
	}
	for _, start := range startPaths {
		if within(start, path) || within(path, start) {
			if a >= Write {
				return High, "other programs run what is written there"
			}
			return Medium, "settings of other programs"
		}
	}
	if strings.HasPrefix(path, ".") {
		if a >= Write {
			return High, "settings and data of other programs can be changed"
		}
		return Medium, "settings and data of other programs"
	}
	return kindOf(Files).pattern("~/PATH")
}

func riskOfAbsolute(p Permission) (Danger, string) {
	names := strings.Split(p.Subject[1:], "/")
	switch {
	case names[0] == "home" && len(names) <= 2:
		return High, "the whole home of a user"
	case names[0] == "home":
		return riskInHome(strings.Join(names[2:], "/"), p.Access)
	case names[0] == "root" && len(names) == 1:
		return High, "the home of the administrator"
	case names[0] == "root":
		return riskInHome(strings.Join(names[1:], "/"), p.Access)
	case names[0] == "boot", names[0] == "efi":
		return High, "the system starts from there"
	case p.Subject == "/var" || p.Subject == "/opt" || p.Subject == "/tmp" || p.Subject == "/srv" || p.Subject == "/mnt" || p.Subject == "/media":
		return High, "a whole tree that many programs use"
	case names[0] == "tmp" && p.Access >= Write:
		return Medium, "other programs meet in the temporary files"
	}
	return kindOf(Files).pattern("/PATH")
}

func riskOfNetwork(subject string) (Danger, string) {
	network := kindOf(Network)
	if s := network.subject(subject); s != nil {
		return s.Risk, s.Why
	}
	n, _ := parseNetwork(subject)
	switch {
	case n.name != "" && lanName(n.name):
		return Medium, "a device of the local network"
	case n.below:
		return network.pattern("*.DOMAIN[:PORT]")
	case n.name != "":
		return network.pattern("HOST[:PORT]")
	case n.prefix.IsSingleIP() && reachOf(n.prefix.Addr()) == reachSpecial:
		return High, "an address that is neither of the local network nor of the internet; some give credentials to whoever asks"
	case n.prefix.IsSingleIP():
		return network.pattern("ADDRESS[:PORT]")
	}
	return network.pattern("CIDR[:PORT]")
}

// Bus names whose owners start programs, change the system or hold secrets
// for whoever asks them.
var powerfulNames = [...]string{
	"org.freedesktop.systemd1", "org.freedesktop.login1", "org.freedesktop.PolicyKit1", "org.freedesktop.PackageKit", "org.freedesktop.UDisks2",
	"org.freedesktop.Flatpak", "org.freedesktop.secrets", "org.freedesktop.impl.portal.PermissionStore", "org.freedesktop.Accounts", "org.freedesktop.home1",
	"org.freedesktop.machine1", "org.freedesktop.portable1", "org.freedesktop.NetworkManager", "org.gnome.keyring", "org.gnome.Shell", "org.gnome.SettingsDaemon",
	"org.gnome.SessionManager", "org.gnome.Terminal", "org.gnome.Mutter", "org.kde.KWin", "org.kde.kwalletd5", "org.kde.kwalletd6", "org.kde.klauncher",
	"org.kde.plasmashell", "org.a11y.Bus", "ca.desrt.dconf", "org.gtk.vfs", "org.freedesktop.Tracker3", "org.bluez", "fi.w1.wpa_supplicant1",
}

func riskOfBus(p Permission) (Danger, string) {
	b, _ := parseBusSubject(p.Subject)
	row := b.level.String() + ":NAME"
	if b.level == BusCall {
		row = "call:NAME=IFACE.MEMBER[@/PATH]"
	}
	if b.level > BusSee {
		for _, n := range powerfulNames {
			if b.name == n || strings.HasPrefix(b.name, n+".") || b.prefix && strings.HasPrefix(n, b.name+".") {
				return High, "the program behind " + n + " can start programs, change the system or give out secrets"
			}
		}
		if b.prefix && strings.Count(b.name, ".") == 1 {
			return High, "many programs have names below " + b.name
		}
	}
	return kindOf(p.Kind).pattern(row)
}

var secretWords = [...]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"}

func riskOfEnv(subject string) (Danger, string) {
	name, _, fixed := strings.Cut(subject, "=")
	if fixed {
		return kindOf(Env).pattern("NAME=VALUE")
	}
	upper := strings.ToUpper(name)
	for _, w := range secretWords {
		if strings.Contains(upper, w) {
			return High, "by its name the variable holds a secret"
		}
	}
	switch upper {
	case "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "XAUTHORITY", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT":
		return Medium, "the variable leads to parts of the host that are not there inside"
	}
	return kindOf(Env).pattern("NAME")
}
