package seccomp

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRulesAreWellFormed(t *testing.T) {
	for _, r := range table {
		if r.Needs != 0 && r.Action == Allow {
			t.Errorf("%s: is allowed, and a feature allows it", r.Name)
		}
		for _, c := range r.Cases {
			if (c.Action == Allow) == (r.Action == Allow) {
				t.Errorf("%s: a case on the same side as its rule", r.Name)
			}
			if len(c.When) == 0 || c.What == "" {
				t.Errorf("%s: a case without a condition or its name", r.Name)
			}
			seen := map[uint]bool{}
			for _, arg := range c.When {
				if arg.Index > 5 || arg.Mask == 0 || arg.Value&^arg.Mask != 0 || seen[arg.Index] {
					t.Errorf("%s: %+v can never be or always is", r.Name, arg)
				}
				seen[arg.Index] = true
			}
		}
		if r.Action != Allow && r.Why == "" && !unused[r.Name] {
			t.Errorf("%s: is refused, and no reason given", r.Name)
		}
	}
}

// unused are numbers that the kernel keeps for calls it never had or dropped.
var unused = func() map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(`_sysctl afs_syscall break create_module epoll_ctl_old epoll_wait_old ftime
		get_kernel_syms getpmsg gtty idle lock mpx nfsservctl prof profil putpmsg query_module security stty tuxcall
		ulimit usr26 usr32 vserver`) {
		set[name] = true
	}
	return set
}()

func TestZeroValuesRefuse(t *testing.T) {
	if (Rule{}).Action.Errno() == 0 || (Case{}).Action == Allow {
		t.Error("a zero value allows")
	}
}

// A launch pays for what its program links: neither the table nor the numbers
// are in one that only asks for a Program, and nothing runs at its start.
func TestProgramLinksNoTable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	path := filepath.Join(t.TempDir(), "launch")
	build := exec.Command("go", "build", "-o", path, "./testdata/launch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("needs the go command: %v\n%s", err, out)
	}
	out, err := exec.Command("go", "tool", "nm", path).Output()
	if err != nil {
		t.Skip("needs go tool nm: ", err)
	}
	symbols := string(out)
	if !strings.Contains(symbols, "sandbox/runtime/seccomp.Program") {
		t.Fatal("the program does not call Program")
	}
	for _, name := range []string{"seccomp.table", "seccomp.numbers", "seccomp..inittask", "seccomp.init"} {
		if strings.Contains(symbols, "sandbox/runtime/"+name+"\n") {
			t.Errorf("a launcher links %s", name)
		}
	}
}
