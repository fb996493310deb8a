package key

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

const (
	secretSuffix = ".key"
	publicSuffix = ".pub"
	maxFile      = 16 << 10
)

// File is a key on disk that is not opened yet.
type File struct {
	Path    string
	Name    string
	Created time.Time
	Sealed  bool // by a passphrase

	public   Public
	envelope *envelope
}

// Public is the public half, as the file says. A file that lies about it does
// not open.
func (f *File) Public() Public { return f.public }

// CheckName tells whether text may name a key: it becomes the name of a file.
func CheckName(text string) error {
	ok := text != "" && len(text) <= 64 && text[0] != '.' && text[0] != '-'
	for _, r := range text {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if !ok {
		return hint.With(fmt.Errorf("cannot call a key %q", text), "up to 64 letters, digits and . _ - inside")
	}
	return nil
}

// Create makes a key of that name and writes NAME.key and NAME.pub into dir,
// which is made when it is missing. It never replaces a key. With an empty
// passphrase the secret lies open in the file.
func Create(dir, name string, passphrase []byte) (*File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+secretSuffix)
	fail := func(err error) (*File, error) {
		return nil, fmt.Errorf("cannot create key %q: %w", name, err)
	}
	if err := makeDir(dir); err != nil {
		return fail(err)
	}
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fail(err)
	}
	defer clear(secret)
	e, err := seal(name, Public(public), secret, passphrase, time.Now())
	if err != nil {
		return fail(err)
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fail(err)
	}
	// The public half first: a key whose public half cannot be written would
	// be of no use, and a stray public half does no harm.
	pub := filepath.Join(dir, name+publicSuffix)
	if err := writeNew(pub, []byte(Public(public).String()+" "+name+"\n"), 0o644); err != nil {
		return fail(exists(err, name))
	}
	if err := writeNew(path, append(data, '\n'), 0o600); err != nil {
		os.Remove(pub)
		return fail(exists(err, name))
	}
	if err := disk.SyncDir(dir); err != nil {
		return fail(err)
	}
	return Load(path)
}

// makeDir makes a missing directory private. One that is there stays as it is:
// it may be anything of the user's.
func makeDir(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	return disk.PrivateDir(dir)
}

func exists(err error, name string) error {
	if errors.Is(err, fs.ErrExist) {
		return hint.With(fmt.Errorf("there is one of that name: %w", err), "choose another name; 'sandbox key show %s' prints the one there is", name)
	}
	return err
}

func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		os.Remove(path)
	}
	return err
}

// Load reads a key file without opening the key. A file that others can read or
// write, or that another user owns, is refused, sealed or not: somebody else may
// have put it there.
func Load(path string) (*File, error) {
	data, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read key %q: %w", path, err)
	}
	e, public, err := parseEnvelope(data)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read key %q: %w", path, err), "'sandbox key create NAME' makes a key; a public key (.pub) stands for one in your ssh-agent")
	}
	created, _ := time.Parse(time.RFC3339, e.Created)
	return &File{Path: path, Name: e.Name, Created: created, Sealed: e.KDF != nil, public: public, envelope: e}, nil
}

func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO must not wait for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	if st.Mode()&0o077 != 0 {
		return nil, hint.With(fmt.Errorf("others have access to it (mode %04o)", st.Mode().Perm()), "chmod 600 %s", path)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() && sys.Uid != 0 {
		return nil, hint.With(fmt.Errorf("it belongs to uid %d", sys.Uid), "use a key of your own, or make the file yours")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it is too large for a key")
	}
	return data, err
}

// Open takes the secret half out of the file. A wrong passphrase is
// ErrPassphrase.
func (f *File) Open(passphrase []byte) (Signer, error) {
	secret, err := f.envelope.open(f.public, passphrase)
	if err != nil {
		return nil, fmt.Errorf("cannot open key %q: %w", f.Path, err)
	}
	return &opened{f.public, secret, f.Name}, nil
}

// Signer is the key, opened when it has to sign for the first time.
func (f *File) Signer(ask Ask) Signer { return &closed{file: f, ask: ask} }

type closed struct {
	file *File
	ask  Ask
	open Signer
}

func (c *closed) Public() Public { return c.file.public }
func (c *closed) Label() string  { return c.file.Name }

func (c *closed) Sign(message []byte) ([]byte, error) {
	if err := c.Unlock(); err != nil {
		return nil, err
	}
	return c.open.Sign(message)
}

// Unlock opens the key, once.
func (c *closed) Unlock() (err error) {
	if c.open != nil {
		return nil
	}
	if !c.file.Sealed {
		c.open, err = c.file.Open(nil)
		return err
	}
	for attempt := range attempts {
		var pass []byte
		if c.ask == nil {
			err = errors.New("its passphrase is needed")
		} else {
			pass, err = c.ask(c.file.Name, attempt)
		}
		if err != nil {
			return fmt.Errorf("cannot open key %q: %w", c.file.Path, err)
		}
		c.open, err = c.file.Open(pass)
		clear(pass)
		if !errors.Is(err, ErrPassphrase) {
			return err
		}
	}
	return err
}
