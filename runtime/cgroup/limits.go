package cgroup

import (
	"fmt"
	"math"
	"time"

	"sandbox/internal/hint"
)

// Unset in a Limits field asks for no limit. Zero is a limit of nothing.
const Unset = -1

// Limits are what one instance may use together, whatever number of processes
// it has. Start from Unlimited: the zero value would allow nothing and is
// refused by Check.
type Limits struct {
	Memory  int64         `json:"memory"`   // bytes, page cache included
	Swap    int64         `json:"swap"`     // bytes beside Memory; Unset with Memory set means none
	Pids    int64         `json:"pids"`     // processes and threads
	Files   int64         `json:"files"`    // open files of each process
	CPU     float64       `json:"cpu"`      // cores; 0 is unset
	IORead  int64         `json:"io_read"`  // bytes a second; Unset or more than 0
	IOWrite int64         `json:"io_write"` // bytes a second; Unset or more than 0
	Time    time.Duration `json:"time"`     // carried for the supervisor's timer; 0 is unset
}

// Unlimited asks for nothing.
func Unlimited() Limits {
	return Limits{Memory: Unset, Swap: Unset, Pids: Unset, Files: Unset, IORead: Unset, IOWrite: Unset}
}

// minMemory lets the first page faults of an exec succeed: below it the app
// dies before it can say why.
const minMemory = 64 << 10

// Check refuses values that no kernel could honour or under which nothing runs.
func (l Limits) Check() error {
	bad := func(name string, value any, why string) error {
		return hint.With(fmt.Errorf("cannot use limit %s=%v: %s", name, value, why),
			"give a larger value, or leave the limit out")
	}
	switch {
	case l.Memory != Unset && l.Memory < minMemory:
		return bad("memory", l.Memory, "no program runs in so little")
	case l.Swap < Unset:
		return bad("swap", l.Swap, "it is negative")
	case l.Pids != Unset && l.Pids < 1:
		return bad("pids", l.Pids, "the app itself is one")
	case l.Files != Unset && l.Files < 3:
		return bad("files", l.Files, "the standard streams are three")
	case math.IsNaN(l.CPU) || l.CPU < 0 || l.CPU > maxCores:
		return bad("cpu", l.CPU, "it is not a number of cores")
	case l.CPU != 0 && l.CPU < minCores:
		return bad("cpu", l.CPU, "the kernel cannot give less than 0.01 of a core")
	case l.IORead != Unset && l.IORead < 1:
		return bad("io", l.IORead, "nothing could ever be read")
	case l.IOWrite != Unset && l.IOWrite < 1:
		return bad("io", l.IOWrite, "nothing could ever be written")
	case l.Time < 0:
		return bad("time", l.Time, "it is negative")
	}
	return nil
}

// The period of the CPU controller in microseconds and the share of it that
// the kernel accepts (1 ms at least, cgroup-v2.rst "CPU Interface Files").
const (
	cpuPeriod = 100_000
	minCores  = 0.01
	maxCores  = 1 << 20
)

// quota is the CPU time in each period, in microseconds.
func (l Limits) quota() int64 { return int64(math.Round(l.CPU * cpuPeriod)) }

// grouped says whether a limit is set that only a control group can hold for
// all processes together: Files and Time never need one.
func (l Limits) grouped() bool {
	return l.Memory != Unset || l.Swap != Unset || l.Pids != Unset || l.CPU != 0 ||
		l.IORead != Unset || l.IOWrite != Unset
}

// Stats is what an instance uses now. A field is -1 where the host cannot tell:
// unknown is not zero.
type Stats struct {
	Memory     int64         `json:"memory"`      // bytes now
	MemoryPeak int64         `json:"memory_peak"` // most bytes ever
	Swap       int64         `json:"swap"`        // bytes now
	CPU        time.Duration `json:"cpu"`         // time used so far
	Pids       int64         `json:"pids"`        // processes and threads now
	OOMKills   int64         `json:"oom_kills"`   // processes killed for want of memory
	IORead     int64         `json:"io_read"`     // bytes so far
	IOWrite    int64         `json:"io_write"`    // bytes so far
}

func unknown() Stats {
	return Stats{Memory: -1, MemoryPeak: -1, Swap: -1, CPU: -1, Pids: -1, OOMKills: -1, IORead: -1, IOWrite: -1}
}
