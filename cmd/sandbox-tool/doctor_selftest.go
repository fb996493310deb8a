package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/runtime"
)

// selfTest is what attacks from inside a sandbox came to.
type selfTest struct {
	Error   string   `json:"error,omitempty"` // why there was none
	Attacks []result `json:"attacks"`
}

// result is one attack, made in a sandbox and outside.
type result struct {
	ID      string  `json:"id"` // stable
	Title   string  `json:"title"`
	Verdict string  `json:"verdict"`
	Inside  outcome `json:"inside"`
	Outside outcome `json:"outside"`
}

// Verdicts.
const (
	blocked = "blocked"
	open    = "OPEN"    // it succeeded in the sandbox
	unclear = "unclear" // it fails the same way outside
	notRun  = "not run"
)

// outcome is how one attack went on one side. The zero value is no answer.
type outcome struct {
	Made      bool   `json:"made"`
	Succeeded bool   `json:"succeeded"`
	Text      string `json:"text"` // what came of it
}

func (o outcome) text() string {
	switch {
	case !o.Made:
		return "no answer"
	case o.Text == "":
		return "succeeds"
	}
	return safe.Text(o.Text)
}

// judge concludes from both sides. Only a difference shows that it is the
// sandbox that stopped the attack.
func judge(inside, outside outcome) string {
	switch {
	case inside.Made && inside.Succeeded:
		return open
	case !inside.Made || !outside.Made:
		return unclear
	case outside.Succeeded || inside.Text != outside.Text:
		return blocked
	}
	return unclear
}

// held reports whether the sandbox was really tried and nothing got through.
func (s *selfTest) held() bool {
	proved := false
	for _, r := range s.Attacks {
		if r.Verdict == open {
			return false
		}
		proved = proved || r.Verdict == blocked
	}
	return s.Error == "" && proved
}

// attackAll sets up what is to be attacked and makes every attack on both sides.
func attackAll(ctx context.Context, o doctorOptions, host *runtime.Host) *selfTest {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	s := &selfTest{Attacks: []result{}}
	l, err := newLab(o, host)
	defer l.close()
	if err == nil {
		err = l.compare(ctx, s, host.Landlock >= scopedLandlock)
	}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// scopedLandlock is the level from which abstract sockets are out of reach
// even with network:host.
const scopedLandlock = 6

func (l *lab) compare(ctx context.Context, s *selfTest, scoped bool) error {
	outside, err := l.outside(ctx)
	if err != nil {
		return err
	}
	inside, err := l.inside(ctx)
	if err != nil {
		return err
	}
	for _, a := range attacks() {
		r := result{ID: a.id, Title: a.title, Inside: inside[a.id], Outside: outside[a.id]}
		r.Verdict = judge(r.Inside, r.Outside)
		s.Attacks = append(s.Attacks, r)
	}
	if !scoped {
		return nil
	}
	shared, err := l.inside(ctx, "--grant", "network:host")
	if err != nil {
		return err
	}
	r := result{ID: "abstract-socket-network", Title: "the same, given network:host", Inside: shared["abstract-socket"], Outside: outside["abstract-socket"]}
	if r.Verdict = judge(r.Inside, r.Outside); r.Verdict == blocked && !shared["tcp"].Succeeded {
		r.Verdict = unclear // the grant gave no network at all
	}
	at := len(s.Attacks)
	for i := range s.Attacks {
		if s.Attacks[i].ID == "abstract-socket" {
			at = i + 1
		}
	}
	s.Attacks = append(s.Attacks[:at], append([]result{r}, s.Attacks[at:]...)...)
	return nil
}

// lab is what is attacked, and the bundle of the probe. Everything in it is
// made for the test and removed with it.
type lab struct {
	lean      string
	bundle    string
	probe     string
	home      *os.File // an open directory, for the probe to inherit
	target    target
	secret    string
	listeners []net.Listener
	paths     []string // to remove
}

// secretVariable carries a canary in the environment.
const secretVariable = "SANDBOX_DOCTOR_SECRET"

func newLab(o doctorOptions, host *runtime.Host) (*lab, error) {
	l := &lab{lean: o.lean, secret: rand.Text()}
	l.target = target{Secret: l.secret}
	if _, err := os.Stat(o.lean); err != nil {
		return l, fmt.Errorf("cannot find the launcher: %w; it belongs in the directory of sandbox-tool", err)
	}
	for _, step := range []func() error{
		func() error { return l.plant(host.Home) },
		func() error { return l.pack(o.self, host.Dirs.Cache) },
		l.listen,
	} {
		if err := step(); err != nil {
			return l, fmt.Errorf("cannot prepare the self-test: %w", err)
		}
	}
	return l, nil
}

func (l *lab) close() {
	for _, x := range l.listeners {
		x.Close()
	}
	if l.home != nil {
		l.home.Close()
	}
	for _, p := range l.paths {
		os.RemoveAll(p)
	}
}

// plant leaves a secret of the user's in their home, and opens the directory.
func (l *lab) plant(home string) error {
	f, err := os.CreateTemp(home, ".sandbox-doctor-*")
	if err != nil {
		return err
	}
	l.paths = append(l.paths, f.Name())
	_, err = f.WriteString(l.secret)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	l.target.Canary = f.Name()
	l.home, err = os.Open(home)
	return err
}

const probeManifest = `id = "org.sandbox.Doctor"
name = "Self-test"
version = "1"
summary = "Attacks the sandbox from inside"
command = "probe"
args = ["doctor", "` + probeWord + `"]
`

// pack makes a bundle of this very program: it is static, and needs no runtime.
// Not in /tmp where it can be helped: that may be mounted noexec.
func (l *lab) pack(self, cache string) error {
	if disk.PrivateDir(cache) != nil {
		cache = os.TempDir()
	}
	dir, err := os.MkdirTemp(cache, "doctor-*")
	if err != nil {
		return err
	}
	l.paths = append(l.paths, dir)
	l.bundle = dir
	l.probe = filepath.Join(dir, "files/bin/probe")
	for _, d := range []string{filepath.Dir(l.probe), filepath.Join(dir, "usr/share")} { // a /usr to attack
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, manifest.FileName), []byte(probeManifest), 0o644); err != nil {
		return err
	}
	return copyProgram(self, l.probe)
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o755), out.Close())
}

