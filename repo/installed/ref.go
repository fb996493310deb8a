package installed

import (
	"fmt"
	"path"
	goruntime "runtime"
	"strconv"
	"strings"

	"sandbox/manifest"
)

// Ref is the name under which releases of one thing follow one another. (Package
// repo has the same in its own vocabulary, with all that a launch must not link.)
type Ref struct {
	Kind    manifest.Kind
	ID      manifest.ID
	Arch    string
	Channel string
}

// String is KIND/ID/ARCH/CHANNEL.
func (r Ref) String() string {
	return path.Join(string(r.Kind), string(r.ID), r.Arch, r.Channel)
}

// Dir is where the releases are, below the store.
func (r Ref) Dir() string { return path.Join("deploy", r.String()) }

// AnyArch is the architecture of what runs everywhere.
const AnyArch = "any"

// HostArch is the architecture of this machine, by the name manifests use.
func HostArch() string {
	switch goruntime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return goruntime.GOARCH
}

// arches a bundle may have to be of use here, best first.
func arches() [2]string { return [2]string{HostArch(), AnyArch} }

// Names below a ref's directory.
const (
	Current      = "current"
	RecordSuffix = ".json"
	LockSuffix   = ".lock"
)

// Deployment is one deployed release: its number, which only grows, and the
// beginning of its tree's digest.
type Deployment struct {
	N    uint64
	Tree string
}

// TreeDigits is how much of a tree's digest is in the name.
const TreeDigits = 12

// String is the name of the directory.
func (d Deployment) String() string { return strconv.FormatUint(d.N, 10) + "-" + d.Tree }

// ParseDeployment reads the name of a deployed directory.
func ParseDeployment(unsafeName string) (Deployment, error) {
	bad := fmt.Errorf("%q is not the name of a deployed release", unsafeName)
	number, tree, ok := strings.Cut(unsafeName, "-")
	if !ok || len(tree) != TreeDigits || number == "" || len(number) > 20 || number[0] < '1' || number[0] > '9' {
		return Deployment{}, bad
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || strings.Trim(tree, "0123456789abcdef") != "" {
		return Deployment{}, bad
	}
	return Deployment{n, tree}, nil
}
