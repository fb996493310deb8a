package runtime

import (
	"fmt"
	"slices"
	"strings"
)

// walls judges what stands behind the namespaces.
func (f *Facts) walls() []Finding {
	var out []Finding
	if t := f.Trials[tryFilter]; t.Ran {
		v := Finding{ID: "seccomp", Group: Isolation, Title: "system call filter", State: Good, Text: "loads, for " + f.Arch}
		if t.failed() {
			v.State, v.Cost = Missing, "no app can run: the filter is never left out"
			v.Text, v.Fix = f.refused(t)
		}
		out = append(out, v)
	}
	out = append(out, f.landlock())
	if v, ok := f.tiocsti(); ok {
		out = append(out, v)
	}
	return out
}

// landlockLevels is what each ABI brought (landlock(7)).
var landlockLevels = [...]string{1: "files", 2: "renames", 3: "truncation", 4: "TCP ports", 5: "device controls", 6: "sockets and signals kept apart", 7: "audit log"}

// scopes is the ABI from which a launch uses Landlock.
const scopes = 6

func (f *Facts) landlock() Finding {
	v := Finding{ID: "landlock", Group: Isolation, Title: "Landlock", State: Good}
	level := min(f.Landlock, len(landlockLevels)-1)
	if level > 0 {
		v.Text = fmt.Sprintf("level %d (newest: %s)", f.Landlock, landlockLevels[level])
	}
	if f.Landlock >= scopes {
		return v
	}
	v.State = Degraded
	v.Cost = "an app with network:host also reaches abstract sockets of the host (X11, old D-Bus)"
	switch {
	case f.Landlock < landlockRefer:
		v.Cost += "; every app can write to a file that it was handed only to read (sandbox run APP <FILE), where you may"
	case f.Landlock < landlockTruncate:
		v.Cost += "; every app can empty a file that it was handed only to read (sandbox run APP <FILE), where you may write"
	default:
		v.Cost += "; without that grant nothing changes"
	}
	switch {
	case f.Landlock > 0:
		v.Text += "; sockets and signals are kept apart from level 6 on"
		v.Fix = &Fix{Text: "start Linux 6.12 or later"}
	case !f.atLeast(5, 13):
		v.Text = "this kernel has none"
		v.Fix = &Fix{Text: "start Linux 6.12 or later"}
	case f.LSMs != nil && !slices.Contains(f.LSMs, "landlock"):
		v.Text = "the kernel may have it, but it is not switched on"
		v.Fix = f.bootParameter("lsm=" + strings.Join(append([]string{"landlock"}, slices.DeleteFunc(slices.Clone(f.LSMs), func(s string) bool { return s == "capability" })...), ","))
	case f.Filtered || f.Container != "":
		v.Text = "not to be had: not switched on in the kernel, or refused by the filter around this session"
	default:
		v.Text = "not built into this kernel, or not switched on"
		v.Fix = &Fix{Text: "add landlock to the kernel parameter lsm=, or start a kernel of your distribution's"}
	}
	return v
}

// bootParameter is the way to add a parameter to the kernel's command line.
func (f *Facts) bootParameter(p string) *Fix {
	switch {
	case f.Distro.is("fedora", "rhel"):
		return &Fix{Text: "add the parameter and restart", Commands: []string{f.sudo() + "grubby --update-kernel=ALL --args=" + p}}
	case f.Distro.is("debian", "ubuntu"):
		return &Fix{Text: "write the file, run the command and restart", Commands: []string{f.sudo() + "update-grub"},
			File: "/etc/default/grub.d/sandbox.cfg", Content: `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ` + p + "\"\n"}
	}
	return &Fix{Text: "add " + p + " to the kernel's parameters in the boot loader and restart"}
}

// tiocsti: apps are kept from typing into a terminal by their own pty and by
// the filter; the setting is the third wall, and everybody else's only one.
func (f *Facts) tiocsti() (Finding, bool) {
	v := Finding{ID: "tiocsti", Group: Isolation, Title: "typing for others", State: Good}
	switch f.Sysctl[sysctlTIOCSTI] {
	case "0":
		v.Text = "the kernel lets nobody put input into a terminal (TIOCSTI)"
	case "1":
		v.Fix = f.sysctl(sysctlTIOCSTI, "0")
	default:
		if f.atLeast(6, 2) {
			return v, false // built without it
		}
		v.Fix = &Fix{Text: "start Linux 6.2 or later, which can be told not to"}
	}
	if v.Fix != nil {
		v.State = Degraded
		v.Text = "the kernel lets programs put input into their terminal (TIOCSTI)"
		v.Cost = "apps in a sandbox cannot, whatever the kernel says; other programs, such as those run by su, can"
	}
	return v, true
}
