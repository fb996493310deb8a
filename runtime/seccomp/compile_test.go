package seccomp

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"testing"
)

// generator builds the generator, or skips.
func generator(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the generator")
	}
	if goruntime.GOARCH != AMD64 {
		t.Skip("needs amd64")
	}
	if err := exec.Command("pkg-config", "--exists", "libseccomp").Run(); err != nil {
		t.Skip("needs libseccomp and its headers")
	}
	path := filepath.Join(t.TempDir(), "gen")
	build := exec.Command("go", "build", "-tags", "libseccomp", "-o", path, "./gen")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("needs the go command and a C compiler: %v\n%s", err, out)
	}
	return path
}

// What is embedded is what libseccomp makes of the table, in whatever order the
// rules are given to it (S11).
func TestEmbeddedProgramsAreCompiledFromTheTable(t *testing.T) {
	gen := generator(t)
	for _, seed := range []string{"0", "1"} {
		dir := t.TempDir()
		if out, err := exec.Command(gen, "-shuffle", seed, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for arch, embedded := range map[string]string{AMD64: amd64, ARM64: arm64} {
			compiled, err := os.ReadFile(filepath.Join(dir, arch+".bpf"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(compiled, []byte(embedded)) {
				t.Errorf("%s, order %s: differs from what is embedded; run go generate ./runtime/seccomp", arch, seed)
			}
		}
	}
}
