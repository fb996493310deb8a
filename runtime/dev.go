package runtime

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// devSteps make /dev: the harmless nodes, terminals and shared memory of the
// app's own. More nodes come with device: permissions, before it is frozen.
func devSteps(shm int64) []Step {
	steps := []Step{{Do: Tmpfs, Target: "/dev", Size: 64 << 10, Inodes: 512, Mode: 0o755}}
	for _, n := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		steps = append(steps, Step{Do: Bind, Target: "/dev/" + n, Source: "/dev/" + n, IsFile: true, Devices: true})
	}
	for _, l := range [][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"},
	} {
		steps = append(steps, Step{Do: Symlink, Target: "/dev/" + l[0], Source: l[1]})
	}
	return append(steps,
		Step{Do: Devpts, Target: "/dev/pts"},
		Step{Do: Tmpfs, Target: "/dev/shm", Size: shm, Inodes: 64 << 10, Mode: 0o1777})
}

// deviceNodes are the exact nodes behind each device: permission, as shell
// patterns below /dev.
var deviceNodes = map[string][]string{
	"gpu":    {"dri/card*", "dri/renderD*", "nvidia*", "nvidia-caps/*", "kfd", "udmabuf"},
	"input":  {"input/*", "hidraw*", "uinput"},
	"camera": {"video*", "media*", "v4l-subdev*"},
	"sound":  {"snd/*"},
	"kvm":    {"kvm", "vhost-net", "vhost-vsock"},
	"usb":    {"bus/usb/*/*"},
	"serial": {"ttyS*", "ttyUSB*", "ttyACM*", "ttyAMA*"},
	"tty":    {"tty[0-9]*", "vcs*", "console"},
}

// neverDevices stay outside whatever is granted: raw memory and the like undo
// every other wall.
var neverDevices = []string{"mem", "kmem", "port", "kmsg", "mapper", "fuse", "loop-control"}

// grantedDevices binds each node that exists. A permission whose devices this
// machine lacks gives nothing, and a note says so.
func grantedDevices(names []string, host *Host) (steps []Step, notes []string) {
	have := map[string]bool{}
	for _, name := range names {
		patterns := deviceNodes[name]
		if name == "all" {
			patterns = []string{"*", "*/*", "*/*/*"}
		}
		found := false
		for _, node := range devices(patterns, host) {
			found = true
			if have[node.Path] {
				continue
			}
			have[node.Path] = true
			steps = append(steps, Step{Do: Bind, Target: node.Path, Source: node.Path, IsFile: true, Devices: true,
				Ino: node.Ino, Dev: node.Dev, Why: "device:" + name})
		}
		if !found {
			notes = append(notes, fmt.Sprintf("device:%s gives nothing here: this machine has no such device", name))
		}
	}
	return steps, notes
}

// devices lists the device nodes that match. Links and everything that is not
// a node are passed over; block devices are disks and only come with "all".
func devices(patterns []string, host *Host) []Found {
	var out []Found
	for _, p := range patterns {
		for _, file := range expand("/dev", strings.Split(p, "/"), host) {
			f, err := host.Look(file)
			if err != nil || f.Path != file || !f.is(unix.S_IFCHR) || ownNode(file) {
				continue
			}
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(out, func(a, b Found) bool { return a.Path == b.Path })
}

// ownNode reports nodes that the app has of its own or must never have.
func ownNode(file string) bool {
	rel := strings.TrimPrefix(file, "/dev/")
	first, _, _ := strings.Cut(rel, "/")
	switch first {
	case "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin", "stdout", "stderr":
		return true
	}
	return slices.Contains(neverDevices, first)
}

func expand(dir string, pattern []string, host *Host) []string {
	var out []string
	for _, name := range host.Entries(dir) {
		if ok, _ := path.Match(pattern[0], name); !ok {
			continue
		}
		if len(pattern) == 1 {
			out = append(out, path.Join(dir, name))
		} else {
			out = append(out, expand(path.Join(dir, name), pattern[1:], host)...)
		}
	}
	return out
}
