package seccomp

// last is the highest number of the table that is not private to the processor.
func last(a ABI) uint64 {
	highest := int32(0)
	for _, n := range numbers {
		if n.nr[a] < 0xf0000 {
			highest = max(highest, n.nr[a])
		}
	}
	return uint64(highest)
}
