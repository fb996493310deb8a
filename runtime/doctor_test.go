package runtime

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/runtime/cgroup"
)

// healthy is a machine that lacks nothing: Debian 13 with systemd, as an
// ordinary user.
func healthy() Facts {
	f := Facts{
		UID: 1000, Kernel: [2]int{6, 12}, Release: "6.12.41", Arch: "amd64", Program: "/usr/local/bin/sandbox",
		Distro:   Distro{ID: "debian", Name: "Debian GNU/Linux 13 (trixie)", Version: "13", Codename: "trixie"},
		LSMs:     []string{"capability", "landlock", "yama", "apparmor"},
		Sysctl:   map[string]string{sysctlMaxUser: "96364", sysctlTIOCSTI: "0", sysctlYama: "1"},
		Landlock: 6,
		Trials:   map[string]Trial{},
		Cgroups: cgroup.Host{UID: 1000, Kernel: [2]int{6, 12}, Home: "/home/u", Disk: "254:0",
			V2: cgroup.Unified{Pure: true, Why: "this session's unit is not delegated", Self: "/sys/fs/cgroup/user.slice"},
			Systemd: cgroup.Manager{Usable: true, Socket: "/run/user/1000/systemd/private",
				Controllers: []string{"cpu", "io", "memory", "pids"}}},
		Session: Session{RuntimeDir: "/run/user/1000",
			Data:   Place{Dir: "/home/u/.local/share/sandbox", Free: 50 << 30, Files: 1 << 20},
			Config: Place{Dir: "/home/u/.config/sandbox"}, Cache: Place{Dir: "/home/u/.cache/sandbox"}},
	}
	for _, name := range []string{tryUser, trySpaces, tryMounts, tryBinds, tryProc, tryDevpts, tryOverlay, tryFilter, tryTerminal, tryOpenAt2, tryClose} {
		f.Trials[name] = Trial{Ran: true}
	}
	return f
}

// without user namespaces nothing that needs them was tried.
func without(f *Facts, step string, errno unix.Errno) {
	f.Trials = map[string]Trial{tryUser: {true, step, errno}, tryOpenAt2: {Ran: true}, tryClose: {Ran: true}}
}

func refuse(f *Facts, try, step string, errno unix.Errno) {
	f.Trials[try] = Trial{true, step, errno}
}

const clone = "make namespaces"

