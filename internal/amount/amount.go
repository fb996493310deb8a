// Package amount says how much there is of something, in words for people: every
// program says the same of the same number.
package amount

import (
	"fmt"
	"strconv"
	"strings"
)

// Unknown stands for a number that cannot be told. It is never 0.
const Unknown = "-"

// Of says how many of what the noun names there are: "1 file", "3 files".
func Of[N int | int64 | uint64](n N, noun string) string {
	if n != 1 {
		noun = plural(noun)
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// plural is regular; no noun is used that is not.
func plural(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") {
		return stem + "ies"
	}
	for _, hissing := range []string{"s", "x", "ch", "sh"} {
		if strings.HasSuffix(noun, hissing) {
			return noun + "es"
		}
	}
	return noun + "s"
}

// Count is a number that may be unknown, which is below zero.
func Count(n int64) string {
	if n < 0 {
		return Unknown
	}
	return strconv.FormatInt(n, 10)
}

// Bytes is a size on a disk or on the way, in decimal units as disks and networks
// are sold: "19.3 MB".
func Bytes(n int64) string {
	switch v := float64(n); {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case v < 999.95e3:
		return fmt.Sprintf("%.1f kB", v/1e3)
	case v < 999.95e6:
		return fmt.Sprintf("%.1f MB", v/1e6)
	default:
		return fmt.Sprintf("%.2f GB", v/1e9)
	}
}

// Memory is a size in memory, in binary units as limits are given; below zero it
// is unknown.
func Memory(n int64) string {
	switch {
	case n < 0:
		return Unknown
	case n < 1024:
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/1024, 0
	units := [...]string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for v >= 1023.95 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}
