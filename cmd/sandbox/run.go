package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/runtime"
	"sandbox/runtime/cgroup"
)

func runRun(a cli.Args) error {
	if isCarried(a.Rest[0]) {
		return notStarted(cli.Exec(cli.Tool, append([]string{"run-file"}, os.Args[2:]...)))
	}
	if a.Has("json") && !a.Has("dry-run") && !a.Has("detach") {
		return cli.Usagef("give --dry-run or --detach with it", "--json prints nothing while the app has the terminal")
	}
	opt, err := prepareRun(a)
	if err != nil {
		return notStarted(err)
	}
	switch {
	case a.Has("dry-run") && a.Has("json"):
		return cli.WriteJSON(os.Stdout, opt.Plan)
	case a.Has("dry-run"):
		_, err := fmt.Print(opt.Plan)
		return err
	case a.Has("detach"):
		return notStarted(detach(a, opt))
	}
	tellHidden(opt, a.Rest[1:])
	return result(runtime.Run(opt))
}

// tellHidden says before the app does that it cannot find a file it is given.
func tellHidden(opt runtime.Options, args []string) {
	if !cli.Terminal(os.Stderr) {
		return
	}
	for _, file := range opt.Plan.Hidden(opt.Host, args) {
		p, err := permissions.File(file, permissions.Write)
		if err != nil {
			continue
		}
		cli.Note(os.Stderr, "the app cannot see %s; --grant %s would show it", file, p)
	}
}

// prepareRun turns the command line into a launch: everything is read and
// decided here, and nothing is done yet.
func prepareRun(a cli.Args) (runtime.Options, error) {
	host, err := runtime.ThisHost()
	if err != nil {
		return runtime.Options{}, err
	}
	req, err := request(a, host)
	if err != nil {
		return runtime.Options{}, err
	}
	plan, err := runtime.Make(req, host)
	if err != nil {
		return runtime.Options{}, err
	}
	limits, err := limitsOf(req.Permissions.Set())
	if err != nil {
		return runtime.Options{}, err
	}
	opt := runtime.Options{Plan: plan, Host: host, Limits: limits, Std: [3]int{0, 1, 2},
		NoPty: a.Has("no-pty"), Strict: a.Has("strict"), Warn: warn}
	if opt.Pass, err = passed(a.Strings("pass-fd")); err != nil {
		return runtime.Options{}, err
	}
	if a.Has("dry-run") {
		return opt, nil
	}
	opt.Registry, err = runtime.OpenRegistry(host)
	return opt, err
}

