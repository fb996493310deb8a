package repo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sandbox/manifest"
	"sandbox/repo/strictjson"
)

const (
	// MaxCustom bounds the custom part of one target.
	MaxCustom = 128 << 10

	maxPermissionText = 64 << 10
	maxEOL            = 300
	maxDeltas         = 16

	// MaxBytes bounds every size that metadata states: 1 TiB.
	MaxBytes = 1 << 40
)

// custom is the JSON of a Release; FORMAT.md explains each key.
type custom struct {
	V              int             `json:"v"`
	Version        string          `json:"version"`
	N              uint64          `json:"n"`
	Locator        located         `json:"locator"`
	Runtime        string          `json:"runtime"`
	Download       int64           `json:"download"`
	Installed      int64           `json:"installed"`
	Time           string          `json:"time"`
	Permissions    string          `json:"permissions"`
	PermissionText string          `json:"permission_text"`
	EOL            string          `json:"eol"`
	ReplacedBy     string          `json:"replaced_by"`
	Publisher      customPublisher `json:"publisher"`
	Deltas         []delta         `json:"deltas"`
}

type located struct {
	SHA256 string `json:"sha256"`
	Length int64  `json:"length"`
}

type customPublisher struct {
	Key string `json:"key"`
	Sig string `json:"sig"`
}

// delta is read and ignored: none are made yet, and a client that knows none
// must still read a repository that has them.
type delta struct {
	From   uint64 `json:"from"`
	SHA256 string `json:"sha256"`
	Length int64  `json:"length"`
}

// MarshalCustom writes the custom part of a target.
func (r Release) MarshalCustom() ([]byte, error) {
	c := custom{
		V: 1, Version: r.Version, N: r.N,
		Locator: located{r.Locator.String(), r.LocatorLength},
		Runtime: r.Runtime.String(), Download: r.Download, Installed: r.Installed,
		Time:        r.Time.UTC().Format(time.RFC3339),
		Permissions: r.Permissions.String(), PermissionText: r.PermissionText,
		EOL: r.EOL, ReplacedBy: r.ReplacedBy,
		Publisher: customPublisher{base64.StdEncoding.EncodeToString(r.Publisher.Key), base64.StdEncoding.EncodeToString(r.Publisher.Sig)},
		Deltas:    []delta{},
	}
	data, err := json.Marshal(c)
	if err == nil {
		// What is written can be read, or it is not written.
		_, err = ParseCustom(r.Ref, data)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot describe %s: %w", r.Ref, err)
	}
	return data, nil
}

// ParseCustom reads the custom part of the target that is ref's release. Tree
// and TreeLength are left zero; the publisher's signature is checked by
// VerifyPublisher once they are known.
func ParseCustom(ref Ref, data []byte) (Release, error) {
	r, err := parseCustom(ref, data)
	if err != nil {
		return Release{}, fmt.Errorf("release of %s: %w", ref, err)
	}
	return r, nil
}

func parseCustom(ref Ref, data []byte) (Release, error) {
	if len(data) > MaxCustom {
		return Release{}, fmt.Errorf("description of over %d bytes", MaxCustom)
	}
	var c custom
	if err := strictjson.Unmarshal(data, &c); err != nil {
		return Release{}, err
	}
	if c.V != 1 {
		return Release{}, fmt.Errorf("description of version %d, which this program does not know", c.V)
	}
	r := Release{
		Ref: ref, N: c.N, Version: c.Version, LocatorLength: c.Locator.Length,
		Download: c.Download, Installed: c.Installed, PermissionText: c.PermissionText,
		EOL: c.EOL, ReplacedBy: c.ReplacedBy,
	}
	var errs [6]error
	r.Locator, errs[0] = ParseDigest(c.Locator.SHA256)
	r.Permissions, errs[1] = ParseDigest(c.Permissions)
	r.Time, errs[2] = parseTime(c.Time)
	r.Publisher.Key, errs[3] = base64.StdEncoding.Strict().DecodeString(c.Publisher.Key)
	r.Publisher.Sig, errs[4] = base64.StdEncoding.Strict().DecodeString(c.Publisher.Sig)
	errs[5] = r.Runtime.UnmarshalText([]byte(c.Runtime))
	if err := errors.Join(errs[:]...); err != nil {
		return Release{}, err
	}
	if len(c.Deltas) > maxDeltas {
		return Release{}, fmt.Errorf("over %d deltas", maxDeltas)
	}
	return r, r.check()
}

// check is every rule about the values of a release.
func (r Release) check() error {
	if err := r.Ref.check(); err != nil {
		return err
	}
	if err := manifest.CheckVersion(r.Version); err != nil {
		return err
	}
	switch {
	case r.N == 0 || r.N > MaxN:
		return fmt.Errorf("release number %d", r.N)
	case r.LocatorLength <= 0 || r.LocatorLength > MaxLocator:
		return fmt.Errorf("locator of %d bytes", r.LocatorLength)
	case r.Download < 0 || r.Download > MaxBytes || r.Installed < 0 || r.Installed > MaxBytes:
		return fmt.Errorf("download of %d bytes, %d installed", r.Download, r.Installed)
	case !r.Runtime.IsZero() && (r.Runtime.Kind != manifest.Runtime || r.Ref.Kind == manifest.Runtime):
		return fmt.Errorf("%s is no runtime for it", r.Runtime)
	case len(r.PermissionText) > maxPermissionText:
		return fmt.Errorf("permissions of over %d bytes", maxPermissionText)
	case Sum([]byte(r.PermissionText)) != r.Permissions:
		return errors.New("the permissions are not those of their digest")
	}
	if _, _, err := ParsePermissionText(r.PermissionText); err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	if err := checkSentence("eol", r.EOL, maxEOL); err != nil {
		return err
	}
	if r.ReplacedBy != "" {
		if next, err := ParseRef(r.ReplacedBy); err != nil || next.Kind != r.Ref.Kind || next == r.Ref {
			return fmt.Errorf("%q cannot replace it", clip(r.ReplacedBy))
		}
	}
	return r.Publisher.check()
}

func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UTC().Format(time.RFC3339) != text {
		return time.Time{}, fmt.Errorf("time %q is not of the form 2006-01-02T15:04:05Z", clip(text))
	}
	return t.UTC(), nil
}

// checkSentence is the rule for text that is for people: one line, no more
// than limit characters, nothing a terminal would act upon.
func checkSentence(what, text string, limit int) error {
	switch {
	case !utf8.ValidString(text):
		return fmt.Errorf("%s is not UTF-8", what)
	case utf8.RuneCountInString(text) > limit:
		return fmt.Errorf("%s of over %d characters", what, limit)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s has a control character", what)
	}
	return nil
}
