package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/repo/key"
)

// passphraseVariable is for machines that sign without a person.
const passphraseVariable = "SANDBOX_KEY_PASSPHRASE"

const maxPassphrase = 4096

// passphrases answers where a passphrase is asked for: from a file, from the
// environment, else from the terminal. Only a person is asked twice.
func passphrases(ctx context.Context, file string) key.Ask {
	return func(label string, attempt int) ([]byte, error) {
		pass, from, err := given(file)
		if err != nil {
			return nil, err
		}
		if from == "" {
			if attempt > 0 {
				cli.Note(os.Stderr, "that is not the passphrase")
			}
			return askTerminal(ctx, fmt.Sprintf("Passphrase of key %q: ", safe.Text(label)))
		}
		if attempt > 0 {
			return nil, hint.With(key.ErrPassphrase, "the passphrase came from %s", from)
		}
		return pass, nil
	}
}

// given is the passphrase that nobody has to be asked for, and where it came
// from; from is "" when there is none.
func given(file string) (pass []byte, from string, err error) {
	if file != "" {
		pass, err := readPassphrase(file)
		if err != nil {
			return nil, "", fmt.Errorf("cannot read the passphrase: %w", err)
		}
		return pass, file, nil
	}
	if p := os.Getenv(passphraseVariable); p != "" {
		return []byte(p), "$" + passphraseVariable, nil
	}
	return nil, "", nil
}

// readPassphrase takes the first line of a file; "-" is standard input.
func readPassphrase(file string) ([]byte, error) {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPassphrase+1))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > maxPassphrase {
		return nil, errors.New("it is too long")
	}
	if len(line) == 0 {
		return nil, fmt.Errorf("the first line of %q is empty", file)
	}
	return bytes.Clone(line), nil
}

// newPassphrase is the one for a key that is being made. An empty one is not
// taken for a decision to do without.
func newPassphrase(ctx context.Context, file string) ([]byte, error) {
	pass, from, err := given(file)
	if err != nil || from != "" {
		return pass, err
	}
	if pass, err = askTerminal(ctx, "Passphrase for the new key: "); err != nil {
		return nil, err
	}
	if len(pass) == 0 {
		return nil, hint.With(errors.New("the passphrase is empty"), "--no-passphrase makes a key that lies open in its file")
	}
	again, err := askTerminal(ctx, "The same again: ")
	if err == nil && !bytes.Equal(pass, again) {
		err = errors.New("the two passphrases differ")
	}
	clear(again)
	return pass, err
}

// askTerminal asks on the controlling terminal, whatever standard input is, and
// does not show what is typed. When ctx ends meanwhile, the terminal is as it
// was.
func askTerminal(ctx context.Context, prompt string) ([]byte, error) {
	noTerminal := func(err error) error {
		return hint.With(fmt.Errorf("cannot ask for the passphrase: %w", err), "without a terminal, set %s or name a file with --passphrase-file", passphraseVariable)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, noTerminal(err)
	}
	defer tty.Close()
	fd := int(tty.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, noTerminal(err)
	}
	quiet := *old
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, noTerminal(err)
	}
	defer unix.IoctlSetTermios(fd, unix.TCSETS, old)
	io.WriteString(tty, prompt)
	defer io.WriteString(tty, "\n")
	return readLine(ctx, fd)
}

// readLine waits for a line or for ctx, whichever comes first.
func readLine(ctx context.Context, fd int) ([]byte, error) {
	var line []byte
	buf := make([]byte, 256)
	defer clear(buf)
	for len(line) <= maxPassphrase {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if err == unix.EINTR || err == nil && ready == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		line = append(line, buf[:n]...)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			return line[:i], nil
		}
		if n == 0 {
			return line, nil
		}
	}
	return nil, errors.New("it is too long")
}

// keyRing finds keys where this user keeps them.
func keyRing(ctx context.Context, passphraseFile string) (*key.Ring, error) {
	home, err := disk.Home()
	if err != nil {
		return nil, err
	}
	return &key.Ring{
		Dir:   key.Dir(disk.UserDirs(os.Getenv, home)),
		Agent: os.Getenv("SSH_AUTH_SOCK"),
		Ask:   passphrases(ctx, passphraseFile),
	}, nil
}
