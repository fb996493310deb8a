package bundle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// An aptRoot is a private state for apt: lists, caches and package status of
// its own, the host's keys and network settings. It needs no root, and the
// host's apt never learns of it.
type aptRoot struct {
	dir    string
	arch   string
	suite  string
	notify func(Event)
	lock   *os.File
}

// listsFresh is how long fetched package lists are used without asking again.
const listsFresh = 6 * time.Hour

// openApt prepares the private root for suite below cache and holds its lock
// until close.
func openApt(ctx context.Context, cache, suite, mirror string, notify func(Event)) (*aptRoot, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "apt-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, hint.With(fmt.Errorf("cannot find %s", tool), "a debian source is fetched with apt: install apt and debian-archive-keyring, or build on Debian")
		}
	}
	sources, err := aptSources(suite, mirror)
	if err != nil {
		return nil, err
	}
	settings, err := hostSettings(ctx)
	if err != nil {
		return nil, err
	}
	arch := debianArch(runtime.GOARCH)
	var list strings.Builder
	for _, s := range sources {
		list.WriteString(s.String() + "\n")
	}
	key := sha256.Sum256([]byte(arch + "\n" + list.String() + settings))
	a := &aptRoot{dir: filepath.Join(cache, "apt", hex.EncodeToString(key[:8])), arch: arch, suite: suite, notify: notify}
	if strings.ContainsAny(a.dir, "\"\n\\") {
		return nil, fmt.Errorf("cannot use the cache %q: apt allows no quotes, backslashes or line breaks in its directories", cache)
	}
	for _, d := range []string{"etc/parts", "etc/preferences.d", "etc/sources.list.d", "state/lists/partial", "cache/archives/partial", "fetch"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if a.lock, err = lockFile(ctx, filepath.Join(a.dir, "lock")); err != nil {
		return nil, err
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(a.dir, "etc/sources.list.d/bundle.sources"), []byte(list.String()), 0o644),
		os.WriteFile(filepath.Join(a.dir, "apt.conf"), []byte(a.config(settings)), 0o644))
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *aptRoot) close() { a.lock.Close() }

// config makes apt look nowhere but into the private root, except for keys and
// credentials. Recommended packages are not taken: a bundle lists what it wants.
func (a *aptRoot) config(settings string) string {
	return settings + fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Log "%[1]s/log";
Dir::Etc::parts "%[1]s/etc/parts";
Dir::Etc::main "%[1]s/etc/apt.conf";
Dir::Etc::sourcelist "%[1]s/etc/sources.list";
Dir::Etc::sourceparts "%[1]s/etc/sources.list.d";
Dir::Etc::preferences "%[1]s/etc/preferences";
Dir::Etc::preferencesparts "%[1]s/etc/preferences.d";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::PDiffs "false";
APT::Architecture "%[2]s";
APT::Architectures { "%[2]s"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Immediate-Configure "false";
APT::Get::AllowUnauthenticated "false";
`, a.dir, a.arch)
}

// hostSettings are the network settings of the host's apt (proxy, timeouts,
// checks of dates) as configuration text; its hooks are not among them.
func hostSettings(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("apt-config dump: %w", err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, " ")
		for _, p := range []string{"Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Retries", "Acquire::ForceIPv", "Acquire::Queue-Mode",
			"Acquire::Check-Date", "Acquire::Check-Valid-Until", "Acquire::Max-ValidTime", "Acquire::Min-ValidTime", "Acquire::By-Hash", "Acquire::Proxy-Auto-Detect"} {
			if strings.HasPrefix(name, p) && strings.HasSuffix(line, ";\n") {
				kept.WriteString(line)
				break
			}
		}
	}
	return kept.String(), nil
}

// debianArch is Debian's name for an architecture of Go.
func debianArch(goarch string) string {
	switch goarch {
	case "386":
		return "i386"
	case "arm":
		return "armhf"
	case "ppc64le":
		return "ppc64el"
	}
	return goarch
}

const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// aptSources are the archives for suite: the mirror, or the host's own ones.
func aptSources(suite, mirror string) ([]aptSource, error) {
	if mirror != "" {
		keyring := ""
		if _, err := os.Stat(debianKeyring); err == nil {
			keyring = debianKeyring
		}
		s, err := mirrorSource(mirror, suite, keyring)
		return []aptSource{s}, err
	}
	var host []aptSource
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				continue // credentials may be readable by root alone
			}
			if strings.HasSuffix(name, ".sources") {
				found, _ := parseDeb822(string(text))
				host = append(host, found...)
				continue
			}
			host = append(host, parseOneLine(string(text))...)
		}
	}
	release, _ := os.ReadFile("/etc/os-release")
	found := forSuite(host, append(releaseNames(string(release)), suite), suite)
	if len(found) == 0 {
		return nil, hint.With(fmt.Errorf("cannot find a Debian archive for %q: the apt sources of this machine name none", suite), "add a Debian archive that has it to the apt sources of this machine, and install debian-archive-keyring")
	}
	return found, nil
}

// releaseNames are the names by which the host's apt sources may call its release.
func releaseNames(osRelease string) []string {
	names := []string{"stable", "testing", "unstable", "sid", "oldstable", "oldoldstable"}
	for line := range strings.Lines(osRelease) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			names = append(names, strings.Trim(v, `"'`))
		}
	}
	return names
}

