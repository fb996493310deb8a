package runtime

// procSteps make /proc: the app's own processes, with everything that speaks
// of the machine or could change it covered. The list is moby's and what
// bubblewrap leaves readable (keys, kallsyms, timer_list, config.gz, cmdline).
func procSteps() []Step {
	steps := []Step{{Do: Proc, Target: "/proc"}}
	// Unconditionally, never by asking access(2): for uid 0 without capabilities
	// it says no while the files stay writable, as under bubblewrap.
	for _, dir := range []string{"sys", "bus", "fs", "irq"} {
		steps = append(steps, Step{Do: Self, Target: "/proc/" + dir, ReadOnly: true, Optional: true})
	}
	for _, dir := range []string{"acpi", "asound", "scsi", "driver"} {
		steps = append(steps, Step{Do: Mask, Target: "/proc/" + dir, Optional: true})
	}
	for _, file := range []string{
		"cmdline", "config.gz", "interrupts", "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg",
		"kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "modules", "sched_debug", "slabinfo", "sysrq-trigger",
		"timer_list", "timer_stats", "vmallocinfo",
	} {
		steps = append(steps, Step{Do: Mask, Target: "/proc/" + file, IsFile: true, Optional: true})
	}
	return steps
}