// listen opens a service of the host's on TCP and one on an abstract socket,
// both of which tell the secret to whoever connects.
func (l *lab) listen() error {
	name := "@sandbox-doctor-" + rand.Text()
	for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", name}} {
		x, err := net.Listen(at[0], at[1])
		if err != nil {
			return err
		}
		l.listeners = append(l.listeners, x)
		go tell(x, l.secret)
	}
	l.target.TCP, l.target.Abstract = l.listeners[0].Addr().String(), name
	return nil
}

func tell(x net.Listener, secret string) {
	for {
		c, err := x.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, secret)
		c.Close()
	}
}

// inside makes the attacks in a sandbox that the launcher starts.
func (l *lab) inside(ctx context.Context, flags ...string) (map[string]outcome, error) {
	args := append([]string{"run", "--ephemeral"}, flags...)
	return l.run(ctx, l.lean, append(args, l.bundle))
}

// outside makes them with the same program and nothing around it.
func (l *lab) outside(ctx context.Context) (map[string]outcome, error) {
	return l.run(ctx, l.probe, []string{"doctor", probeWord})
}

func (l *lab) run(ctx context.Context, program string, args []string) (map[string]outcome, error) {
	v, err := l.newVictim(ctx)
	if err != nil {
		return nil, err
	}
	defer v.end()
	t := l.target
	t.Victim = v.pid()
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(ctx, program, append(args, string(text))...)
	c.WaitDelay = 5 * time.Second
	c.Env = append(os.Environ(), secretVariable+"="+l.secret)
	c.Stdout, c.Stderr = &stdout, &stderr
	c.ExtraFiles = []*os.File{l.home} // descriptor 3
	err = c.Run()
	found := map[string]outcome{}
	if e := json.Unmarshal(stdout.Bytes(), &found); e != nil {
		return nil, notAnswered(program, err, stderr.String())
	}
	if v.died() {
		found["kill"] = outcome{Made: true, Succeeded: true}
	}
	return found, nil
}

// notAnswered says why a probe gave no report: what the launcher printed.
func notAnswered(program string, err error, stderr string) error {
	for line := range strings.Lines(stderr) {
		if reason, ok := strings.CutPrefix(line, "sandbox: error: "); ok {
			return errors.New(strings.TrimSpace(reason))
		}
	}
	if err == nil {
		err = errors.New("it printed no report")
	}
	return fmt.Errorf("cannot run the probe by %s: %w", program, err)
}

// victim is a process of the host's, for attacks on processes. It ends with
// its standard input.
type victim struct {
	c    *exec.Cmd
	in   io.WriteCloser
	gone chan struct{}
}

func (l *lab) newVictim(ctx context.Context) (*victim, error) {
	v := &victim{c: exec.CommandContext(ctx, l.probe, "doctor", probeWord, stepSleep, l.secret), gone: make(chan struct{})}
	var err error
	if v.in, err = v.c.StdinPipe(); err != nil {
		return nil, err
	}
	if err := v.c.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the probe: %w", err)
	}
	go func() {
		v.c.Wait()
		close(v.gone)
	}()
	return v, nil
}

func (v *victim) pid() int { return v.c.Process.Pid }

func (v *victim) died() bool {
	select {
	case <-v.gone:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

func (v *victim) end() {
	v.in.Close()
	<-v.gone
}
