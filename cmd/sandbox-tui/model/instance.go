package model

import (
	"time"
)

// Key is one run of an app: a name is used again, a name with a pid is not.
type Key struct {
	Name string
	PID  int
}

// Instance is a running instance at one moment. Its texts are the app's own and
// not fit for a terminal.
type Instance struct {
	Key
	App, Version string
	Command      []string
	Started      time.Time
	Paused       bool
	Detached     bool
	Permissions  []string
	Notes        []string

	// Totals of all its processes; -1 where the host cannot tell.
	CPU    time.Duration
	Memory int64
	Pids   int64
	OOM    int64 // processes that the kernel killed for want of memory
}

// meter makes percentages of one processor out of two readings.
type meter struct {
	at      time.Time
	used    map[Key]time.Duration
	percent map[Key]float64
}

// read takes the next readings. What was not there before has no percentage yet.
func (m *meter) read(list []Instance, at time.Time) {
	span := at.Sub(m.at)
	used, percent := map[Key]time.Duration{}, map[Key]float64{}
	for _, i := range list {
		if i.CPU < 0 {
			continue
		}
		used[i.Key] = i.CPU
		if before, ok := m.used[i.Key]; ok && span > 0 {
			percent[i.Key] = max(0, float64(i.CPU-before)/float64(span)*100)
		}
	}
	m.at, m.used, m.percent = at, used, percent
}

// of is -1 when it is not known.
func (m *meter) of(k Key) float64 {
	if p, ok := m.percent[k]; ok {
		return p
	}
	return -1
}
