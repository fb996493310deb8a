package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/runtime"
)

// detachedFD tells the background half that it is one, and where it reports.
const detachedFD = "SANDBOX_DETACHED_FD"

// report is what the background half says once: that the app runs, or why not.
type report struct {
	Instance string `json:"instance"`
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Code     int    `json:"code,omitempty"`
}

// detach runs this very command again in a session of its own, waits until the
// app has started there, and prints the instance's name.
func detach(a cli.Args, opt runtime.Options) error {
	if text, ok := os.LookupEnv(detachedFD); ok {
		return background(text, opt)
	}
	if len(opt.Pass) > 0 {
		return cli.Usagef("drop one of them", "cannot use --pass-fd with --detach")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	defer null.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	// The name goes along, so that both halves speak of the same instance.
	args := append([]string{"sandbox", "run", "--name", opt.Plan.Instance}, withoutName(os.Args[2:])...)
	p, err := os.StartProcess(self, args, &os.ProcAttr{
		Env:   append(os.Environ(), detachedFD+"=3"),
		Files: []*os.File{null, null, null, w},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	w.Close()
	if err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	p.Release()
	data, err := io.ReadAll(io.LimitReader(r, 64<<10))
	var rep report
	if err != nil || json.Unmarshal(data, &rep) != nil {
		return errors.New("cannot detach: the background half ended without a word")
	}
	if rep.Error != "" {
		err := errors.New(rep.Error)
		if rep.Hint != "" {
			err = hint.With(err, "%s", rep.Hint)
		}
		return cli.Exit(rep.Code, err)
	}
	if a.Has("json") {
		return cli.WriteJSON(os.Stdout, rep)
	}
	_, err = fmt.Println(rep.Instance)
	return err
}

// withoutName drops --name from a command line, up to the bundle.
func withoutName(args []string) []string {
	verb, _ := cli.Find("run")
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--name" && i+1 < len(args):
			return append(append([]string{}, args[:i]...), args[i+2:]...)
		case len(arg) > 7 && arg[:7] == "--name=":
			return append(append([]string{}, args[:i]...), args[i+1:]...)
		case arg == "--" || len(arg) == 0 || arg[0] != '-':
			return args
		case verb.TakesValue(arg):
			i++
		}
	}
	return args
}

// background is the half that stays. Its standard streams are the log.
func background(text string, opt runtime.Options) error {
	os.Unsetenv(detachedFD)
	fd, err := strconv.Atoi(text)
	if err != nil || fd != 3 {
		return cli.Usagef("it is set by --detach alone", "cannot use %s=%s", detachedFD, text)
	}
	syscall.CloseOnExec(fd)
	out := os.NewFile(uintptr(fd), "report")
	log, err := openLog(opt.Host, opt.Plan.Instance)
	if err != nil {
		return say(out, report{Error: err.Error(), Hint: hint.Of(err), Code: cli.NotStarted})
	}
	defer log.close()
	opt.Detached = true
	opt.Std = [3]int{0, int(log.in.Fd()), int(log.in.Fd())}
	opt.Warn = func(s string) { cli.Warn(log.in, "%s", s) }
	told := false
	opt.Started = func(e *runtime.Entry) {
		told = true
		say(out, report{Instance: e.Instance})
	}
	status, err := runtime.Run(opt)
	err = result(status, err)
	if !told {
		return say(out, failed(err))
	}
	cli.Note(log.in, "ended with status %d", status)
	return err
}

func failed(err error) report {
	rep := report{Error: "the app ended at once", Code: cli.NotStarted}
	if s, ok := errors.AsType[cli.Status](err); ok {
		rep.Code = s.Code
		if s.Err != nil {
			rep.Error, rep.Hint = s.Err.Error(), hint.Of(s.Err)
		}
	}
	return rep
}

func say(w *os.File, rep report) error {
	defer w.Close()
	return json.NewEncoder(w).Encode(rep)
}
