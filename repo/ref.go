package repo

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"strconv"
	"strings"

	"sandbox/manifest"
)

// Ref names what is installed and updated as one: kind/id/arch/channel. All
// four are of a grammar that is safe in a path and in a terminal.
type Ref struct {
	Kind    manifest.Kind
	ID      manifest.ID
	Arch    string // as AnyArch, or as HostArch says it
	Channel string
}

// WithArch is the same of another architecture; of none, where only the rest
// counts: an app and the runtime below it need not say the same, since what is
// for "any" fits all.
func (r Ref) WithArch(arch string) Ref {
	r.Arch = arch
	return r
}

// AnyArch is the arch of what runs everywhere.
const AnyArch = "any"

// ParseRef reads kind/id/arch/channel.
func ParseRef(unsafeText string) (Ref, error) {
	r, err := parseRef(unsafeText)
	if err != nil {
		return Ref{}, fmt.Errorf("ref %q: %w", clip(unsafeText), err)
	}
	return r, nil
}

func parseRef(s string) (Ref, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return Ref{}, errors.New("it is not of the form kind/id/arch/channel")
	}
	id, err := manifest.ParseID(parts[1])
	if err != nil {
		return Ref{}, err
	}
	r := Ref{Kind: manifest.Kind(parts[0]), ID: id, Arch: parts[2], Channel: parts[3]}
	return r, r.check()
}

func (r Ref) check() error {
	switch r.Kind {
	case manifest.App, manifest.Runtime, manifest.Extension:
	default:
		return fmt.Errorf("unknown kind %q", clip(string(r.Kind)))
	}
	if _, err := manifest.ParseID(string(r.ID)); err != nil {
		return err
	}
	if err := CheckArch(r.Arch); err != nil {
		return err
	}
	return manifest.CheckChannel(r.Channel)
}

func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return string(r.Kind) + "/" + string(r.ID) + "/" + r.Arch + "/" + r.Channel
}

func (r Ref) IsZero() bool { return r == Ref{} }

func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a ref, or nothing as the zero Ref.
func (r *Ref) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	*r, err = ParseRef(string(text))
	return err
}

// At is the name under which an older release of r stays available: r@n.
func (r Ref) At(n uint64) string { return r.String() + "@" + strconv.FormatUint(n, 10) }

// ParseTarget reads the name of a target that is a release: a ref, whose
// current release it is (n is 0 then), or ref@n.
func ParseTarget(unsafeText string) (r Ref, n uint64, err error) {
	text, number, old := strings.Cut(unsafeText, "@")
	if r, err = ParseRef(text); err != nil || !old {
		return r, 0, err
	}
	n, err = strconv.ParseUint(number, 10, 64)
	if err != nil || n == 0 || n > MaxN || strconv.FormatUint(n, 10) != number {
		return Ref{}, 0, fmt.Errorf("ref %q: %q is no release number", clip(unsafeText), clip(number))
	}
	return r, n, nil
}

// CheckArch knows the machines that sandbox.toml knows.
func CheckArch(text string) error {
	switch text {
	case AnyArch, "x86_64", "aarch64":
		return nil
	}
	return fmt.Errorf("unknown arch %q", clip(text))
}

// HostArch is this machine's arch as refs write it.
func HostArch() string {
	switch goruntime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return goruntime.GOARCH
}

// clip keeps hostile text in errors short.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
