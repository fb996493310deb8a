package amount

import (
	"math"
	"testing"
)

func TestOf(t *testing.T) {
	for want, got := range map[string]string{
		"0 files": Of(0, "file"), "1 file": Of(1, "file"), "2 files": Of(2, "file"),
		"1 process": Of(1, "process"), "2 processes": Of(2, "process"),
		"1 entry": Of(int64(1), "entry"), "2 entries": Of(int64(2), "entry"), "2 keys": Of(uint64(2), "key"), "2 days": Of(2, "day"),
		"2 bundled patches": Of(2, "bundled patch"), "2 boxes": Of(2, "box"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		n              int64
		decimal, inRAM string
	}{
		{0, "0 B", "0 B"}, {999, "999 B", "999 B"}, {1000, "1.0 kB", "1000 B"}, {1024, "1.0 kB", "1.0 KiB"},
		{1536, "1.5 kB", "1.5 KiB"}, {999_949, "999.9 kB", "976.5 KiB"}, {999_999, "1.0 MB", "976.6 KiB"},
		{1<<20 - 1, "1.0 MB", "1.0 MiB"}, {19_300_000, "19.3 MB", "18.4 MiB"}, {999_960_000, "1.00 GB", "953.6 MiB"},
		{1_234_000_000, "1.23 GB", "1.1 GiB"}, {math.MaxInt64, "9223372036.85 GB", "8.0 EiB"},
	} {
		if got := Bytes(c.n); got != c.decimal {
			t.Errorf("Bytes(%d) = %q, want %q", c.n, got, c.decimal)
		}
		if got := Memory(c.n); got != c.inRAM {
			t.Errorf("Memory(%d) = %q, want %q", c.n, got, c.inRAM)
		}
	}
	if Memory(-1) != Unknown || Count(-1) != Unknown || Count(0) != "0" {
		t.Error("what is unknown is not told from what is not")
	}
}
