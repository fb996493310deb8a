package cgroup

import (
	"slices"
	"strconv"
	"strings"
)

// planV2 puts the limits on a leaf of the unified hierarchy.
func planV2(h Host, p Plan) (Plan, bool) {
	if !h.V2.Usable {
		return p, false
	}
	p.Mode = V2
	p.leaf(h)
	return p, true
}

// leaf adds the v2 group, with the controllers that it can have and the limits need.
func (p *Plan) leaf(h Host) {
	u := h.V2
	var want, missing []string
	for _, n := range p.Limits.wanted() {
		if has(u.Controllers, n.v2) && !has(want, n.v2) {
			want = append(want, n.v2)
		}
	}
	for _, c := range want {
		if !has(u.Enabled, c) {
			missing = append(missing, c)
		}
	}
	switch {
	case len(missing) == 0:
	case u.Top || !u.Occupied:
		p.enable(u.Base, missing)
	case u.Alone:
		// A group that hands controllers on may hold no process itself.
		p.Supervisor = u.Base + "/" + "supervisor-" + strings.TrimPrefix(p.Name, prefix)
		p.enable(u.Base, missing)
	default:
		want = slices.DeleteFunc(want, func(c string) bool { return has(missing, c) })
	}
	d := Dir{Path: join(u.Base, "/"+p.Name), Unified: true, Controllers: want}
	d.Writes = p.Limits.v2Writes(want, p.Disk, false)
	p.Groups = append(p.Groups, d)
}

func (p *Plan) enable(base string, controllers []string) {
	p.Enable = &Write{File: base + "/cgroup.subtree_control", Value: "+" + strings.Join(controllers, " +")}
}

// planV1 takes for each limit the v1 hierarchy that has its controller, and a
// v2 leaf for what that can hold, for kill, freeze and processor time; without
// v2 the hierarchies that do these.
func planV1(h Host, p Plan) (Plan, bool) {
	p.Mode = V1
	if h.V2.Usable {
		p.leaf(h)
	}
	wanted := p.Limits.wanted()
	found := false
	for _, v := range h.V1 {
		need := slices.ContainsFunc(wanted, func(n need) bool { return has(v.Controllers, n.v1) })
		if !v.Usable || !need && (h.V2.Usable || !hasAny(v.Controllers, []string{"freezer", "cpuacct"})) {
			continue
		}
		found = found || need
		d := Dir{Path: join(v.Base, "/"+p.Name), Controllers: v.Controllers}
		d.Writes = p.Limits.v1Writes(v.Controllers, p.Disk, false)
		p.Groups = append(p.Groups, d)
	}
	if !found {
		return p, false
	}
	if p.Limits.IOWrite != Unset && p.Disk != "" && !p.Groups[0].has("io") {
		p.degrade("io", "v1 slows reads and direct writes down, not writes through the page cache")
	}
	return p, true
}

func (d Dir) has(controller string) bool { return has(d.Controllers, controller) }

// v2Writes are the control files of a v2 group. With all, limits that are
// unset are lifted, as a live change needs it.
func (l Limits) v2Writes(controllers []string, disk string, all bool) []Write {
	var out []Write
	put := func(set bool, controller, file, value, none string, optional bool) {
		if !has(controllers, controller) || !set && !all {
			return
		}
		if !set {
			value = none
		}
		out = append(out, Write{file, value, optional})
	}
	memory := l.Memory != Unset
	put(memory, "memory", "memory.max", strconv.FormatInt(l.Memory, 10), "max", false)
	// Without swap accounting in the kernel there is no such file.
	put(memory || l.Swap != Unset, "memory", "memory.swap.max", strconv.FormatInt(max(l.Swap, 0), 10), "max", true)
	// One task of an app less is no app: all or none (CVE-2024-3056).
	put(memory, "memory", "memory.oom.group", "1", "1", true)
	put(l.Pids != Unset, "pids", "pids.max", strconv.FormatInt(l.Pids, 10), "max", false)
	period := " " + strconv.Itoa(cpuPeriod)
	put(l.CPU != 0, "cpu", "cpu.max", strconv.FormatInt(l.quota(), 10)+period, "max"+period, false)
	if disk != "" {
		io := l.IORead != Unset || l.IOWrite != Unset
		put(io, "io", "io.max", disk+" rbps="+rate(l.IORead)+" wbps="+rate(l.IOWrite), disk+" rbps=max wbps=max", false)
	}
	return out
}

func rate(n int64) string {
	if n == Unset {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// v1Writes are the control files of one v1 group.
func (l Limits) v1Writes(controllers []string, disk string, all bool) []Write {
	var out []Write
	put := func(set bool, controller, file, value, none string, optional bool) {
		if !has(controllers, controller) || !set && !all {
			return
		}
		if !set {
			value = none
		}
		out = append(out, Write{file, value, optional})
	}
	memory := l.Memory != Unset
	put(memory, "memory", "memory.limit_in_bytes", strconv.FormatInt(l.Memory, 10), "-1", false)
	// memsw counts both, so it says nothing without a memory limit; it is
	// missing where swap is not accounted, hence swappiness beside it.
	put(memory, "memory", "memory.memsw.limit_in_bytes", strconv.FormatInt(add(max(l.Memory, 0), max(l.Swap, 0)), 10), "-1", true)
	swapless := memory && l.Swap <= 0 || l.Swap == 0
	put(swapless, "memory", "memory.swappiness", "0", "60", true)
	put(l.Pids != Unset, "pids", "pids.max", strconv.FormatInt(l.Pids, 10), "max", false)
	put(l.CPU != 0, "cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod), strconv.Itoa(cpuPeriod), false)
	put(l.CPU != 0, "cpu", "cpu.cfs_quota_us", strconv.FormatInt(l.quota(), 10), "-1", false)
	if disk != "" {
		put(l.IORead != Unset, "blkio", "blkio.throttle.read_bps_device", disk+" "+strconv.FormatInt(l.IORead, 10), disk+" 0", false)
		put(l.IOWrite != Unset, "blkio", "blkio.throttle.write_bps_device", disk+" "+strconv.FormatInt(l.IOWrite, 10), disk+" 0", false)
	}
	return out
}
