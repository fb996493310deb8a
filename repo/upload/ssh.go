package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/sftp"

	"sandbox/internal/hint"
	"sandbox/internal/safe"
)

// session is a connection to the sftp subsystem behind ssh.
type session struct {
	*sftp.Client
	cmd  *exec.Cmd
	said *tail
	seen *listed       // the names of listings, as they come
	gone chan struct{} // closed when nothing comes any more
}

// sshArgs are those of the user's own ssh, which knows the rest: keys, agents,
// known hosts, jumps. It asks on the terminal, if it must. What is set for logins by
// hand does not count, and no other session comes to depend on this connection. One
// that is dead is noticed after a minute.
func sshArgs(a Address) []string {
	args := []string{"-oForwardX11=no", "-oForwardAgent=no", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oRequestTTY=no", "-oControlMaster=no",
		"-oServerAliveInterval=20", "-oServerAliveCountMax=3"}
	if a.User != "" {
		args = append(args, "-l", a.User)
	}
	if a.Port != "" {
		args = append(args, "-p", a.Port)
	}
	return append(args, "-s", "--", a.Host, "sftp")
}

// ignoreInterrupt starts a program that is not ended by ^C: it comes to all on a
// terminal, and the connection is needed to give the lock up.
const ignoreInterrupt = `trap "" INT; exec "$0" "$@"`

func dial(ctx context.Context, a Address) (*session, error) {
	path, err := exec.LookPath("ssh")
	if err != nil {
		return nil, hint.With(errors.New("there is no ssh"), "install openssh-client")
	}
	s := &session{cmd: exec.Command("/bin/sh", append([]string{"-c", ignoreInterrupt, path}, sshArgs(a)...)...), said: &tail{}, gone: make(chan struct{})}
	s.cmd.Stderr = s.said
	s.cmd.WaitDelay = 5 * time.Second
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.cmd.Process.Kill() }) // it may ask for something
	defer stop()
	s.seen = &listed{Reader: out, max: maxFiles}
	s.Client, err = sftp.NewClientPipe(s.seen, in, sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(64))
	if err == nil {
		go func() { s.Wait(); close(s.gone) }()
		if _, ok := s.HasExtension("posix-rename@openssh.com"); !ok {
			err = hint.With(errors.New("its sftp cannot replace a file at once (posix-rename@openssh.com)"), "use a server with the sftp of OpenSSH")
			s.close()
			return nil, err
		}
		return s, nil
	}
	in.Close()
	s.cmd.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, s.said.explain(a, s.cmd.ProcessState)
}

func (s *session) close() error {
	s.Client.Close()
	done := time.AfterFunc(3*time.Second, func() { s.cmd.Process.Kill() })
	defer done.Stop()
	s.cmd.Wait()
	return nil
}

// sshFaults are what ssh says, and the way out.
var sshFaults = []struct {
	said, hint string
	passing    bool
}{
	{"Host key verification failed", "the key of the host is not the one you know, or you know none yet: 'ssh %s' shows it", false},
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", "the key of the host is not the one you know: 'ssh %s' shows it", false},
	{"Permission denied", "the server takes none of your keys: make 'ssh %s' work first", false},
	{"Too many authentication failures", "make 'ssh %s' work first; IdentitiesOnly in ~/.ssh/config helps", false},
	{"Could not resolve hostname", "look at the name of the host", false},
	{"subsystem request failed", "the server has no sftp: install openssh-sftp-server there, and see 'Subsystem sftp' in its sshd_config", false},
	{"Connection refused", "no ssh server listens there: look at the host and the port", true},
	{"Connection timed out", "the host does not answer: look at the host, the port and the network", true},
	{"Connection reset", "", true},
	{"Connection closed", "", true},
	{"Broken pipe", "", true},
	{"kex_exchange_identification", "", true},
	{"Network is unreachable", "", true},
	{"No route to host", "", true},
}

// tail keeps the last words of ssh.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text) - 4096; n > 0 {
		t.text = bytes.Clone(t.text[n:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

func (t *tail) explain(a Address, state *os.ProcessState) error {
	said := t.String()
	last := "it ended without a word"
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	err := fmt.Errorf("ssh: %s", safe.Text(strings.TrimPrefix(last, "ssh: ")))
	for _, f := range sshFaults {
		if !strings.Contains(said, f.said) {
			continue
		}
		if strings.Contains(f.hint, "%s") {
			err = hint.With(err, f.hint, a.sshWords())
		} else if f.hint != "" {
			err = hint.With(err, "%s", f.hint)
		}
		if f.passing {
			err = passing{err}
		}
		return err
	}
	return hint.With(err, "make 'ssh %s' work first; it must say nothing of its own (see ~/.bashrc there)", a.sshWords())
}

// sshWords is how a user would go there by hand.
func (a Address) sshWords() string {
	words := a.Host
	if a.User != "" {
		words = a.User + "@" + words
	}
	if a.Port != "" {
		words = "-p " + a.Port + " " + words
	}
	return words
}

// lost reports whether an error means that the connection is no more.
func (s *session) lost(err error) bool {
	select {
	case <-s.gone:
		return err != nil
	default:
		return cutOff(err)
	}
}

// cutOff reports whether an error is one of a connection that broke.
func cutOff(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, sftp.ErrSSHFxNoConnection) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed)
}