func TestDiagnoseMachines(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*Facts)
		id    string // the finding that matters
		state State
		text  string // in what was found
		fix   string // in the way out
	}{
		{"Debian 13 lacks nothing", func(*Facts) {}, "user-namespaces", Good, "you may", ""},
		{"Ubuntu 24.04 refuses programs without a profile", func(f *Facts) {
			f.Distro = Distro{ID: "ubuntu", Like: "debian"}
			f.Sysctl[sysctlAppArmor] = "1"
			without(f, "write the id maps", unix.EPERM)
		}, "user-namespaces", Missing, "AppArmor", "profile sandbox \"/usr/local/bin/sandbox{,-tool}\" flags=(unconfined) {\n  userns,"},
		{"Ubuntu 24.04 denies capabilities in the namespace only", func(f *Facts) {
			f.Sysctl[sysctlAppArmor] = "1"
			refuse(f, tryMounts, "make the root", unix.EACCES)
		}, "mount-api", Missing, "AppArmor", "apparmor_parser -r /etc/apparmor.d/sandbox"},
		{"the profile is loaded", func(f *Facts) { f.Sysctl[sysctlAppArmor] = "1" }, "user-namespaces", Good, "you may", ""},
		{"Debian 10 switches them off for users", func(f *Facts) {
			f.Sysctl[sysctlClone] = "0"
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{"that switch does not concern root", func(f *Facts) {
			f.UID = 0
			f.Sysctl[sysctlClone] = "0"
			f.Chroot = true
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "chroot", "pivot_root"},
		{"NixOS keeps settings elsewhere", func(f *Facts) {
			f.Distro = Distro{ID: "nixos"}
			f.Sysctl[sysctlClone] = "0"
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "is 0", `boot.kernel.sysctl."kernel.unprivileged_userns_clone" = 1;`},
		{"Red Hat 7 allows none", func(f *Facts) {
			f.Sysctl[sysctlMaxUser] = "0"
			without(f, clone, unix.ENOSPC)
		}, "user-namespaces", Missing, "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=15000"},
		{"all of them are used up", func(f *Facts) { without(f, clone, unix.ENOSPC) }, "user-namespaces", Missing, "exist already", "user.max_"},
		{"another kind of namespace is switched off", func(f *Facts) {
			f.Sysctl["user.max_net_namespaces"] = "0"
			refuse(f, trySpaces, clone, unix.ENOSPC)
		}, "namespaces", Missing, "user.max_net_namespaces is 0", "user.max_net_namespaces=15000"},
		{"a kernel without CONFIG_USER_NS", func(f *Facts) { without(f, clone, unix.EINVAL) }, "user-namespaces", Missing, "CONFIG_USER_NS", "kernel"},
		{"a chroot", func(f *Facts) {
			f.Chroot = true
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "chroot", "outside"},
		{"Docker's filter hides clone3", func(f *Facts) {
			f.Container, f.Filtered = "docker", true
			without(f, clone, unix.ENOSYS)
		}, "user-namespaces", Missing, "seccomp filter", "--security-opt seccomp=unconfined"},
		{"Podman refuses", func(f *Facts) {
			f.Container, f.Filtered = "podman", true
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "podman container", "unmask=ALL"},
		{"Kubernetes refuses", func(f *Facts) {
			f.Container = "kubernetes"
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "kubernetes container", "procMount: Unmasked"},
		{"a service with RestrictNamespaces", func(f *Facts) {
			f.Filtered = true
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "seccomp filter", "RestrictNamespaces=no"},
		{"SELinux refuses", func(f *Facts) {
			f.Enforcing = true
			without(f, clone, unix.EACCES)
		}, "user-namespaces", Missing, "SELinux", "ausearch"},
		{"an unknown module refuses", func(f *Facts) {
			f.LSMs = []string{"lockdown", "bpf"}
			without(f, clone, unix.EPERM)
		}, "user-namespaces", Missing, "lockdown, bpf", "dmesg"},
		{"a container with masked /proc", func(f *Facts) {
			f.Container = "docker"
			refuse(f, tryProc, "mount a new /proc", unix.EPERM)
		}, "mount-proc", Missing, "covered", "systempaths=unconfined"},
		{"Debian 11's kernel 5.10", func(f *Facts) {
			f.Kernel, f.Release, f.Landlock = [2]int{5, 10}, "5.10.0-30-amd64", 0
			f.Distro = Distro{ID: "debian", Codename: "bullseye"}
			refuse(f, tryBinds, "show a directory at another place", unix.ENOSYS)
		}, "kernel", Missing, "too old", "sudo apt install -t bullseye-backports linux-image-amd64"},
		{"Ubuntu 20.04's first kernel", func(f *Facts) {
			f.Kernel = [2]int{5, 4}
			f.Distro = Distro{ID: "ubuntu", Like: "debian", Version: "20.04"}
		}, "kernel", Missing, "too old", "sudo apt install linux-generic-hwe-20.04"},
		{"a kernel between", func(f *Facts) { f.Kernel = [2]int{6, 1} }, "kernel", Good, "6.12 and later", ""},
		{"Landlock of an older kernel", func(f *Facts) { f.Landlock, f.Kernel = 2, [2]int{6, 1} }, "landlock", Degraded, "level 2 (newest: renames)", "6.12"},
		{"Landlock not switched on", func(f *Facts) { f.Landlock, f.LSMs = 0, []string{"capability", "yama", "apparmor"} },
			"landlock", Degraded, "not switched on", "lsm=landlock,yama,apparmor"},
		{"Landlock not switched on, Fedora", func(f *Facts) {
			f.Landlock, f.LSMs, f.Distro = 0, []string{"selinux"}, Distro{ID: "fedora"}
		}, "landlock", Degraded, "not switched on", "grubby --update-kernel=ALL --args=lsm=landlock,selinux"},
		{"a newer Landlock than this program", func(f *Facts) { f.Landlock = 40 }, "landlock", Good, "level 40", ""},
		{"TIOCSTI allowed", func(f *Facts) { f.Sysctl[sysctlTIOCSTI] = "1" }, "tiocsti", Degraded, "TIOCSTI", "dev.tty.legacy_tiocsti=0"},
		{"overlay not loaded", func(f *Facts) { refuse(f, tryOverlay, "lay directories over each other", unix.ENODEV) },
			"mount-overlay", Degraded, "lacks the file system", "modprobe overlay"},
		{"Yama forbids all", func(f *Facts) {
			f.Sysctl[sysctlYama] = "3"
			refuse(f, tryTerminal, "fetch a descriptor", unix.EPERM)
		}, "terminal", Degraded, "ptrace_scope is 3", "restart"},
		{"root's home on NFS", func(f *Facts) {
			f.UID = 0
			refuse(f, tryIDMap, "translate the owners of /root", unix.EINVAL)
		}, "mount-idmap", Degraded, "not on your home", "ext4"},
		{"root of a container with few ids", func(f *Facts) {
			f.UID, f.Container = 0, "podman"
			refuse(f, tryOwners, "map the owner of an app", unix.EPERM)
		}, "owners", Missing, "1000000000", "ordinary user, or give"},
		{"a systemd that keeps controllers to itself", func(f *Facts) {
			f.Cgroups.Systemd.Controllers = []string{"memory", "pids"}
		}, "limit-cpu", Degraded, "no cpu controller", "Delegate=cpu cpuset io memory pids"},
		{"a hybrid host", func(f *Facts) {
			f.Cgroups.V2 = cgroup.Unified{Why: "the group is not ours to write"}
			f.Cgroups.Systemd = cgroup.Manager{Why: "its scopes need the unified hierarchy alone"}
		}, "limit-memory", Degraded, "no memory controller", "systemd.unified_cgroup_hierarchy=1"},
		{"no systemd, v1 of root's", func(f *Facts) {
			f.Cgroups.Systemd = cgroup.Manager{Why: "systemd does not run here"}
			f.Cgroups.V1 = []cgroup.Hierarchy{{Controllers: []string{"memory"}, Base: "/sys/fs/cgroup/memory"}}
		}, "limit-memory", Degraded, "no memory controller", "sudo chown -R $USER"},
		{"no systemd, v1 of one's own", func(f *Facts) {
			f.Cgroups.Systemd = cgroup.Manager{Why: "systemd does not run here"}
			f.Cgroups.V1 = []cgroup.Hierarchy{{Controllers: []string{"memory"}, Base: "/sys/fs/cgroup/memory/u", Usable: true}}
		}, "limit-memory", Good, "version 1", ""},
		{"a session by su", func(f *Facts) {
			f.Cgroups.Systemd = cgroup.Manager{Why: "no user manager is reachable from this session"}
		}, "limit-memory", Degraded, "no memory controller", "loginctl enable-linger"},
		{"limits by systemd", func(*Facts) {}, "limit-io", Good, "scope of systemd", ""},
		{"limits in a container", func(f *Facts) {
			f.Container = "docker"
			f.Cgroups.Systemd = cgroup.Manager{}
		}, "limit-cpu", Degraded, "no cpu controller", "--cgroupns=private"},
		{"pids without a group", func(f *Facts) { f.Cgroups.Systemd = cgroup.Manager{} }, "limit-pids", Good, "resource limit", ""},
		{"no runtime directory", func(f *Facts) { f.Session.RuntimeDir = "" }, "runtime-dir", Degraded, "not set", "XDG_RUNTIME_DIR"},
		{"no place for instances", func(f *Facts) { f.Session.Registry = "cannot keep a list" }, "runtime-dir", Missing, "cannot keep", "mkdir -m 700"},
		{"data directory of another user", func(f *Facts) { f.Session.Data.Why = "cannot be written" }, "data-dir", Missing, "cannot be written", "XDG_DATA_HOME"},
		{"full disk", func(f *Facts) { f.Session.Data.Free = 0 }, "disk-space", Missing, "0 MB", "free"},
		{"nearly full disk", func(f *Facts) { f.Session.Data.Free = 100 << 20 }, "disk-space", Degraded, "100 MB", "free"},
		{"no inodes left", func(f *Facts) { f.Session.Data.Files = 3 }, "disk-space", Degraded, "room for 3 files", "free"},
		{"a disk that does not tell", func(f *Facts) { f.Session.Data.Free, f.Session.Data.Files = -1, -1 }, "disk-space", Good, "unknown", ""},
		{"a bare /dev", func(f *Facts) { f.Session.MissingNodes = []string{"full", "tty"} }, "devices", Missing, "/dev/full, /dev/tty", "sudo mknod -m 666 /dev/tty c 5 0"},
		{"no session bus", func(f *Facts) { f.Session.SessionBus = "there is none" }, "session-bus", Degraded, "none", "dbus-run-session"},
		{"no systemd", func(f *Facts) { f.Session.Manager = "systemd does not run here" }, "systemd", Degraded, "does not run", "enable-linger"},
		{"openat2 filtered", func(f *Facts) {
			f.Filtered = true
			refuse(f, tryOpenAt2, "open a path", unix.EPERM)
		}, "openat2", Degraded, "filter", "unshare"},
		{"seccomp not built in", func(f *Facts) { refuse(f, tryFilter, "load the system call filter", unix.EINVAL) }, "seccomp", Missing, "cannot load", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.set(&f)
			findings := Diagnose(f)
			i := slices.IndexFunc(findings, func(v Finding) bool { return v.ID == c.id })
			if i < 0 {
				t.Fatalf("no finding %q in %v", c.id, findings)
			}
			v := findings[i]
			if v.State != c.state || !strings.Contains(v.Text, c.text) || !strings.Contains(whole(v.Fix), c.fix) {
				t.Errorf("%+v\n%s\nwant %s, %q, %q", v, whole(v.Fix), c.state, c.text, c.fix)
			}
			if c.state == Missing && Runs(findings) {
				t.Error("apps are said to run")
			}
			checkFindings(t, findings)
		})
	}
}

// whole is all that a fix says.
func whole(f *Fix) string {
	if f == nil {
		return ""
	}
	return f.Text + "\n" + strings.Join(f.Commands, "\n") + "\n" + f.File + "\n" + f.Content
}

var stableID = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// checkFindings holds for every diagnosis: ids are unique and described on the
// page, what is not well says what it costs.
func checkFindings(t *testing.T, findings []Finding) {
	t.Helper()
	seen := map[string]bool{}
	for _, v := range findings {
		if !stableID.MatchString(v.ID) || seen[v.ID] || v.Title == "" || len(v.Title) > 23 || v.Text == "" || v.Group == "" {
			t.Errorf("badly made: %+v", v)
		}
		seen[v.ID] = true
		if !strings.Contains(DoctorPage, "`"+v.ID+"`") && !strings.HasPrefix(v.ID, "limit-") {
			t.Errorf("DOCTOR.md does not tell what %s is", v.ID)
		}
		if (v.State == Good) != (v.Cost == "") {
			t.Errorf("state and cost disagree: %+v", v)
		}
		if v.State == Good && v.Fix != nil {
			t.Errorf("nothing to fix: %+v", v)
		}
	}
}

func TestDiagnoseZeroFactsRefuse(t *testing.T) {
	if findings := Diagnose(Facts{}); Runs(findings) {
		t.Errorf("nothing is known, and apps are said to run: %+v", findings)
	}
}

func TestHealthyMachineHasNoComplaint(t *testing.T) {
	for _, v := range Diagnose(healthy()) {
		if v.State != Good {
			t.Errorf("%+v", v)
		}
	}
	if !Runs(Diagnose(healthy())) {
		t.Error("apps are said not to run")
	}
}

func TestAppArmorPathIsQuoted(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/bin/sandbox":        `"/usr/bin/sandbox{,-tool}"`,
		"/home/a b/[x]*{y}?@z/\"": `"/home/a b/\[x\]\*\{y\}\?\@z/\"{,-tool}"`,
	} {
		if got := appArmorPath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
