package seccomp

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write FILTER.md anew")

// FILTER.md says what the table says.
func TestPage(t *testing.T) {
	const name = "FILTER.md"
	page := page()
	if *update {
		if err := os.WriteFile(name, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if onDisk, err := os.ReadFile(name); err != nil || !bytes.Equal(onDisk, page) {
		t.Errorf("%s is not what the table says (%v); run go test ./runtime/seccomp -run TestPage -update", name, err)
	}
}

const pageHead = `# What the system call filter does

Every app runs under this filter, and so does the init process beside it. It is an allow-list: what is not named here,
because the kernel gained it later, is answered ENOSYS, as on a kernel without it. The page is made from the table in
` + "`allow.go`" + `; the reasoning is in ` + "`doc.go`" + `.

| answer | means |
|---|---|
| allow | the kernel goes on to its own checks |
| EPERM | known and refused |
| ENOSYS | as if the kernel lacked it, where programs then take an older way |
| EAFNOSUPPORT | a family of sockets that is not offered |

Features that a user may grant: ` + "`devel`" + ` (debuggers), ` + "`multiarch`" + ` (programs of the 32-bit ABI; without it
such a program is killed by SIGSYS), ` + "`bluetooth`, `canbus`" + `, ` + "`userns`" + ` (sandboxes inside the sandbox).

## Refused or allowed in part

| calls | answer | with a feature | why |
|---|---|---|---|
`

func page() []byte {
	var out bytes.Buffer
	out.WriteString(pageHead)
	calls := map[string][]string{} // by the rest of the row
	var rows, plain []string
	for _, r := range table {
		if r.Action == Allow && len(r.Cases) == 0 {
			plain = append(plain, "`"+r.Name+"`")
			continue
		}
		rest := row(r)
		if calls[rest] == nil {
			rows = append(rows, rest)
		}
		calls[rest] = append(calls[rest], "`"+r.Name+"`")
	}
	for _, rest := range rows {
		fmt.Fprintf(&out, "| %s | %s |\n", strings.Join(calls[rest], ", "), rest)
	}
	out.WriteString("\n## Allowed whatever their arguments\n\n")
	for len(plain) > 0 {
		n := min(8, len(plain))
		out.WriteString(strings.Join(plain[:n], ", ") + map[bool]string{true: ",\n", false: ".\n"}[n < len(plain)])
		plain = plain[n:]
	}
	return out.Bytes()
}

// row is all of a line but the names.
func row(r Rule) string {
	answer, feature := r.Action.String(), ""
	if r.Needs != 0 {
		feature = fmt.Sprintf("`%v`: allow", r.Needs)
	}
	for i, c := range r.Cases {
		if c.Needs != 0 {
			feature += fmt.Sprintf("; `%v`: %s", c.Needs, c.What)
			continue
		}
		answer += map[bool]string{true: ", but " + c.Action.String() + " for ", false: ", "}[i == 0] + c.What
	}
	why := r.Why
	if why == "" {
		why = "not in the kernel any more, or never"
	}
	return fmt.Sprintf("%s | %s | %s", answer, strings.TrimPrefix(feature, "; "), why)
}
