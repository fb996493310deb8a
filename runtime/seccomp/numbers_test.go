package seccomp

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// last is the highest number of the table that is not private to the processor.
func last(a ABI) uint64 {
	highest := int32(0)
	for _, n := range numbers {
		if n.nr[a] < armPrivate {
			highest = max(highest, n.nr[a])
		}
	}
	return uint64(highest)
}

const armPrivate = 0xf0000 // __ARM_NR_BASE

// S14: every name of the policy has a number or an explicit na in each ABI, no
// name is left over, and no number is given twice.
func TestNumbersAreComplete(t *testing.T) {
	var named, ruled []string
	for _, n := range numbers {
		named = append(named, n.name)
	}
	for _, r := range table {
		ruled = append(ruled, r.Name)
	}
	if !slices.IsSorted(named) || !slices.Equal(named, ruled) {
		t.Error("numbers and table do not hold the same names in the same order")
	}
	for a := X8664; a <= Arm; a++ {
		owner := map[int32]string{}
		for _, n := range numbers {
			nr := n.nr[a]
			if nr != na && owner[nr] != "" {
				t.Errorf("%v: %s and %s are both %d", a, owner[nr], n.name, nr)
			}
			owner[nr] = n.name
		}
	}
	if _, _, err := X8664.Number("opan"); err == nil {
		t.Error("a name that is not known got no error")
	}
}

// Where the kernel has gaps, and only there, a number has no name.
func TestNumbersHaveNoHoles(t *testing.T) {
	gaps := map[ABI][][2]int{
		X8664: {{337, 423}},
		Arm64: {{244, 259}, {295, 402}, {403, 423}}, // private to architectures; kept for 32-bit time
	}
	for a, allowed := range gaps {
		has := map[int]bool{}
		for _, n := range numbers {
			has[int(n.nr[a])] = true
		}
		for nr := range int(last(a)) {
			known := slices.ContainsFunc(allowed, func(g [2]int) bool { return g[0] <= nr && nr <= g[1] })
			if !has[nr] && !known {
				t.Errorf("%v: nothing is known of %d", a, nr)
			}
		}
	}
}

// The numbers are those of golang.org/x/sys, which takes them from the kernel's
// headers, and no call it knows is missing here.
func TestNumbersAreTheKernels(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("needs the go command and the source of golang.org/x/sys")
	}
	files := map[ABI]string{X8664: "amd64", Arm64: "arm64", I386: "386", Arm: "arm"}
	for a, suffix := range files {
		listed, err := zsysnum(filepath.Join(dir, "unix", fmt.Sprintf("zsysnum_linux_%s.go", suffix)))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range listed {
			if nr, has, err := a.Number(name); err != nil || !has || nr != want {
				t.Errorf("%v: %s is %d, here %d, %v, %v", a, name, want, nr, has, err)
			}
		}
		for _, n := range numbers {
			if _, ok := listed[n.name]; !ok && n.nr[a] != na && n.nr[a] < armPrivate && n.name != "restart_syscall" {
				t.Errorf("%v: %s is not in x/sys", a, n.name)
			}
		}
	}
}

// zsysnum reads the constants of one file of x/sys, without the two that mark
// ranges and are no calls.
func zsysnum(path string) (map[string]int, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	line := regexp.MustCompile(`^\s+SYS_(\w+)\s+= (\d+)`)
	listed := map[string]int{}
	for s := bufio.NewScanner(file); s.Scan(); {
		if m := line.FindStringSubmatch(s.Text()); m != nil && m[1] != "SYSCALL_MASK" && m[1] != "ARCH_SPECIFIC_SYSCALL" {
			listed[strings.ToLower(m[1])], _ = strconv.Atoi(m[2])
		}
	}
	if len(listed) < 300 {
		return nil, fmt.Errorf("%s: only %d calls", path, len(listed))
	}
	return listed, nil
}
