package key

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
)

func TestMain(m *testing.M) {
	workFactor = minN
	os.Exit(m.Run())
}

func create(t *testing.T, pass string) *File {
	t.Helper()
	f, err := Create(filepath.Join(t.TempDir(), "keys"), "release", []byte(pass))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCreateAndSign(t *testing.T) {
	for _, c := range []struct{ name, pass string }{{"with a passphrase", "correct horse"}, {"without one", ""}} {
		t.Run(c.name, func(t *testing.T) {
			f := create(t, c.pass)
			if f.Sealed != (c.pass != "") {
				t.Errorf("Sealed = %v", f.Sealed)
			}
			s, err := f.Open([]byte(c.pass))
			if err != nil {
				t.Fatal(err)
			}
			sig, err := s.Sign([]byte("message"))
			if err != nil || !f.Public().Verify([]byte("message"), sig) {
				t.Errorf("the signature is wrong: %v", err)
			}
			if f.Public().Verify([]byte("another"), sig) {
				t.Error("a signature covers two messages")
			}
			if st, _ := os.Stat(f.Path); st.Mode() != 0o600 {
				t.Errorf("mode %v", st.Mode())
			}
			p, err := LoadPublic(strings.TrimSuffix(f.Path, ".key") + ".pub")
			if err != nil || p != f.Public() {
				t.Errorf("LoadPublic = %v, %v", p, err)
			}
		})
	}
}

func TestSeedIsNotInASealedFile(t *testing.T) {
	f := create(t, "pass")
	s, err := f.Open([]byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	seed := s.(*opened).secret.Seed()
	if strings.Contains(string(data), base64.StdEncoding.EncodeToString(seed)) || strings.Contains(string(data), string(seed)) {
		t.Error("the seed lies open in the file")
	}
}

func TestWrongPassphrase(t *testing.T) {
	f := create(t, "right")
	for _, pass := range []string{"", "wrong", "right "} {
		if _, err := f.Open([]byte(pass)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("Open(%q) = %v", pass, err)
		}
	}
}

func TestAskIsRepeated(t *testing.T) {
	f := create(t, "right")
	var asked []int
	s := f.Signer(func(label string, attempt int) ([]byte, error) {
		asked = append(asked, attempt)
		if label != "release" {
			t.Errorf("asked for %q", label)
		}
		return []byte([]string{"no", "right"}[attempt]), nil
	})
	for range 2 { // the second time it is open
		if _, err := s.Sign(nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	never := 0
	s = f.Signer(func(string, int) ([]byte, error) { never++; return []byte("no"), nil })
	if _, err := s.Sign(nil); !errors.Is(err, ErrPassphrase) || never != attempts {
		t.Errorf("after %d attempts: %v", never, err)
	}
	if _, err := f.Signer(nil).Sign(nil); err == nil {
		t.Error("opened without a passphrase")
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	f := create(t, "")
	before, _ := os.ReadFile(f.Path)
	_, err := Create(filepath.Dir(f.Path), "release", nil)
	if err == nil || hint.Of(err) == "" {
		t.Errorf("err = %v", err)
	}
	if after, _ := os.ReadFile(f.Path); string(after) != string(before) {
		t.Error("the key was replaced")
	}
}

// A directory that is there is the user's: its mode stays.
func TestCreateLeavesDirectoriesAlone(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	if _, err := Create(dir, "k", nil); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o755 {
		t.Errorf("mode %v", st.Mode())
	}
}

func TestKeyOfAnotherUser(t *testing.T) {
	testenv.NeedRoot(t)
	f := create(t, "")
	if err := os.Chown(f.Path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(f.Path); err == nil || !strings.Contains(err.Error(), "uid 65534") || hint.Of(err) == "" {
		t.Errorf("err = %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "-x", "a/b", "../x", "a b", "a\n", "ä", strings.Repeat("x", 65)} {
		if _, err := Create(t.TempDir(), name, nil); err == nil {
			t.Errorf("made a key %q", name)
		}
	}
	if err := CheckName("Release-2.key_1"); err != nil {
		t.Error(err)
	}
}

// Every field of the document is bound: to the seal, or to the secret half.
func TestChangedFileDoesNotOpen(t *testing.T) {
	other := create(t, "")
	for _, c := range []struct {
		name   string
		change func(e *envelope)
		open   string // a part of the error
	}{
		{"another name", func(e *envelope) { e.Name = "other" }, "passphrase"},
		{"another date", func(e *envelope) { e.Created = "2001-01-01T00:00:00Z" }, "passphrase"},
		{"another public half", func(e *envelope) { e.Public = other.public.String() }, "passphrase"},
		{"a comment at the public half", func(e *envelope) { e.Public += " hello" }, "passphrase"},
		{"a lower work factor", func(e *envelope) { e.KDF.N = minN * 2 }, "passphrase"},
		{"a huge work factor", func(e *envelope) { e.KDF.N = 1 << 30 }, "bounds"},
		{"a work factor of zero", func(e *envelope) { e.KDF.N = 0 }, "bounds"},
		{"a negative work factor", func(e *envelope) { e.KDF.N = -1 << 20 }, "bounds"},
		{"no power of two", func(e *envelope) { e.KDF.N = minN + 1 }, "bounds"},
		{"a huge r", func(e *envelope) { e.KDF.R = 1 << 20 }, "bounds"},
		{"a huge p", func(e *envelope) { e.KDF.P = 1 << 20 }, "bounds"},
		{"another kdf", func(e *envelope) { e.KDF.Name = "md5" }, "md5"},
		{"a short salt", func(e *envelope) { e.KDF.Salt = "" }, "salt"},
		{"no seal", func(e *envelope) { e.KDF = nil }, "length"},
		{"no seed", func(e *envelope) { e.Seed = "" }, "cut"},
		{"a seed that is no base64", func(e *envelope) { e.Seed = "!" }, "damaged"},
		{"another's seed", func(e *envelope) { e.Seed = other.envelope.Seed }, "passphrase"},
		{"another type", func(e *envelope) { e.Type = "sandbox-tree" }, "type"},
		{"another format", func(e *envelope) { e.Format = 2 }, "format"},
		{"a bad date", func(e *envelope) { e.Created = "yesterday" }, "date"},
		{"a bad name", func(e *envelope) { e.Name = "../x" }, "call a key"},
		{"a public half of another kind", func(e *envelope) { e.Public = "ssh-rsa AAAA" }, "ssh-rsa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := create(t, "pass")
			c.change(f.envelope)
			data, err := json.Marshal(f.envelope)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f.Path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			loaded, err := Load(f.Path)
			if err == nil {
				_, err = loaded.Open([]byte("pass"))
			}
			if err == nil || !strings.Contains(err.Error(), c.open) {
				t.Errorf("err = %v, want %q", err, c.open)
			}
		})
	}
}

func TestOpenFileLies(t *testing.T) {
	f, other := create(t, ""), create(t, "")
	f.envelope.Public = other.public.String()
	data, _ := json.Marshal(f.envelope)
	os.WriteFile(f.Path, data, 0o600)
	loaded, err := Load(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Open(nil); err == nil {
		t.Error("a public half was taken that is not the secret's")
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(create(t, "").Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, data string
		mode       os.FileMode
	}{
		{"readable by others", string(good), 0o644},
		{"readable by the group", string(good), 0o640},
		{"not JSON", "hello", 0o600},
		{"empty", "", 0o600},
		{"an unknown field", `{"extra":1,` + string(good[1:]), 0o600},
		{"two documents", string(good) + string(good), 0o600},
		{"too large", string(good) + strings.Repeat(" ", maxFile), 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "x.key")
			os.Remove(path)
			os.WriteFile(path, []byte(c.data), c.mode)
			os.Chmod(path, c.mode)
			if _, err := Load(path); err == nil || hint.Of(err) == "" && c.name != "too large" {
				t.Errorf("err = %v, hint %q", err, hint.Of(err))
			}
		})
	}
	if _, err := Load(dir); err == nil {
		t.Error("a directory was read")
	}
}

func TestParsePublic(t *testing.T) {
	public, _, _ := ed25519.GenerateKey(nil)
	p := Public(public)
	got, comment, err := ParsePublic("  " + p.String() + "  some one \n")
	if err != nil || got != p || comment != "some one" {
		t.Errorf("%v %q %v", got, comment, err)
	}
	long := base64.StdEncoding.EncodeToString(append(p.blob(), 0))
	cut := base64.StdEncoding.EncodeToString(p.blob()[:40])
	huge := base64.StdEncoding.EncodeToString([]byte("\xff\xff\xff\xff"))
	for _, line := range []string{"", "ssh-ed25519", "ssh-rsa AAAA x", "ssh-ed25519 !!! x", "ssh-ed25519 " + long, "ssh-ed25519 " + cut, "ssh-ed25519 " + huge, "sk-ssh-ed25519@openssh.com " + p.String()[12:]} {
		if _, _, err := ParsePublic(line); err == nil {
			t.Errorf("read %q", line)
		}
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x")
	f.Add("ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		if p, _, err := ParsePublic(line); err == nil {
			if again, _, err := ParsePublic(p.String()); err != nil || again != p {
				t.Errorf("%q is not read back", p)
			}
		}
	})
}

// A key file that can be read in two ways is none, whatever it holds.
func TestKeyFileIsReadStrictly(t *testing.T) {
	const good = `{"type":"sandbox-key","format":1,"name":"a","public":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","created":"2001-01-01T00:00:00Z","kdf":null,"seed":""}`
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"good":            {good, true},
		"space around it": {" " + good + "\n", true},
		"a key twice":     {strings.Replace(good, `"name":"a"`, `"name":"b","name":"a"`, 1), false},
		"another case":    {strings.Replace(good, `"name":"a"`, `"name":"a","Name":"b"`, 1), false},
		"an unknown key":  {strings.Replace(good, `"name":"a"`, `"name":"a","agent":true`, 1), false},
		"null":            {strings.Replace(good, `"seed":""`, `"seed":null`, 1), false},
		"something after": {good + "{}", false},
		"unknown below":   {strings.Replace(good, `"kdf":null`, `"kdf":{"name":"scrypt","n":1024,"r":8,"p":1,"salt":"","cost":1}`, 1), false},
	} {
		path := filepath.Join(t.TempDir(), "a.key")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || hint.Of(err) == "") {
			t.Errorf("%s: which file it is, or the way out, is not said: %v", name, err)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"type":"sandbox-key","format":1,"name":"a","public":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","created":"2001-01-01T00:00:00Z","kdf":null,"seed":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, p, err := parseEnvelope(data)
		if err == nil && e.KDF == nil {
			e.open(p, nil)
		}
	})
}
