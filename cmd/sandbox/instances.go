package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/runtime"
)

// each does something with every chosen instance and reports every failure.
func each(a cli.Args, do func(*runtime.Entry) error) error {
	entries, err := chosen(a)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		failed = append(failed, do(e))
	}
	return errors.Join(failed...)
}

func runStop(a cli.Args) error {
	timeout := 10 * time.Second
	if a.Has("timeout") {
		var err error
		if timeout, err = seconds(a.String("timeout")); err != nil {
			return err
		}
	}
	return each(a, func(e *runtime.Entry) error {
		forced, err := e.Stop(timeout)
		if forced && err == nil {
			cli.Note(os.Stderr, "%s did not end in %s and was killed", e.Instance, timeout)
		}
		return err
	})
}

// seconds reads a duration; a bare number is seconds, as in timeout(1).
func seconds(text string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		text = fmt.Sprintf("%gs", n)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 24*time.Hour {
		return 0, cli.Usagef("write it as 10s, 500ms or 2m", "cannot wait %q", text)
	}
	return d, nil
}

func runKill(a cli.Args) error {
	sig := unix.Signal(0)
	if a.Has("signal") {
		text := a.String("signal")
		if sig = signalNamed(text); sig == 0 {
			return cli.Usagef("name it as TERM, SIGTERM or 15; 'kill -l' lists them", "unknown signal %q", text)
		}
	}
	return each(a, func(e *runtime.Entry) error {
		if sig == 0 || sig == unix.SIGKILL {
			return e.Kill()
		}
		if sig == unix.SIGSTOP {
			return e.Pause()
		}
		if sig == unix.SIGCONT && e.Paused() {
			return e.Resume()
		}
		return e.Signal(sig)
	})
}

// signalNamed is 0 for what is no signal that an app can be sent.
func signalNamed(text string) unix.Signal {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > 31 {
			return 0
		}
		return unix.Signal(n)
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return unix.SignalNum(name)
}

func runPause(a cli.Args) error  { return each(a, (*runtime.Entry).Pause) }
func runResume(a cli.Args) error { return each(a, (*runtime.Entry).Resume) }

func runEnter(a cli.Args) error {
	host, r, err := registry()
	if err != nil {
		return notStarted(err)
	}
	e, err := find(r, a.Rest[0])
	if err != nil {
		return notStarted(err)
	}
	rules, err := envFlags(a.Strings("env"))
	if err != nil {
		return err
	}
	opt := runtime.EnterOptions{Argv: a.Rest[1:], Dir: a.String("cwd"), Std: [3]int{0, 1, 2}, NoPty: a.Has("no-pty"), Warn: warn}
	for _, v := range rules {
		if !v.Set {
			var there bool
			if v.Value, there = os.LookupEnv(v.Name); !there {
				continue
			}
		}
		opt.Env = append(opt.Env, v.Name+"="+v.Value)
	}
	return result(e.Enter(host, opt))
}
