package remote

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"sandbox/internal/hint"
)

// Address is where a repository is: an http, https or file URL that ends with
// a slash. The zero value is none.
type Address struct{ u *url.URL }

// ParseAddress reads a URL, or an absolute path for a file URL. User names,
// queries and fragments are refused: they would end up in listings and logs.
func ParseAddress(text string) (Address, error) {
	if filepath.IsAbs(text) {
		return fileAddress(text)
	}
	u, err := url.Parse(text)
	bad := func(why, way string) (Address, error) {
		return Address{}, hint.With(fmt.Errorf("cannot use the address %q: %s", text, why), "%s", way)
	}
	const form = "write it as https://HOST/PATH, http://HOST/PATH or file:///PATH"
	switch {
	case err != nil:
		return bad("it is not a URL", form)
	case u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" || u.Opaque != "" || !path.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "" {
			return bad("it names no directory", "write it as file:///PATH")
		}
		return fileAddress(u.Path)
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("its scheme is not known", form)
	case u.Opaque != "" || u.Hostname() == "":
		return bad("it names no host", form)
	case u.User != nil:
		return bad("it holds a user name", "leave the user name out: this program sends no passwords")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("it holds a query", "leave out all from the first ? or #")
	case strings.ContainsAny(u.Path, "\\\x00\n\r") || strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/.."):
		return bad("its path is odd", form)
	}
	u.Path, u.RawPath = strings.TrimRight(path.Clean("/"+u.Path), "/")+"/", ""
	u.Host = strings.ToLower(u.Host)
	return Address{u}, nil
}

func fileAddress(dir string) (Address, error) {
	if strings.ContainsAny(dir, "\x00\n\r") {
		return Address{}, errors.New("cannot use the address: its path is odd")
	}
	return Address{&url.URL{Scheme: "file", Path: strings.TrimRight(filepath.Clean(dir), "/") + "/"}}, nil
}

func (a Address) String() string {
	if a.u == nil {
		return ""
	}
	return a.u.String()
}

// IsZero reports that there is no address.
func (a Address) IsZero() bool { return a.u == nil }

// Dir is the directory of a file URL, "" for others.
func (a Address) Dir() string {
	if a.u == nil || a.u.Scheme != "file" {
		return ""
	}
	return a.u.Path
}

// Insecure reports that others on the way can see what is asked for.
func (a Address) Insecure() bool { return a.u != nil && a.u.Scheme == "http" }

// MarshalText and UnmarshalText are String and ParseAddress; no text is no address.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := ParseAddress(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// join is the URL of one file.
func (a Address) join(unsafePath string) (*url.URL, error) {
	if err := checkPath(unsafePath); err != nil {
		return nil, err
	}
	u := *a.u
	u.Path += unsafePath
	return &u, nil
}

// sameOrigin reports that a request to u goes to the very server of a.
func (a Address) sameOrigin(u *url.URL) bool {
	return u.Scheme == a.u.Scheme && strings.EqualFold(u.Host, a.u.Host) && u.User == nil
}

// checkPath tells whether a path of a repository is well formed: elements of
// letters, digits and "._-" that do not begin with a dot. All paths are made
// from checked names; this is the second lock.
func checkPath(unsafePath string) error {
	bad := fmt.Errorf("internal error: %q is no path of a repository", unsafePath)
	if len(unsafePath) > 512 {
		return bad
	}
	for element := range strings.SplitSeq(unsafePath, "/") {
		if element == "" || element[0] == '.' {
			return bad
		}
		for i := range len(element) {
			c := element[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
				return bad
			}
		}
	}
	return nil
}
