package runtime

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mounts judges what the view of an app is made with. Nothing is said of what
// could not be tried for want of a user namespace.
func (f *Facts) mounts() []Finding {
	var out []Finding
	for _, r := range []struct {
		id, title, try, good string
		bad                  func(Trial) Finding
	}{
		{"mount-api", "new mounts", tryMounts, "fsopen, fsmount, move_mount", f.noMounts},
		{"mount-binds", "mounts of directories", tryBinds, "open_tree, mount_setattr", f.noMounts},
		{"mount-proc", "own /proc", tryProc, "can be mounted", f.noProc},
		{"mount-devpts", "own terminals", tryDevpts, "devpts can be mounted", f.noMounts},
		{"mount-overlay", "overlay", tryOverlay, "can be mounted in a user namespace", f.noOverlay},
		{"mount-idmap", "translated owners", tryIDMap, "idmapped mounts work on your home", f.noIDMap},
		{"openat2", "safe path walks", tryOpenAt2, "openat2", f.noOpenAt2},
		{"close-range", "closing descriptors", tryClose, "close_range", f.noCall},
		{"terminal", "fetching terminals", tryTerminal, "pidfd_getfd", f.noTerminal},
	} {
		t := f.Trials[r.try]
		if !t.Ran {
			continue
		}
		v := Finding{State: Good, Text: r.good}
		if t.failed() {
			v = r.bad(t)
		}
		v.ID, v.Title, v.Group = r.id, r.title, Isolation
		out = append(out, v)
	}
	return out
}

// refused is what a failed call is put down to.
func (f *Facts) refused(t Trial) (string, *Fix) {
	text := fmt.Sprintf("cannot %s: %v", t.Step, t.Errno)
	switch {
	case t.Errno == unix.ENOSYS && !f.atLeast(oldestMajor, oldestMinor):
		return text + ": the kernel is too old", f.newerKernel()
	case f.Sysctl[sysctlAppArmor] == "1" && f.UID != 0 && f.Container == "" && (t.Errno == unix.EPERM || t.Errno == unix.EACCES):
		return text + ": AppArmor refuses it to programs without a profile", f.appArmor()
	case t.Errno == unix.ENOSYS || f.Container != "" || f.Filtered:
		return text + ": a filter or container around this session refuses it", f.openContainer()
	case t.Errno == unix.ENODEV:
		return text + ": the kernel lacks the file system", nil
	}
	return text, nil
}

func (f *Facts) noMounts(t Trial) Finding {
	text, fix := f.refused(t)
	return Finding{State: Missing, Text: text, Cost: "no app can run: its view cannot be built", Fix: fix}
}

func (f *Facts) noCall(t Trial) Finding {
	text, fix := f.refused(t)
	return Finding{State: Missing, Text: text, Cost: "no app can run", Fix: fix}
}

// noProc: the kernel gives a new /proc only to those who see all of the old
// one. The host's own is never shown instead.
func (f *Facts) noProc(t Trial) Finding {
	text, fix := f.refused(t)
	if t.Errno == unix.EPERM {
		text, fix = "refused: parts of /proc are covered around this session (a container does that), so no new one may be mounted", f.openContainer()
	}
	return Finding{State: Missing, Text: text, Cost: "no app can run: the only other /proc shows every process of the host", Fix: fix}
}

func (f *Facts) noOverlay(t Trial) Finding {
	v := Finding{State: Degraded, Cost: "bundles made from Debian packages, which lie over a runtime, cannot run; others can"}
	v.Text, v.Fix = f.refused(t)
	if t.Errno == unix.ENODEV {
		v.Fix = &Fix{Text: "load the module, now and at every start", Commands: []string{f.sudo() + "modprobe overlay"},
			File: "/etc/modules-load.d/overlay.conf", Content: "overlay\n"}
	}
	return v
}

func (f *Facts) noIDMap(t Trial) Finding {
	return Finding{State: Degraded, Text: fmt.Sprintf("not on your home (cannot %s: %v)", t.Step, t.Errno),
		Cost: "files below it cannot be granted to apps that root starts",
		Fix:  &Fix{Text: "run apps as an ordinary user, or keep what they need on ext4, xfs or btrfs"}}
}

func (f *Facts) noOpenAt2(t Trial) Finding {
	v := Finding{State: Degraded, Cost: "paths are walked one part at a time instead: as safe, and slower"}
	v.Text, v.Fix = f.refused(t)
	return v
}

func (f *Facts) noTerminal(t Trial) Finding {
	v := Finding{State: Degraded, Cost: "apps run with pipes only: in a terminal none can start"}
	v.Text, v.Fix = f.refused(t)
	if f.Sysctl[sysctlYama] == "3" {
		v.Text = sysctlYama + " is 3: nobody may fetch anything from another process"
		v.Fix = f.sysctl(sysctlYama, "2")
		v.Fix.Text = "write the file and restart: the setting cannot be taken back while the kernel runs"
		v.Fix.Commands = nil
	}
	return v
}
