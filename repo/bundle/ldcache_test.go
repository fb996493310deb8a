package bundle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/testenv"
)

// ldconfig reads what we write, in the order in which ld.so searches.
func TestLibraryCacheIsRead(t *testing.T) {
	ldconfig := "/sbin/ldconfig"
	if _, err := os.Stat(ldconfig); err != nil {
		testenv.Skip(t, "needs the program %q", ldconfig)
	}
	var all []library
	for _, name := range []string{"libc.so.6", "libm.so.6", "libz.so.1", "libicu.so.9", "libicu.so.72", "liba2.so", "liba10.so", "ld-linux-x86-64.so.2"} {
		all = append(all, library{name, "/usr/lib/x86_64-linux-gnu/" + name, libraryFlags["x86_64"]})
	}
	file := filepath.Join(t.TempDir(), "cache")
	if err := os.WriteFile(file, encodeCache(all), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ldconfig, "-p", "-C", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want strings.Builder
	for _, name := range []string{"libz.so.1", "libm.so.6", "libicu.so.72", "libicu.so.9", "libc.so.6", "liba10.so", "liba2.so", "ld-linux-x86-64.so.2"} {
		fmt.Fprintf(&want, "\t%s (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/%s\n", name, name)
	}
	if got := string(out); !strings.HasPrefix(got, "8 libs found in cache ") || !strings.Contains(got, want.String()) {
		t.Errorf("ldconfig reads\n%swant\n%s", got, want.String())
	}
}
