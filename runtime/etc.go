package runtime

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"
)

// user is the account the app sees itself as.
type account struct {
	name, home, shell string
	uid, gid          int
}

// generatedEtc are the files of /etc that are the same kind of thing for every
// app and hold nothing of the host that it did not ask for. Every field is
// checked: a line break in $HOME must not become a line of passwd
// (CVE-2022-4318).
func generatedEtc(a account, host *Host, app string, shareNet bool) ([]Step, error) {
	for _, field := range []string{a.name, a.home, a.shell} {
		if strings.ContainsFunc(field, func(r rune) bool { return r < ' ' || r == ':' || r == 0x7f }) {
			return nil, fmt.Errorf("cannot write the app's passwd file: %q holds a colon or a control character", field)
		}
	}
	resolv := ""
	hosts := "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"
	if shareNet {
		resolv = host.Resolv
	}
	files := map[string]string{
		"passwd": fmt.Sprintf("%s:x:%d:%d:%s:%s:%s\nnobody:x:65534:65534:outside:/:/bin/false\n",
			a.name, a.uid, a.gid, a.name, a.home, a.shell),
		"group":         fmt.Sprintf("%s:x:%d:\nnogroup:x:65534:\n", a.name, a.gid),
		"hostname":      hostname + "\n",
		"hosts":         hosts,
		"resolv.conf":   resolv,
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
		"machine-id":    machineID(host.Home, app) + "\n",
		"host.conf":     "multi on\n",
	}
	if host.Timezone != "" {
		files["timezone"] = host.Timezone + "\n"
	}
	var steps []Step
	for name, text := range files {
		steps = append(steps, Step{Do: File, Target: "/etc/" + name, Data: []byte(text), Mode: 0o444})
	}
	if host.Timezone != "" {
		steps = append(steps, Step{Do: Symlink, Target: "/etc/localtime", Source: "/usr/share/zoneinfo/" + host.Timezone})
	}
	steps = append(steps, Step{Do: Symlink, Target: "/etc/mtab", Source: "/proc/self/mounts"})
	slices.SortFunc(steps, func(x, y Step) int { return strings.Compare(x.Target, y.Target) })
	return steps, nil
}

// machineID gives each app of each user an id that stays the same, and that
// has nothing to do with the machine's: the real one would tell apps and the
// servers they talk to that they run on the same machine (machine-id(5) calls
// it confidential).
func machineID(home, app string) string {
	h := fnv.New128a()
	h.Write([]byte("sandbox machine-id\x00" + home + "\x00" + app))
	return hex.EncodeToString(h.Sum(nil))
}

// runtimeEtc links what the runtime (and the bundle's overlay) brings in its
// own etc, unless a generated file has the name.
func runtimeEtc(names []string, have []Step) []Step {
	taken := map[string]bool{}
	for _, s := range have {
		taken[path.Base(s.Target)] = true
	}
	slices.Sort(names)
	var steps []Step
	for _, n := range slices.Compact(names) {
		if !taken[n] {
			steps = append(steps, Step{Do: Symlink, Target: "/etc/" + n, Source: "../usr/etc/" + n})
		}
	}
	return steps
}
