package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"say":  func(a []string) (string, error) { return strings.Join(a, " "), nil },
		"exit": func(a []string) (string, error) { os.Exit(number(a[0])); return "", nil },
		"sleep": func(a []string) (string, error) {
			d, err := time.ParseDuration(a[0])
			time.Sleep(d)
			return "", err
		},
		"hold": func([]string) (string, error) {
			for {
				time.Sleep(time.Hour)
			}
		},
		"ignore": func([]string) (string, error) {
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
			return "", nil
		},
		"fds":    fds,
		"status": status,
		"tasks":  tasks,
		"pids":   pids,
		"env":    func(a []string) (string, error) { return os.Getenv(a[0]), nil },
		"environ": func([]string) (string, error) {
			return strings.Join(os.Environ(), "\n"), nil
		},
		"groups": func([]string) (string, error) {
			g, err := unix.Getgroups()
			return strings.Trim(fmt.Sprint(g), "[]"), err
		},
		"kill":    func(a []string) (string, error) { return "", unix.Kill(number(a[0]), unix.Signal(number(a[1]))) },
		"daemon":  daemon,
		"run":     run,
		"rlimits": rlimits,
		"pgrp": func([]string) (string, error) {
			sid, _ := unix.Getsid(0)
			return fmt.Sprintf("pid=%d pgrp=%d sid=%d", os.Getpid(), unix.Getpgrp(), sid), nil
		},
	})
}

// fds lists the open descriptors and what they are, without the one that lists.
func fds([]string) (string, error) {
	var out []string
	for fd := range 1100 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue
		}
		to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if strings.HasPrefix(to, "anon_inode:") && fd > 2 {
			continue // the probe's own poller
		}
		out = append(out, fmt.Sprint(fd))
	}
	return strings.Join(out, " "), nil
}

// status prints fields of /proc/PID/status.
func status(a []string) (string, error) {
	data, err := os.ReadFile("/proc/" + a[0] + "/status")
	return fields(string(data), a[1:]), err
}

func fields(text string, names []string) string {
	var out []string
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		for _, f := range names {
			if key == f {
				out = append(out, f+"="+strings.Join(strings.Fields(value), ","))
			}
		}
	}
	return strings.Join(out, " ")
}

// tasks prints the same for every thread of every process, one distinct line.
func tasks(a []string) (string, error) {
	seen := map[string]bool{}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return "", err
	}
	n := 0
	for _, p := range names {
		threads, err := os.ReadDir("/proc/" + p.Name() + "/task")
		if err != nil || p.Name() == "self" || p.Name() == "thread-self" {
			continue
		}
		for _, task := range threads {
			data, err := os.ReadFile("/proc/" + p.Name() + "/task/" + task.Name() + "/status")
			if err != nil {
				return "", err
			}
			n++
			seen[fields(string(data), a)] = true
		}
	}
	var out []string
	for line := range seen {
		out = append(out, line)
	}
	if n < 2 {
		return "", fmt.Errorf("only %d tasks", n)
	}
	return strings.Join(out, "\n"), nil
}

func pids([]string) (string, error) {
	names, err := os.ReadDir("/proc")
	var out []string
	for _, n := range names {
		if n.Name()[0] >= '0' && n.Name()[0] <= '9' {
			comm, _ := os.ReadFile("/proc/" + n.Name() + "/comm")
			out = append(out, n.Name()+":"+strings.TrimSpace(string(comm)))
		}
	}
	return strings.Join(out, " "), err
}

// daemon leaves a process behind that has cut every tie and does operations.
func daemon(a []string) (string, error) {
	c := exec.Command("/proc/self/exe", "detach "+strings.Join(a, " "))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err := c.Run()
	return "", err
}

func init() {
	register(map[string]operation{"detach": func(a []string) (string, error) {
		var ops []string
		for op := range strings.SplitSeq(strings.Join(a, " "), ",") {
			ops = append(ops, strings.TrimSpace(op))
		}
		c := exec.Command("/proc/self/exe", ops...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return "", c.Start()
	}})
}

func run(a []string) (string, error) {
	out, err := exec.Command(a[0], a[1:]...).CombinedOutput()
	return string(out), err
}

func rlimits([]string) (string, error) {
	data, err := os.ReadFile("/proc/self/limits")
	return string(data), err
}
