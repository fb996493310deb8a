package manifest

import "slices"

// systemCommands are names that people and scripts type expecting a program of
// the system, above all where a password or a decision follows.
var systemCommands = []string{
	"[", "apt", "apt-get", "awk", "bash", "bwrap", "cat", "cd", "chmod", "chown", "chroot", "cp", "crontab", "curl", "dash", "dd",
	"df", "diff", "dnf", "doas", "docker", "dpkg", "du", "echo", "ed", "env", "exit", "file", "find", "fish", "flatpak", "fusermount",
	"fusermount3", "getent", "gpg", "gpg2", "grep", "groups", "gunzip", "gzip", "head", "hostname", "id", "ifconfig", "install",
	"ip", "iptables", "journalctl", "kill", "killall", "ldd", "less", "ln", "login", "logout", "ls", "lsblk", "make", "man", "mkdir",
	"mkfs", "mktemp", "more", "mount", "mv", "newgrp", "nft", "nsenter", "pacman", "passwd", "pinentry", "ping", "pkexec", "pkill",
	"podman", "poweroff", "printf", "ps", "pwd", "reboot", "rm", "rmdir", "rpm", "rsync", "runc", "scp", "sed", "setpriv", "sftp",
	"sh", "shutdown", "sleep", "snap", "sort", "ss", "ssh", "ssh-add", "ssh-agent", "ssh-askpass", "ssh-keygen", "stat", "su", "sudo",
	"sudoedit", "systemctl", "systemd-run", "tail", "tar", "tee", "test", "top", "touch", "true", "umount", "unshare", "useradd",
	"usermod", "visudo", "wget", "which", "xargs", "xdg-open", "yum", "zsh",
}

// Shadows tells whether a command of this name in PATH would stand in for a
// program of the system.
func Shadows(name string) bool {
	_, found := slices.BinarySearch(systemCommands, name)
	return found
}
