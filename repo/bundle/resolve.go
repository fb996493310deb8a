package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sandbox/internal/hint"
	"sandbox/internal/lazy"
)

// statusPath is where a runtime records the packages it holds, in the format
// of dpkg's status, below its /usr.
const statusPath = "lib/sandbox/dpkg-status"

// pretended are packages that only maintainer scripts and package managers
// use. apt is told that they are there, unless a source asks for one by name.
var pretended = []struct{ name, provides string }{
	{"adduser", ""}, {"debconf", "debconf-2.0"}, {"dpkg", ""}, {"init-system-helpers", ""},
	{"install-info", ""}, {"passwd", ""}, {"ucf", ""},
}

// resolve asks apt what packages amount to, over what the runtime holds.
func (a *aptRoot) resolve(ctx context.Context, packages []string, base []byte) ([]lockedPackage, error) {
	if err := os.WriteFile(filepath.Join(a.dir, "state/status"), statusFor(base, packages), 0o644); err != nil {
		return nil, err
	}
	args := append([]string{"-qq", "-s", "-y", "--no-install-recommends", "--no-remove", "install", "--"}, packages...)
	out, err := a.command(ctx, a.dir, nil, "apt-get", args...)
	if unknown, ok := errors.AsType[*unknownPackage](err); ok {
		return nil, a.suggest(ctx, unknown)
	}
	if err != nil {
		return nil, err
	}
	return a.describe(ctx, parseSimulation(out))
}

// statusFor is the package status that apt sees. Versions sort above all real
// ones, so that no dependency asks for more.
func statusFor(base []byte, packages []string) []byte {
	var b bytes.Buffer
	if base = bytes.TrimSpace(base); len(base) > 0 {
		b.Write(base)
		b.WriteString("\n\n")
	}
	for _, p := range pretended {
		if slices.Contains(packages, p.name) || bytes.Contains(base, []byte("Package: "+p.name+"\n")) {
			continue
		}
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nArchitecture: all\nMulti-Arch: foreign\nVersion: 9999:0\nMaintainer: none <none@localhost>\n", p.name)
		if p.provides != "" {
			fmt.Fprintf(&b, "Provides: %s\n", p.provides)
		}
		b.WriteString("Description: used by maintainer scripts only\n\n")
	}
	return b.Bytes()
}

var simulated = lazy.Regexp(`(?m)^Inst (\S+)(?: \[[^]]*\])? \((\S+) .*\[([a-z0-9]+)\]\)`)

// parseSimulation finds the packages in the output of apt-get -s install.
func parseSimulation(out []byte) []lockedPackage {
	var all []lockedPackage
	for _, m := range simulated().FindAllSubmatch(out, -1) {
		name, _, _ := strings.Cut(string(m[1]), ":")
		all = append(all, lockedPackage{Name: name, Version: string(m[2]), Arch: string(m[3])})
	}
	slices.SortFunc(all, func(x, y lockedPackage) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// describe adds size and digest from the signed index to each package.
func (a *aptRoot) describe(ctx context.Context, all []lockedPackage) ([]lockedPackage, error) {
	if len(all) == 0 {
		return nil, nil
	}
	args := []string{"show", "--"}
	for _, p := range all {
		args = append(args, p.Name+"="+p.Version)
	}
	out, err := a.command(ctx, a.dir, nil, "apt-cache", args...)
	if err != nil {
		return nil, err
	}
	stanzas, err := parseControl(bytes.NewReader(out), 64<<20)
	if err != nil {
		return nil, err
	}
	index := map[string]stanza{}
	for _, s := range stanzas {
		if s.get("SHA256") != "" {
			index[s.get("Package")+" "+s.get("Version")] = s
		}
	}
	for i, p := range all {
		s := index[p.Name+" "+p.Version]
		all[i].Arch = s.get("Architecture")
		all[i].SHA256 = strings.ToLower(s.get("SHA256"))
		all[i].Size, _ = strconv.ParseInt(s.get("Size"), 10, 64)
		if err := all[i].check(); err != nil {
			return nil, fmt.Errorf("package index: %w", err)
		}
	}
	return all, nil
}

// suggest names the package that was probably meant.
func (a *aptRoot) suggest(ctx context.Context, unknown *unknownPackage) error {
	err := fmt.Errorf("%w in suite %s", unknown, a.suite)
	out, listErr := a.command(ctx, a.dir, nil, "apt-cache", "pkgnames")
	if listErr != nil {
		return err
	}
	if n := nearest(unknown.name, strings.Fields(string(out))); n != "" {
		return hint.With(err, "did you mean %q?", n)
	}
	return err
}
