package upload

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"sandbox/internal/hint"
	"sandbox/internal/lazy"
)

// Address is where a repository lies on a server.
type Address struct {
	Scheme string // "s3" or "ssh"
	User   string // of ssh, may be ""
	Host   string // of ssh; of s3 the bucket
	Port   string // of ssh, may be ""
	Path   string // of ssh absolute, or begins with "~/"; of s3 the prefix, without slashes at its ends
}

// Schemes are those that Parse takes, as they are completed.
var Schemes = []string{"s3://", "ssh://"}

// Is reports whether text is an address and not a directory.
func Is(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && scheme != "file" && schemeName().MatchString(scheme)
}

var (
	schemeName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	bucketName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)
	hostName   = lazy.Regexp(`^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$`) // never an option of ssh
	userName   = lazy.Regexp(`^[A-Za-z0-9_][A-Za-z0-9._@+-]*$`)
)

const forms = "write s3://BUCKET/PREFIX or ssh://[USER@]HOST[:PORT]/PATH"

// Parse reads an address.
func Parse(text string) (Address, error) {
	a, err := parse(text)
	if err != nil {
		if hint.Of(err) == "" {
			err = hint.With(err, forms)
		}
		return Address{}, fmt.Errorf("cannot publish to %q: %w", redacted(text), err)
	}
	return a, nil
}

func parse(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("it is no address")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Address{}, errors.New("it has control characters")
	}
	switch u.Scheme {
	case "s3", "ssh":
	case "http", "https":
		return Address{}, hint.With(errors.New("http carries a repository to its users, and takes nothing"),
			"publish to where the web server has its files: s3://BUCKET/PREFIX or ssh://[USER@]HOST[:PORT]/PATH, or a directory")
	default:
		return Address{}, fmt.Errorf("there is no way there by %q", u.Scheme)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return Address{}, errors.New("it has a query or a fragment")
	}
	if _, secret := u.User.Password(); secret {
		return Address{}, hint.With(errors.New("it holds a password"), "ssh asks for it, or better a key; an address ends up in logs")
	}
	for _, part := range strings.Split(u.Path, "/") {
		if part == "." || part == ".." {
			return Address{}, fmt.Errorf("its path has %q in it", part)
		}
	}
	if u.Scheme == "s3" {
		return parseS3(u)
	}
	return parseSSH(u)
}

func parseS3(u *url.URL) (Address, error) {
	if u.User != nil {
		return Address{}, hint.With(errors.New("it names a user"), "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
	}
	if !bucketName().MatchString(u.Host) || u.Port() != "" {
		return Address{}, fmt.Errorf("%q is no name of a bucket", u.Host)
	}
	return Address{Scheme: "s3", Host: u.Host, Path: strings.Trim(path.Clean("/"+u.Path), "/")}, nil
}

func parseSSH(u *url.URL) (Address, error) {
	a := Address{Scheme: "ssh", User: u.User.Username(), Host: u.Hostname(), Port: u.Port()}
	if !hostName().MatchString(a.Host) {
		return Address{}, fmt.Errorf("%q is no name of a host", a.Host)
	}
	if u.User != nil && !userName().MatchString(a.User) {
		return Address{}, fmt.Errorf("%q is no name of a user", a.User)
	}
	a.Path = path.Clean("/" + u.Path)
	if rest, ok := strings.CutPrefix(a.Path, "/~/"); ok {
		a.Path = "~/" + rest
	}
	if a.Path == "/" || a.Path == "/~" {
		return Address{}, hint.With(errors.New("it names no directory"), "ssh://HOST/srv/repo is a path from the root, ssh://HOST/~/repo one below your home there")
	}
	return a, nil
}

// String is the address as a user writes it. It has no secret.
func (a Address) String() string {
	u := url.URL{Scheme: a.Scheme, Host: a.Host, Path: "/" + strings.TrimPrefix(a.Path, "/")}
	if strings.Contains(a.Host, ":") {
		u.Host = "[" + a.Host + "]"
	}
	if a.Port != "" {
		u.Host += ":" + a.Port
	}
	if a.User != "" {
		u.User = url.User(a.User)
	}
	return strings.TrimSuffix(u.String(), "/")
}

// Name is the last part of it: what the repository is called at first.
func (a Address) Name() string {
	if name := path.Base(a.Path); a.Path != "" {
		return name
	}
	return a.Host
}

// redacted is text without a password. A password may have a slash in it, as those
// of AWS do: then it only looks like a path.
func redacted(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		if user, _, secret := strings.Cut(rest[:i], ":"); secret {
			rest = user + ":…" + rest[i:]
		}
	}
	return scheme + "://" + rest
}
