package runtime

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"sandbox/runtime/cgroup"
)

// Usage is what an instance uses, in total over its processes.
type Usage struct {
	Memory  int64         `json:"memory"` // bytes
	CPU     time.Duration `json:"cpu"`    // used so far, nanoseconds
	Pids    int64         `json:"pids"`   // processes and threads
	IORead  int64         `json:"io_read"`
	IOWrite int64         `json:"io_write"`
	OOM     int64         `json:"oom_kills"` // -1, as every field, where the host cannot tell
}

// Usage asks the control group and, for what that does not know, adds up the
// processes: resident memory then counts shared pages once for each.
func (e *Entry) Usage() Usage {
	u := Usage{-1, -1, -1, -1, -1, -1}
	if group, err := cgroup.Open(e.Group); err == nil {
		if s, err := group.Stats(); err == nil {
			u = Usage{s.Memory, s.CPU, s.Pids, s.IORead, s.IOWrite, s.OOMKills}
		}
		group.Close()
	}
	if u.Memory >= 0 && u.CPU >= 0 && u.Pids >= 0 {
		return u
	}
	sum := processes().below(e.PID)
	if u.Memory < 0 {
		u.Memory = sum.Memory
	}
	if u.CPU < 0 {
		u.CPU = sum.CPU
	}
	if u.Pids < 0 {
		u.Pids = sum.Pids
	}
	return u
}

const ticks = time.Second / 100 // USER_HZ, fixed in the kernel's interface

// processStat is the part of proc_pid_stat(5) that is added up.
type processStat struct {
	pid, parent  int
	own, ended   time.Duration // time used, and that of children it has reaped
	threads, rss int64
}

// table is every process that can be seen, by parent.
type table map[int][]processStat

func processes() table {
	t := table{}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return t
	}
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + n.Name() + "/stat")
		if err != nil {
			continue
		}
		if s, ok := parseStat(pid, text); ok {
			t[s.parent] = append(t[s.parent], s)
		}
	}
	return t
}

// parseStat counts fields from behind the name, which may hold anything.
func parseStat(pid int, text []byte) (processStat, bool) {
	f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(f) < 22 {
		return processStat{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(f[i]), 10, 64)
		return n
	}
	return processStat{
		pid: pid, parent: int(number(1)),
		own:     time.Duration(number(11)+number(12)) * ticks,
		ended:   time.Duration(number(13)+number(14)) * ticks,
		threads: number(17),
		rss:     number(21) * int64(os.Getpagesize()),
	}, true
}

// below adds up the descendants of pid 1 of an instance. Orphans become its
// children, so none is missed. It is not counted itself, being ours; but the
// time of the children that ended is booked on it.
func (t table) below(pid int) Usage {
	var u Usage
	for _, siblings := range t {
		for _, s := range siblings {
			if s.pid == pid {
				u.CPU = s.ended
			}
		}
	}
	t.add(pid, &u, 0)
	return u
}

func (t table) add(pid int, u *Usage, depth int) {
	if depth > 1000 {
		return
	}
	for _, s := range t[pid] {
		u.CPU += s.own + s.ended
		u.Pids += s.threads
		u.Memory += s.rss
		t.add(s.pid, u, depth+1)
	}
}
