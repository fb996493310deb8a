package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"sandbox/internal/testenv"
)

const (
	flatpakApp      = "org.example.Bench"
	flatpakPlatform = "org.example.BenchPlatform"
)

// flatpak is `flatpak run` of a program in an app whose runtime holds the same
// files as ours. It is built and installed on first use.
func (s *benchSession) flatpak(program ...string) *exec.Cmd {
	c := s.command("flatpak", "run", "--command="+program[0], flatpakApp+"//stable")
	c.Args = append(c.Args, program[1:]...)
	return c
}

func (s *benchSession) installFlatpak() {
	for _, name := range []string{"flatpak", "dbus-run-session"} {
		testenv.NeedCommand(s.b, name)
	}
	home := filepath.Join(s.root, "home")
	app, platform, repo := s.dir("flatpak/app"), s.dir("flatpak/platform"), filepath.Join(s.root, "flatpak/repo")
	for _, dir := range []string{"flatpak", "flatpak/app/files", "flatpak/app/export", "flatpak/app/var", "flatpak/platform/files", "flatpak/platform/var"} {
		s.dir(dir)
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[goruntime.GOARCH]
	base := flatpakPlatform + "/" + arch + "/stable"
	s.file(filepath.Join(app, "metadata"), []byte("[Application]\nname="+flatpakApp+"\nruntime="+base+"\nsdk="+base+"\ncommand=true\n"))
	s.file(filepath.Join(platform, "metadata"), []byte("[Runtime]\nname="+flatpakPlatform+"\nruntime="+base+"\nsdk="+base+"\n"))
	for _, line := range [][]string{
		{"cp", "-r", filepath.Join(s.platform, "files"), filepath.Join(platform, "usr")},
		{"flatpak", "build-export", "--runtime", repo, platform, "stable"},
		{"flatpak", "build-export", repo, app, "stable"},
		{"flatpak", "--user", "remote-add", "--no-gpg-verify", "bench", repo},
		{"flatpak", "--user", "install", "-y", "--noninteractive", "bench", flatpakPlatform + "//stable"},
		// Installing an app asks on the system bus whether the user's parents
		// object. The session's own bus says that nobody there knows.
		{"dbus-run-session", "--", "sh", "-c", `DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec "$@"`, "sh",
			"flatpak", "--user", "install", "-y", "--noninteractive", "bench", flatpakApp + "//stable"},
	} {
		if said, err := s.command(line...).CombinedOutput(); err != nil {
			s.b.Fatalf("%q: %v\n%s", line, err, said)
		}
	}
	if _, err := os.Stat(filepath.Join(home, ".local/share/flatpak/app", flatpakApp)); err != nil {
		s.b.Fatal(err)
	}
}

// withBus starts a session bus, and from then on every command has it.
func (s *benchSession) withBus() (stop func()) {
	bus := s.command(testenv.NeedCommand(s.b, "dbus-daemon"), "--session", "--nofork", "--nopidfile", "--print-address=1")
	out, err := bus.StdoutPipe()
	s.must(err)
	s.must(bus.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	s.must(err)
	before := s.env
	s.env = append(before[:len(before):len(before)], "DBUS_SESSION_BUS_ADDRESS="+strings.TrimSpace(line))
	return func() {
		s.env = before
		bus.Process.Kill()
		bus.Wait()
		endOffspring()
	}
}
