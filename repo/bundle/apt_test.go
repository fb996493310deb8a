package bundle

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sandbox/internal/hint"
)

func TestForSuite(t *testing.T) {
	deb822 := `# comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: trixie trixie-updates trixie-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: trixie-security
Components: main

Types: deb
URIs: http://vendor.example/apt
Suites: trixie
Components: stable
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
`
	one := "# old\ndeb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.example/php trixie main\n" +
		"deb http://old.example/debian trixie main non-free # comment\ndeb-src http://old.example/debian trixie main\ndeb http://pg.example/apt trixie-pgdg main\ndeb broken\n"
	host, err := parseDeb822(deb822)
	if err != nil {
		t.Fatal(err)
	}
	got := forSuite(append(host, parseOneLine(one)...), []string{"stable", "trixie"}, "bookworm")
	want := []aptSource{
		{uris: []string{"http://mirror.example/debian"}, suites: []string{"bookworm", "bookworm-updates"}, components: []string{"main", "contrib"}, signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg"},
		{uris: []string{"http://mirror.example/security"}, suites: []string{"bookworm-security"}, components: []string{"main"}},
		{uris: []string{"http://old.example/debian"}, suites: []string{"bookworm"}, components: []string{"main", "non-free"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if text := got[0].String(); !strings.Contains(text, "\nSuites: bookworm bookworm-updates\n") {
		t.Errorf("written as %q", text)
	}
}

func TestMirror(t *testing.T) {
	for mirror, ok := range map[string]bool{
		"http://mirror.example/debian":         true,
		"https://mirror.example":               true,
		"file:///srv/debian":                   true,
		"ftp://mirror.example":                 false,
		"copy:///etc":                          false,
		"mirror.example/debian":                false,
		"http://":                              false,
		"http://a b":                           false,
		"http://m.example/\nTrusted: yes":      false,
		"http://m.example/x\r\nSigned-By: /my": false,
	} {
		if _, err := mirrorSource(mirror, "bookworm", ""); (err == nil) != ok {
			t.Errorf("%q: %v, want accepted = %v", mirror, err, ok)
		}
	}
}

func TestParseSimulation(t *testing.T) {
	out := "NOTE: This is only a simulation!\n" +
		"Inst libtinfo6 (6.4-4 Debian:12.15/oldstable [amd64])\n" +
		"Inst less (590-2.1~deb12u2 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])\n" +
		"Inst libc6 [2.36-8] (2.36-9 Debian:12.15/oldstable [amd64]) []\n" +
		"Inst tzdata (2026f-0+deb12u1 Debian-Security:12 [all])\nConf less (590-2.1~deb12u2)\n"
	got := parseSimulation([]byte(out))
	want := []lockedPackage{
		{Name: "less", Version: "590-2.1~deb12u2", Arch: "amd64"}, {Name: "libc6", Version: "2.36-9", Arch: "amd64"},
		{Name: "libtinfo6", Version: "6.4-4", Arch: "amd64"}, {Name: "tzdata", Version: "2026f-0+deb12u1", Arch: "all"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestStatusFor(t *testing.T) {
	base := "Package: libc6\nVersion: 2.36\n\n"
	plain := string(statusFor([]byte(base), []string{"nano"}))
	if !strings.HasPrefix(plain, base) || !strings.Contains(plain, "\n\nPackage: debconf\n") {
		t.Errorf("got %q", plain)
	}
	if asked := string(statusFor(nil, []string{"debconf"})); strings.Contains(asked, "Package: debconf\n") || !strings.HasPrefix(asked, "Package: ") {
		t.Errorf("a package that was asked for is pretended: %q", asked)
	}
}

func TestAptError(t *testing.T) {
	plain := errors.New("exit status 100")
	for _, c := range []struct{ name, said, want, hint string }{
		{"unknown package", "Reading lists\nE: Unable to locate package nanoo\n", `unknown package "nanoo"`, ""},
		{"version is gone", "E: Version '1.0' for 'nano' was not found\n", "no longer has version 1.0 of nano", "--update"},
		{"unsigned", "E: The repository 'file:/x ./ Release' is not signed.\n", "is not signed", "debian-archive-keyring"},
		{"no such suite", "E: The repository 'http://m.example bookwurm Release' does not have a Release file.\n", "Release file", "suite"},
		{"offline", "E: Failed to fetch http://m.example/x  Temporary failure resolving 'm.example'\n", "archive cannot be reached", "network"},
		{"full disk", "E: Write error - write (28: No space left on device)\n", "No space left", "space"},
		{"nothing said", "", "exit status 100", ""},
		{"terminal escapes", "E: \x1b[2Jgone\n", "gone", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := aptError("apt-get", []string{"-q", "update"}, c.said, plain)
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) || (c.hint == "" && hint.Of(err) != "") {
				t.Errorf("got %q, hint %q", err, hint.Of(err))
			}
			if strings.Contains(err.Error(), "\x1b") {
				t.Error("a terminal escape passed")
			}
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"nano", "mono", "python3", "python3-pip", "git"}
	for in, want := range map[string]string{"nanoo": "nano", "pyton3": "python3", "gti": "git", "zzzzzz": ""} {
		if got := nearest(in, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLock(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	l := &lock{[]lockSection{
		{Arch: "amd64", Suite: "bookworm", Base: "-", Packages: []string{"nano"}, Locked: []lockedPackage{{"nano", "7.2-1+deb12u1", "amd64", digest, 5}}},
		{Arch: "arm64", Suite: "bookworm", Base: digest, Packages: []string{"git", "less"}},
	}}
	back, err := parseLock(strings.NewReader(l.String()))
	if err != nil || !reflect.DeepEqual(back, l) {
		t.Fatalf("read back %+v, %v", back, err)
	}
	if _, ok := back.find(lockSection{Arch: "amd64", Suite: "bookworm", Base: "-", Packages: []string{"nano"}}); !ok {
		t.Error("the same request is not found")
	}
	for _, other := range []lockSection{
		{Arch: "amd64", Suite: "trixie", Base: "-", Packages: []string{"nano"}},
		{Arch: "amd64", Suite: "bookworm", Base: digest, Packages: []string{"nano"}},
		{Arch: "amd64", Suite: "bookworm", Base: "-", Packages: []string{"nano", "less"}},
	} {
		if _, ok := back.find(other); ok {
			t.Errorf("another request is answered: %v", other)
		}
	}
	now := back.prune("amd64", []lockSection{{Arch: "amd64", Suite: "trixie", Base: "-", Packages: []string{"nano"}}})
	if len(now.sections) != 2 || now.sections[0].Suite != "trixie" || now.sections[1].Arch != "arm64" {
		t.Errorf("after another build: %+v", now)
	}
}

func TestLockRefuses(t *testing.T) {
	head, digest := "sandbox-lock 1\nsource amd64 bookworm - nano\n", strings.Repeat("ab", 32)
	for _, c := range []struct{ name, text string }{
		{"empty", ""},
		{"another version", "sandbox-lock 2\n"},
		{"package before a source", "sandbox-lock 1\ndeb nano 7.2 amd64 5 " + digest + "\n"},
		{"digest as a path", head + "deb nano 7.2 amd64 5 ../../etc/passwd\n"},
		{"name as an option", head + "deb -oDebug=1 7.2 amd64 5 " + digest + "\n"},
		{"name with a suffix", head + "deb nano- 7.2 amd64 5 " + digest + "\n"},
		{"size", head + "deb nano 7.2 amd64 -5 " + digest + "\n"},
		{"unknown entry", head + "script x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if l, err := parseLock(strings.NewReader(c.text)); err == nil {
				t.Errorf("accepted as %+v", l)
			}
		})
	}
	if _, err := parseLock(strings.NewReader(head + "deb nano 7.2 amd64 5 " + digest + "\n")); err != nil {
		t.Error("the good twin was refused:", err)
	}
}

func FuzzLock(f *testing.F) {
	f.Add("sandbox-lock 1\nsource amd64 bookworm - nano\ndeb nano 7.2 amd64 5 " + strings.Repeat("ab", 32) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLock(strings.NewReader(text))
		if err != nil {
			return
		}
		if back, err := parseLock(strings.NewReader(l.String())); err != nil || back.String() != l.String() {
			t.Errorf("%q is not read back: %v", l, err)
		}
	})
}

func FuzzControl(f *testing.F) {
	f.Add("Package: a\nDescription: b\n c\n\nPackage: d\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseControl(strings.NewReader(text), 1<<20)
		if err != nil {
			return
		}
		for _, s := range all {
			back, err := parseControl(strings.NewReader(s.String()), 2<<20)
			if err != nil || len(back) != 1 || back[0].String() != s.String() {
				t.Errorf("%q is not read back: %v", s.String(), err)
			}
		}
	})
}
