package runtime

import (
	"slices"
	"strings"

	"sandbox/runtime/cgroup"
)

// limits says of every limit how it would be held here.
func (f *Facts) limits() []Finding {
	var out []Finding
	for _, r := range []struct {
		name, cost string
		set        func(*cgroup.Limits)
	}{
		{"memory", "an app of many processes can still fill the memory of the machine", func(l *cgroup.Limits) { l.Memory = 256 << 20 }},
		{"swap", "an app may push what it holds out to the disk", func(l *cgroup.Limits) { l.Memory, l.Swap = 256<<20, 0 }},
		{"pids", "a fork bomb is stopped only where the limit of your own processes stops it", func(l *cgroup.Limits) { l.Pids = 100 }},
		{"cpu", "an app may use all processors", func(l *cgroup.Limits) { l.CPU = 1 }},
		{"io", "an app may use all of the disk's throughput", func(l *cgroup.Limits) { l.IORead, l.IOWrite = 50<<20, 50<<20 }},
	} {
		l := cgroup.Unlimited()
		r.set(&l)
		v := Finding{ID: "limit-" + r.name, Group: Limiting, Title: "limit:" + r.name, State: Good}
		plan, err := cgroup.Decide(f.Cgroups, "doctor", l)
		switch {
		case err != nil:
			v.State, v.Text, v.Cost = Degraded, err.Error(), r.cost
		case lacks(plan, r.name) != "":
			v.State, v.Text, v.Cost, v.Fix = Degraded, lacks(plan, r.name), r.cost, f.groups(r.name)
			if r.name == "io" && plan.Mode == cgroup.V1 {
				v.Cost, v.Fix = "what an app writes through the page cache is not slowed down", f.unified()
			}
		case lacks(plan, "") != "":
			v.Text = "held, but with " + plan.Degraded[0].String()
		default:
			v.Text = "held by " + holder(plan.Mode)
		}
		out = append(out, v)
	}
	return append(out,
		Finding{ID: "limit-files", Group: Limiting, Title: "limit:files", State: Good, Text: "held by the kernel, for each process"},
		Finding{ID: "limit-time", Group: Limiting, Title: "limit:time", State: Good, Text: "held by the supervisor"})
}

func holder(m cgroup.Mode) string {
	switch m {
	case cgroup.V2:
		return "a control group of its own (v2)"
	case cgroup.Scope:
		return "a scope of systemd's"
	case cgroup.V1:
		return "control groups of version 1"
	}
	return "a resource limit of its processes"
}

// lacks is why the plan does not hold the limit, or with "" any.
func lacks(p cgroup.Plan, limit string) string {
	i := slices.IndexFunc(p.Degraded, func(d cgroup.Degraded) bool { return limit == "" || d.Limit == limit })
	if i < 0 {
		return ""
	}
	return p.Degraded[i].Why
}

// groups is the way to a control group that can hold the limit.
func (f *Facts) groups(limit string) *Fix {
	g := f.Cgroups
	switch {
	case f.Container != "":
		return &Fix{Text: "give the container a control group of its own that it may write (docker, podman: --cgroupns=private, and systemd inside or a writable /sys/fs/cgroup)"}
	case g.Systemd.Usable && !slices.Contains(g.Systemd.Controllers, controller(limit)):
		return &Fix{Text: "let systemd hand the controllers on to users, then log in again",
			File: "/etc/systemd/system/user@.service.d/delegate.conf", Content: "[Service]\nDelegate=cpu cpuset io memory pids\n",
			Commands: []string{f.sudo() + "systemctl daemon-reload"}}
	case strings.Contains(g.Systemd.Why, "unified"):
		return f.unified()
	case strings.Contains(g.Systemd.Why, "user manager"):
		return &Fix{Text: "log in by ssh, a console or machinectl rather than su, so that systemd starts your manager; or keep one running",
			Commands: []string{"sudo loginctl enable-linger $USER", "export XDG_RUNTIME_DIR=/run/user/$(id -u)"}}
	case f.UID != 0 && slices.ContainsFunc(g.V1, func(h cgroup.Hierarchy) bool { return !h.Usable }):
		return &Fix{Text: "let root make groups for you and put this shell in them", Commands: []string{
			"cd /sys/fs/cgroup",
			"sudo mkdir -p {memory,cpu,pids,blkio}/$USER",
			"sudo chown -R $USER {memory,cpu,pids,blkio}/$USER",
			"echo $$ | sudo tee {memory,cpu,pids,blkio}/$USER/cgroup.procs; cd"}}
	case f.UID != 0:
		return &Fix{Text: "start apps from a session with a systemd user manager, or have root hand a control group over to you"}
	}
	return nil
}

// unified is the way from v1 or hybrid control groups to v2 alone.
func (f *Facts) unified() *Fix {
	if f.Cgroups.Systemd.Why == "systemd does not run here" {
		return &Fix{Text: "mount control groups as version 2 only (cgroup_no_v1=all in the kernel's parameters)"}
	}
	return f.bootParameter("systemd.unified_cgroup_hierarchy=1")
}

func controller(limit string) string {
	if limit == "swap" {
		return "memory"
	}
	return limit
}
