package key

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
)

// agent starts a real ssh-agent that holds a fresh Ed25519 key, an RSA key and
// nothing else.
func agent(t *testing.T) (socket, pub string) {
	t.Helper()
	program, keygen, add := testenv.NeedCommand(t, "ssh-agent"), testenv.NeedCommand(t, "ssh-keygen"), testenv.NeedCommand(t, "ssh-add")
	dir := testenv.ShortDir(t)
	socket = filepath.Join(dir, "agent")
	c := exec.Command(program, "-D", "-a", socket)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, kind := range []string{"ed25519", "rsa"} {
		path := filepath.Join(dir, kind)
		run(t, exec.Command(keygen, "-q", "-t", kind, "-N", "", "-C", "test "+kind, "-f", path))
		c := exec.Command(add, "-q", path)
		c.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		run(t, c)
	}
	return socket, filepath.Join(dir, "ed25519.pub")
}

func run(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, out)
	}
}

func TestAgentSigns(t *testing.T) {
	socket, pub := agent(t)
	public, err := LoadPublic(pub)
	if err != nil {
		t.Fatal(err)
	}
	r := &Ring{Agent: socket}
	for _, spec := range []string{pub, "ssh:test ed25519", "ssh:" + public.Fingerprint()} {
		s, err := r.Find(spec)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Sign([]byte("message"))
		if err != nil || s.Public() != public || !public.Verify([]byte("message"), sig) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	for _, spec := range []string{"ssh:test rsa", "ssh:nobody", "ssh:"} {
		if _, err := r.Find(spec); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if all := r.All(); len(all) != 1 || all[0].Public() != public {
		t.Errorf("the ring holds %v", all)
	}
	s, _ := r.Find(pub)
	if _, err := s.Sign(make([]byte, maxAgentMessage)); err == nil || !strings.Contains(hint.Of(err), "bins") {
		t.Errorf("a message that is too long: %v", err)
	}
	if _, err := s.Sign(make([]byte, 200<<10)); err != nil {
		t.Errorf("a long message: %v", err)
	}
}

func TestNoAgent(t *testing.T) {
	for _, socket := range []string{"", filepath.Join(t.TempDir(), "none")} {
		r := &Ring{Agent: socket}
		if _, err := r.Find("ssh:x"); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: %v", socket, err)
		}
		if len(r.All()) != 0 {
			t.Error("found a key nowhere")
		}
	}
}

// An agent is a program of the user's, but what it answers is bytes.
func TestHostileAgent(t *testing.T) {
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	p := k.Public()
	wrong := appendString(appendString(nil, []byte(algorithm)), make([]byte, 64))
	for _, c := range []struct {
		name   string
		answer []byte // the whole message
		list   bool
	}{
		{"hangs up", nil, true},
		{"no length", []byte{0, 0}, true},
		{"an empty answer", []byte{0, 0, 0, 0}, true},
		{"a huge answer", []byte{0xff, 0xff, 0xff, 0xff, 12}, true},
		{"a cut answer", []byte{0, 0, 0, 9, 12, 0}, true},
		{"many keys and none there", appendString(nil, []byte{12, 0xff, 0xff, 0xff, 0xff}), true},
		{"a key that is cut", appendString(nil, []byte{12, 0, 0, 0, 1, 0, 0, 0, 50, 1}), true},
		{"failure", appendString(nil, []byte{5}), true},
		{"refuses to sign", appendString(nil, []byte{5}), false},
		{"a wrong signature", appendString(nil, append([]byte{14}, appendString(nil, wrong)...)), false},
		{"a signature of another kind", appendString(nil, append([]byte{14}, appendString(nil, appendString(nil, []byte("ssh-rsa")))...)), false},
		{"an empty signature", appendString(nil, []byte{14}), false},
		{"something after the signature", appendString(nil, append(append([]byte{14}, appendString(nil, wrong)...), 0)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := filepath.Join(testenv.ShortDir(t), "a")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				var head [4]byte
				io.ReadFull(conn, head[:])
				io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:])))
				conn.Write(c.answer)
				conn.Close()
			}()
			if c.list {
				_, err = AgentKeys(socket)
			} else {
				_, err = (&AgentKey{public: p, socket: socket}).Sign([]byte("m"))
			}
			if err == nil || hint.Of(err) == "" {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestRingFindsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ke[y]s")
	r := &Ring{Dir: dir, Ask: func(string, int) ([]byte, error) { return []byte("p"), nil }}
	if files, err := r.Files(); err != nil || len(files) != 0 {
		t.Errorf("an empty ring holds %v, %v", files, err)
	}
	f, err := Create(dir, "one", []byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"one", f.Path} {
		s, err := r.Find(spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(nil); err != nil {
			t.Error(err)
		}
	}
	for _, spec := range []string{"two", filepath.Join(dir, "two.key"), "../one", ""} {
		if _, err := r.Find(spec); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: %v", spec, err)
		}
	}
	for _, spec := range []string{"one", f.Path, filepath.Join(dir, "one.pub"), f.Public().String()} {
		if p, err := r.FindPublic(spec); err != nil || p != f.Public() {
			t.Errorf("FindPublic(%q) = %v, %v", spec, p, err)
		}
	}
	if _, err := Create(dir, "zero", nil); err != nil {
		t.Fatal(err)
	}
	if all := r.All(); len(all) != 2 || all[0].Label() != "zero" || all[1].Label() != "one" {
		t.Errorf("the ring holds %v", all)
	}
	os.Remove(filepath.Join(dir, "zero.key"))
	os.WriteFile(filepath.Join(dir, "bad.key"), nil, 0o600)
	if files, err := r.Files(); err == nil || len(files) != 1 {
		t.Errorf("beside a bad file: %v, %v", files, err)
	}
}
