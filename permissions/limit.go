package permissions

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sandbox/internal/hint"
)

// Value is a typed limit. The zero Value is no limit.
type Value struct {
	name string
	n    int64 // bytes, bytes a second, thousandths of a processor, a count, or milliseconds
}

// unit is how a limit is written, and its n counted.
type unit uint8

const (
	unitBytes unit = iota
	unitCPU
	unitCount
	unitTime
)

type limitInfo struct {
	name     string
	unit     unit
	min, max int64
}

var limits = [...]limitInfo{
	{"memory", unitBytes, 1 << 20, 1 << 50},
	{"swap", unitBytes, 0, 1 << 50},
	{"cpu", unitCPU, 10, 4096 * 1000},
	{"pids", unitCount, 1, 1 << 22}, // PID_MAX_LIMIT
	{"io", unitBytes, 4 << 10, 1 << 50},
	{"files", unitCount, 16, 1 << 20}, // fs.nr_open as kernels ship it
	{"time", unitTime, 1000, 366 * 24 * 3600 * 1000},
}

func limitOf(name string) *limitInfo {
	for i := range limits {
		if limits[i].name == name {
			return &limits[i]
		}
	}
	return nil
}

// ParseLimit reads NAME=VALUE, as in memory=512M.
func ParseLimit(s string) (Value, error) {
	name, value, found := strings.Cut(s, "=")
	info := limitOf(name)
	if info == nil {
		return Value{}, unknown("limit", name, kindOf(Limit).words())
	}
	if !found {
		return Value{}, hint.With(fmt.Errorf("limit %s has no value", name), "write %s=VALUE", name)
	}
	n, err := info.unit.parse(value)
	if err != nil {
		return Value{}, fmt.Errorf("%s=%s: %w", name, clip(value), err)
	}
	if n < info.min || n > info.max {
		return Value{}, fmt.Errorf("%s=%s: not between %s and %s", name, clip(value), info.unit.format(info.min), info.unit.format(info.max))
	}
	return Value{name: name, n: n}, nil
}

// Name is the limit's name, such as "memory".
func (v Value) Name() string { return v.name }

// IsZero reports that there is no limit.
func (v Value) IsZero() bool { return v.name == "" }

// Int is the limit as a number: bytes for memory and swap, bytes a second for
// io, thousandths of a processor for cpu, a count for pids and files,
// milliseconds for time.
func (v Value) Int() int64 { return v.n }

// Cores is the cpu limit in processors.
func (v Value) Cores() float64 { return float64(v.n) / 1000 }

// Duration is the time limit.
func (v Value) Duration() time.Duration { return time.Duration(v.n) * time.Millisecond }

// String is the value without its name, as ParseLimit reads it: "512M".
func (v Value) String() string {
	if info := limitOf(v.name); info != nil {
		return info.unit.format(v.n)
	}
	return ""
}

func (v Value) subject() string {
	if v.IsZero() {
		return ""
	}
	return v.name + "=" + v.String()
}

func (u unit) parse(s string) (int64, error) {
	switch u {
	case unitBytes:
		return parseBytes(s)
	case unitCPU:
		return parseCPU(s)
	case unitTime:
		return parseTime(s)
	}
	return parseCount(s)
}

func (u unit) format(n int64) string {
	switch u {
	case unitBytes:
		return formatBytes(n)
	case unitCPU:
		return formatThousandths(n)
	case unitTime:
		return formatTime(n)
	}
	return strconv.FormatInt(n, 10)
}

const byteUnits = "KMGT"

// parseBytes takes whole numbers only: 1.5G is written 1536M. K, M, G and T
// count in 1024, with or without "iB"; a unit that counts in 1000 is refused.
func parseBytes(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiB")
	n, err := parseCount(digits)
	if err != nil {
		return 0, hint.With(err, "write a whole number, then K, M, G or T: 512M")
	}
	suffix := s[len(digits):]
	if suffix == "" || suffix == "B" {
		return n, nil
	}
	power := strings.IndexByte(byteUnits, suffix[0]) + 1
	if power == 0 || suffix[1:] != "" && suffix[1:] != "iB" {
		return 0, hint.With(fmt.Errorf("unknown unit %q", suffix), "units are K, M, G and T, counted in 1024")
	}
	shift := 10 * power
	if n > math.MaxInt64>>shift {
		return 0, errors.New("too large")
	}
	return n << shift, nil
}

func formatBytes(n int64) string {
	power := 0
	for n != 0 && n%1024 == 0 && power < len(byteUnits) {
		n /= 1024
		power++
	}
	if power == 0 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + byteUnits[power-1:power]
}

// parseCPU reads processors ("1.5") or hundredths of one ("150%").
func parseCPU(s string) (int64, error) {
	number, percent := strings.CutSuffix(s, "%")
	n, err := parseThousandths(number)
	if err != nil {
		return 0, hint.With(err, "write processors, 1.5, or a percentage of one, 150%%")
	}
	if !percent {
		return n, nil
	}
	if n%100 != 0 {
		return 0, errors.New("finer than a thousandth of a processor")
	}
	return n / 100, nil
}

func parseThousandths(s string) (int64, error) {
	whole, part, point := strings.Cut(s, ".")
	if point && (part == "" || len(part) > 3) {
		return 0, errors.New("not a number with up to three decimals")
	}
	n, err := parseCount(whole)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/1000-1 {
		return 0, errors.New("too large")
	}
	n *= 1000
	if point {
		f, err := parseDigits(part + "000"[len(part):])
		if err != nil {
			return 0, err
		}
		n += f
	}
	return n, nil
}

func formatThousandths(n int64) string {
	s := strconv.FormatInt(n/1000, 10)
	if n%1000 == 0 {
		return s
	}
	return s + strings.TrimRight(fmt.Sprintf(".%03d", n%1000), "0")
}

// parseCount allows no sign, no space, no leading zero: one spelling a number.
func parseCount(s string) (int64, error) {
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("number %q has a leading zero", clip(s))
	}
	return parseDigits(s)
}

func parseDigits(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number", clip(s))
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errors.New("too large")
	}
	return n, nil
}

var timeUnits = [...]struct {
	suffix string
	ms     int64
}{{"d", 24 * 3600 * 1000}, {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}}

// parseTime reads 2d, 1h30m, 90s: whole numbers, larger units first.
func parseTime(s string) (int64, error) {
	bad := hint.With(fmt.Errorf("%q is not a time", clip(s)), "write 30m, 1h30m, 2d")
	total, next := int64(0), 0
	for rest := s; rest != "" || s == ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := parseCount(rest[:digits])
		if err != nil || digits == len(rest) {
			return 0, bad
		}
		for next < len(timeUnits) && timeUnits[next].suffix != rest[digits:digits+1] {
			next++
		}
		if next == len(timeUnits) {
			return 0, bad
		}
		if n > (math.MaxInt64-total)/timeUnits[next].ms {
			return 0, errors.New("too large")
		}
		total += n * timeUnits[next].ms
		next++
		rest = rest[digits+1:]
	}
	return total, nil
}

func formatTime(ms int64) string {
	var b strings.Builder
	for _, u := range timeUnits {
		if n := ms / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + u.suffix)
			ms -= n * u.ms
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
