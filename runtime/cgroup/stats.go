package cgroup

import (
	"fmt"
	"strings"
	"time"
)

// Stats reads what the group uses now. It fails only when the group is gone.
func (g *Group) Stats() (Stats, error) {
	s := unknown()
	for _, d := range g.dirs {
		if _, err := readAt(d.fd, "cgroup.procs"); err != nil {
			return s, fmt.Errorf("cannot read group %s: %w", d.Path, err)
		}
		if d.Unified {
			d.statsV2(&s)
		} else {
			d.statsV1(&s)
		}
	}
	return s, nil
}

func (d *dir) number(file string) int64 {
	data, err := readAt(d.fd, file)
	if err != nil {
		return -1
	}
	return number(data)
}

// lines counts tasks where no controller does.
func (d *dir) lines(file string) int64 {
	data, err := readAt(d.fd, file)
	if err != nil {
		return -1
	}
	return int64(strings.Count(data, "\n"))
}

func (d *dir) statsV2(s *Stats) {
	if n := d.number("memory.current"); n >= 0 {
		s.Memory, s.MemoryPeak, s.Swap = n, d.number("memory.peak"), d.number("memory.swap.current")
		events, _ := readAt(d.fd, "memory.events")
		s.OOMKills = field(events, "oom_kill")
	}
	if stat, err := readAt(d.fd, "cpu.stat"); err == nil {
		if us := field(stat, "usage_usec"); us >= 0 {
			s.CPU = time.Duration(us) * time.Microsecond
		}
	}
	if s.Pids = d.number("pids.current"); s.Pids < 0 {
		s.Pids = d.lines("cgroup.threads")
	}
	if stat, err := readAt(d.fd, "io.stat"); err == nil {
		s.IORead, s.IOWrite = transferred(stat)
	}
}

func (d *dir) statsV1(s *Stats) {
	if has(d.Controllers, "memory") {
		s.Memory, s.MemoryPeak = d.number("memory.usage_in_bytes"), d.number("memory.max_usage_in_bytes")
		if both := d.number("memory.memsw.usage_in_bytes"); both >= s.Memory && s.Memory >= 0 {
			s.Swap = both - s.Memory
		}
		control, _ := readAt(d.fd, "memory.oom_control")
		s.OOMKills = field(control, "oom_kill")
	}
	if has(d.Controllers, "cpuacct") {
		if ns := d.number("cpuacct.usage"); ns >= 0 {
			s.CPU = time.Duration(ns)
		}
	}
	if has(d.Controllers, "pids") {
		s.Pids = d.number("pids.current")
	} else if s.Pids < 0 {
		s.Pids = d.lines("tasks")
	}
	if has(d.Controllers, "blkio") {
		if stat, err := readAt(d.fd, "blkio.throttle.io_service_bytes"); err == nil {
			s.IORead, s.IOWrite = transferredV1(stat)
		}
	}
}
