package runtime

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Settings of the kernel that take user namespaces away.
const (
	sysctlClone    = "kernel.unprivileged_userns_clone" // a patch of Debian, Arch and others
	sysctlMaxUser  = "user.max_user_namespaces"
	sysctlAppArmor = "kernel.apparmor_restrict_unprivileged_userns"
	sysctlTIOCSTI  = "dev.tty.legacy_tiocsti"
	sysctlYama     = "kernel.yama.ptrace_scope"
)

const noApp = "no app can run: everything else is built inside a user namespace"

// userNamespaces judges the one thing that a launch cannot do without, and
// says what took it away.
func (f *Facts) userNamespaces() []Finding {
	v := Finding{ID: "user-namespaces", Group: Isolation, Title: "user namespaces", State: Good, Text: "you may make them"}
	t := f.Trials[tryUser]
	if !t.OK() {
		v.State, v.Cost = Missing, noApp
		v.Text, v.Fix = f.blame(t)
		return []Finding{v}
	}
	out := []Finding{v}
	if t := f.Trials[trySpaces]; t.failed() {
		text, fix := f.blame(t)
		out = append(out, Finding{ID: "namespaces", Group: Isolation, Title: "other namespaces", State: Missing,
			Text: text, Cost: "no app can run", Fix: fix})
	} else if t.Ran {
		out = append(out, Finding{ID: "namespaces", Group: Isolation, Title: "other namespaces", State: Good,
			Text: "mount, pid, network, ipc, uts, cgroup"})
	}
	if t := f.Trials[tryOwners]; t.failed() {
		out = append(out, Finding{ID: "owners", Group: Isolation, Title: "owners for root's apps", State: Missing,
			Text: fmt.Sprintf("ids from %d up cannot be used here (%v)", rootOwnersFirst, t.Errno),
			Cost: "apps started by root cannot run: they never run as uid 0, but as ids of their own",
			Fix:  &Fix{Text: "run apps as an ordinary user" + f.orMapMore()}})
	}
	return out
}

func (f *Facts) orMapMore() string {
	if f.Container == "" {
		return ""
	}
	return ", or give the container all ids of the host"
}

// blame says by what a namespace was refused, and how to lift it.
func (f *Facts) blame(t Trial) (string, *Fix) {
	switch t.Errno {
	case unix.EINVAL:
		return "this kernel was built without them (CONFIG_USER_NS and its kin)", &Fix{Text: "start a kernel of your distribution's"}
	case unix.ENOSPC, unix.EUSERS:
		return f.blameCount(t)
	case unix.ENOSYS:
		if !f.atLeast(5, 3) {
			return "this kernel lacks clone3(2)", f.newerKernel()
		}
		return "a seccomp filter around this session refuses clone3(2)", f.openContainer()
	}
	return f.blameRefusal(t)
}

func (f *Facts) blameCount(t Trial) (string, *Fix) {
	if f.Sysctl[sysctlMaxUser] == "0" {
		return "switched off: " + sysctlMaxUser + " is 0", f.sysctl(sysctlMaxUser, "15000")
	}
	var none []string
	for key, value := range f.Sysctl {
		if value == "0" && strings.HasPrefix(key, "user.max_") && strings.HasSuffix(key, "_namespaces") {
			none = append(none, key)
		}
	}
	if len(none) > 0 {
		slices.Sort(none)
		return "switched off: " + strings.Join(none, ", ") + " is 0", f.sysctl(none[0], "15000")
	}
	return fmt.Sprintf("as many as may be exist already (%v)", t.Errno),
		&Fix{Text: "end what made them, or raise user.max_*_namespaces; a sandbox inside a sandbox is refused this way too"}
}

