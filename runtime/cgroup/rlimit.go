package cgroup

import "golang.org/x/sys/unix"

// Rlimit is a limit of each single process, for setrlimit(2): soft and hard
// alike, set by the app's first process inside its own user namespace, so that
// the app cannot raise it.
type Rlimit struct {
	Name     string `json:"name"`
	Resource int    `json:"resource"`
	Value    uint64 `json:"value"`
}

func nofile(n int64) Rlimit { return Rlimit{"nofile", unix.RLIMIT_NOFILE, uint64(n)} }

func (p *Plan) degrade(limit, why string) { p.Degraded = append(p.Degraded, Degraded{limit, why}) }

// substitute does for one limit what can be done without a controller.
//
// Memory: RLIMIT_AS would count address space that is only reserved, and Go,
// Java and JavaScript reserve gigabytes at start. RLIMIT_DATA counts private
// writable mappings (since Linux 4.7), so these programs run, but it is a
// limit of each process and blind to shared memory.
//
// Pids: since Linux 5.14 RLIMIT_NPROC counts the tasks of one user in one user
// namespace. The instance has its own, so this is the limit that was asked
// for, except that it cannot be changed while the instance runs. Before, it
// counted all tasks of the user, and could only harm.
func substitute(h Host, p *Plan, limit string) {
	switch limit {
	case "memory":
		p.Rlimits = append(p.Rlimits, Rlimit{"data", unix.RLIMIT_DATA, uint64(p.Limits.Memory)})
		p.degrade(limit, "no memory controller here; each process is limited for itself (RLIMIT_DATA), shared memory is not")
	case "pids":
		if h.Kernel[0] > 5 || h.Kernel[0] == 5 && h.Kernel[1] >= 14 {
			p.Rlimits = append(p.Rlimits, Rlimit{"nproc", unix.RLIMIT_NPROC, uint64(p.Limits.Pids)})
			return
		}
		p.degrade(limit, "no pids controller here, and this kernel counts processes for the whole user only; not limited")
	case "io":
		if h.Disk == "" {
			p.degrade(limit, "the home directory is not on one disk of its own; not limited")
			return
		}
		p.degrade(limit, "no io controller here; not limited")
	case "swap":
		p.degrade(limit, "nothing here counts swap by itself; not limited")
	case "cpu":
		p.degrade(limit, "no cpu controller here; not limited")
	}
}