// isCarried: a single-file bundle is verified, and its permissions are agreed to,
// by the program that installs; it comes back with a directory.
func isCarried(name string) bool {
	if !isPath(name) || !strings.HasSuffix(name, ".sandbox") {
		return false
	}
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

func warn(text string) { cli.Warn(os.Stderr, "%s", text) }

func request(a cli.Args, host *runtime.Host) (runtime.Request, error) {
	b, err := openBundle(a.Rest[0], a.String("channel"), host)
	if err != nil {
		return runtime.Request{}, err
	}
	man := b.man
	req := runtime.Request{Manifest: man, Bundle: b.dir, Args: a.Rest[1:],
		Command: a.String("command"), Dir: a.String("cwd"), Ephemeral: a.Has("ephemeral"), Instance: a.String("name")}
	if req.Runtime, req.Base, err = openRuntime(a.String("runtime"), man, host); err != nil {
		return req, err
	}
	byName(&req, b.command)
	if !a.Has("name") {
		req.Instance = newName(man.ID)
	} else if !runtime.ValidInstance(req.Instance) {
		return req, hint.With(fmt.Errorf("cannot name an instance %q", req.Instance), "use letters, digits, '-', '_' and '.', at most 64")
	}
	flags, err := flagLayer(a)
	if err != nil {
		return req, err
	}
	req.Permissions = permissions.Merge(man.Layer(), flags)
	for _, e := range flags.Entries {
		if e.Decision == permissions.Allow && e.Kind == permissions.Files {
			req.Asked = append(req.Asked, e.Subject)
		}
	}
	req.Env, err = envFlags(a.Strings("env"))
	return req, err
}

// newName is the id's last part and a few random letters.
func newName(id manifest.ID) string {
	name := strings.ToLower(string(id[strings.LastIndexByte(string(id), '.')+1:]))
	return name[:min(len(name), 40)] + "-" + letters(6)
}

// letters are random, out of those that are not mistaken for one another.
func letters(n int) string {
	const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	buf := make([]byte, n)
	if m, err := unix.Getrandom(buf, 0); err != nil || m != n {
		buf = fmt.Appendf(buf[:0], "%0*d", n, os.Getpid())
		return string(buf)
	}
	for i := range buf {
		buf[i] = alphabet[int(buf[i])%len(alphabet)]
	}
	return string(buf)
}

// flagLayer is what the command line grants, denies and limits.
func flagLayer(a cli.Args) (permissions.Layer, error) {
	layer := permissions.Layer{Name: "this run"}
	add := func(flag string, d permissions.Decision, texts []string) error {
		for _, text := range texts {
			p, err := permissions.Parse(text)
			if err != nil {
				return cli.Exit(cli.UsageError, fmt.Errorf("cannot use --%s %s: %w", flag, text, err))
			}
			layer.Entries = append(layer.Entries, permissions.Entry{Permission: p, Decision: d,
				Origin: permissions.Origin{Layer: layer.Name, File: "--" + flag}})
		}
		return nil
	}
	limits := a.Strings("limit")
	for i := range limits {
		limits[i] = "limit:" + limits[i]
	}
	err := errors.Join(
		add("grant", permissions.Allow, a.Strings("grant")),
		add("deny", permissions.Deny, a.Strings("deny")),
		add("limit", permissions.Allow, limits))
	return layer, err
}

func envFlags(list []string) ([]permissions.EnvRule, error) {
	var out []permissions.EnvRule
	for _, e := range list {
		name, value, set := strings.Cut(e, "=")
		if err := manifest.CheckEnvName(name); err != nil {
			return nil, cli.Exit(cli.UsageError, fmt.Errorf("cannot use --env %s: %w", e, err))
		}
		out = append(out, permissions.EnvRule{Name: name, Value: value, Set: set})
	}
	return out, nil
}

func passed(list []string) ([]int, error) {
	var out []int
	for _, text := range list {
		fd, err := strconv.Atoi(text)
		if err != nil || fd < 3 || fd >= runtime.FirstReserved {
			return nil, cli.Usagef(fmt.Sprintf("name an open file descriptor from 3 to %d", runtime.FirstReserved-1), "cannot use --pass-fd %s", text)
		}
		// What the caller left open has survived execve(2): the rest is our own.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			return nil, cli.Usagef("open it in the calling shell: 3<FILE", "cannot use --pass-fd %d: it is not open", fd)
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return nil, cli.Usagef("grant it with files:", "cannot use --pass-fd %d: by a directory the app would reach all that lies around it", fd)
		}
		out = append(out, fd)
	}
	return out, nil
}

// limitsOf translates limit: permissions.
func limitsOf(set permissions.Set) (cgroup.Limits, error) {
	l := cgroup.Unlimited()
	for _, v := range set.Limits() {
		switch v.Name() {
		case "memory":
			l.Memory = v.Int()
		case "swap":
			l.Swap = v.Int()
		case "pids":
			l.Pids = v.Int()
		case "files":
			l.Files = v.Int()
		case "cpu":
			l.CPU = v.Cores()
		case "io":
			l.IORead, l.IOWrite = v.Int(), v.Int()
		case "time":
			l.Time = v.Duration()
		default:
			return l, fmt.Errorf("internal error: limit %q", v.Name())
		}
	}
	return l, l.Check()
}

// notStarted gives an error of the launch the exit code that says so.
func notStarted(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := errors.AsType[cli.Status](err); ok && s.Code != cli.Failed {
		return err
	}
	if problems, ok := errors.AsType[manifest.Problems](err); ok {
		manifest.Explain(os.Stderr, problems)
		return cli.Status{Code: cli.NotStarted}
	}
	return cli.Exit(cli.NotStarted, err)
}

// result is a finished run as the shell will see it.
func result(status int, err error) error {
	if failed, ok := errors.AsType[*runtime.StartError](err); ok {
		return cli.Exit(failed.Code, err)
	}
	if err != nil {
		return notStarted(err)
	}
	if status == 0 {
		return nil
	}
	return cli.Status{Code: status}
}