// blameRefusal is for EPERM and EACCES, which everything that can forbid
// namespaces answers. The order is from what is certain to what is likely.
func (f *Facts) blameRefusal(t Trial) (string, *Fix) {
	switch {
	case f.Sysctl[sysctlClone] == "0" && f.UID != 0:
		return "switched off for ordinary users: " + sysctlClone + " is 0", f.sysctl(sysctlClone, "1")
	case f.Sysctl[sysctlMaxUser] == "0":
		return "switched off: " + sysctlMaxUser + " is 0", f.sysctl(sysctlMaxUser, "15000")
	case f.Chroot:
		return "this session is inside a chroot, where the kernel allows none",
			&Fix{Text: "start from outside of it, or enter the tree by pivot_root(2), as systemd-nspawn and bwrap do"}
	case f.Sysctl[sysctlAppArmor] == "1" && f.UID != 0:
		return "AppArmor refuses them to programs without a profile (" + sysctlAppArmor + " is 1)", f.appArmor()
	case f.Container != "":
		return fmt.Sprintf("the %s container around this session refuses them (cannot %s: %v)", f.Container, t.Step, t.Errno), f.openContainer()
	case f.Filtered:
		return fmt.Sprintf("a seccomp filter around this session refuses them (cannot %s: %v)", t.Step, t.Errno),
			&Fix{Text: "for a service, set RestrictNamespaces=no and allow @mount in SystemCallFilter="}
	case f.Enforcing:
		return fmt.Sprintf("SELinux most likely refuses them (cannot %s: %v)", t.Step, t.Errno),
			&Fix{Text: "see what it refused; a module that audit2allow makes of it lifts that", Commands: []string{f.sudo() + "ausearch -m avc -ts recent"}}
	}
	text := fmt.Sprintf("refused (cannot %s: %v)", t.Step, t.Errno)
	if len(f.LSMs) > 0 {
		text += "; security modules here: " + strings.Join(f.LSMs, ", ")
	}
	return text, &Fix{Text: "look for the refusal in the kernel's log", Commands: []string{f.sudo() + "dmesg | tail"}}
}

// appArmor is the profile that Ubuntu 23.10 and later want to see. It confines
// nothing: it only names the programs that may make user namespaces.
func (f *Facts) appArmor() *Fix {
	const file = "/etc/apparmor.d/sandbox"
	return &Fix{
		Text:     "write this profile and load it",
		File:     file,
		Content:  appArmorProfile(f.Program),
		Commands: []string{f.sudo() + "apparmor_parser -r " + file},
	}
}

// appArmorProfile is for the launcher at path and the program beside it that
// examines the machine.
func appArmorProfile(path string) string {
	return "abi <abi/4.0>,\ninclude <tunables/global>\n\n" +
		"profile sandbox " + appArmorPath(path) + " flags=(unconfined) {\n  userns,\n\n  include if exists <local/sandbox>\n}\n"
}

// appArmorPath quotes what has a meaning in a path expression (apparmor.d(5)).
func appArmorPath(path string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`,
		"{", `\{`, "}", `\}`, "^", `\^`, "@", `\@`).Replace(path)
	return `"` + quoted + `{,-tool}"`
}

// openContainer is what the engine around this session must be told. Each of
// these widens what the container itself may do.
func (f *Facts) openContainer() *Fix {
	const costs = "; this opens the container itself wider, so do it where you trust what else runs in it"
	switch f.Container {
	case "sandbox":
		return &Fix{Text: "start apps from outside of this sandbox"}
	case "docker":
		return &Fix{Text: "start the container with these options" + costs, Commands: []string{
			`docker run --security-opt seccomp=unconfined \`,
			`  --security-opt apparmor=unconfined --security-opt systempaths=unconfined …`}}
	case "podman":
		return &Fix{Text: "start the container with these options" + costs, Commands: []string{
			`podman run --security-opt seccomp=unconfined --security-opt unmask=ALL …`}}
	case "kubernetes":
		return &Fix{Text: "set in the pod's securityContext: procMount: Unmasked and seccompProfile: {type: Unconfined}" + costs}
	case "lxc":
		return &Fix{Text: "allow nesting" + costs, Commands: []string{"incus config set NAME security.nesting=true"}}
	case "systemd-nspawn":
		return &Fix{Text: "start the container with its own ids and more calls" + costs, Commands: []string{
			"systemd-nspawn --private-users=pick --system-call-filter='@mount clone3' …"}}
	}
	return &Fix{Text: "allow clone3, unshare, mount and their kin in the filter or container around this session, and leave its /proc unmasked" + costs}
}