// command runs an apt tool on the private root. What it says on stderr is in
// the error; out, if not nil, gets each line of its status descriptor.
func (a *aptRoot) command(ctx context.Context, dir string, status func(string), name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"APT_CONFIG=" + filepath.Join(a.dir, "apt.conf"), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	for _, v := range []string{"PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy"} {
		if value, ok := os.LookupEnv(v); ok {
			cmd.Env = append(cmd.Env, v+"="+value)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	finish := func() {}
	if status != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		cmd.ExtraFiles = []*os.File{w}
		cmd.Args = slices.Insert(cmd.Args, 1, "-o", "APT::Status-Fd=3")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for in := bufio.NewScanner(r); in.Scan(); {
				status(in.Text())
			}
			io.Copy(io.Discard, r)
		}()
		finish = func() { w.Close(); <-done; r.Close() }
	}
	err := cmd.Run()
	finish()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return stdout.Bytes(), aptError(name, args, stderr.String()+stdout.String(), err)
	}
	return stdout.Bytes(), nil
}

// progress turns apt's status lines, dlstatus:INDEX:PERCENT:TEXT, into events.
func (a *aptRoot) progress(stage string, total int64) func(string) {
	return func(line string) {
		f := strings.SplitN(line, ":", 4)
		if len(f) != 4 || f[0] != "dlstatus" {
			return
		}
		if percent, err := strconv.ParseFloat(f[2], 64); err == nil {
			a.notify(Event{Stage: stage, Text: f[3], Done: int64(percent / 100 * float64(total)), Total: total})
		}
	}
}

// update fetches the package lists unless they are fresh.
func (a *aptRoot) update(ctx context.Context, force bool) error {
	stamp := filepath.Join(a.dir, "updated")
	if st, err := os.Stat(stamp); err == nil && !force && time.Since(st.ModTime()) < listsFresh {
		return nil
	}
	a.notify(Event{Stage: "lists", Text: "fetching the package lists of " + a.suite})
	if err := os.WriteFile(filepath.Join(a.dir, "state/status"), nil, 0o644); err != nil {
		return err
	}
	if _, err := a.command(ctx, a.dir, a.progress("lists", 100), "apt-get", "-q", "update", "--error-on=any"); err != nil {
		return err
	}
	return os.WriteFile(stamp, nil, 0o644)
}

// lockFile takes an exclusive lock that ends with the file or the process.
func lockFile(ctx context.Context, name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			break
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	f.Close()
	return nil, fmt.Errorf("cannot lock %q: %w", name, err)
}

// letDownload hands dir to the user that apt downloads as when it runs as
// root. Where that user cannot reach it, apt downloads as root.
func (a *aptRoot) letDownload(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("_apt")
	if err != nil {
		return nil
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil
	}
	return os.Chown(dir, uid, -1)
}
