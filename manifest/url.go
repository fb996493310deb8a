package manifest

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

const maxURL = 1000

// checkURL wants a plain http or https address. It is narrower than RFC 3986:
// no user or password, which make one host look like another, and nothing that
// needs escaping where it is shown.
func checkURL(text string) error {
	rest, ok := strings.CutPrefix(text, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(text, "http://")
	}
	if !ok {
		return hint.With(fmt.Errorf("address %q is not http or https", text), "write it in full, like \"https://example.org\"")
	}
	if len(text) > maxURL {
		return fmt.Errorf("address is longer than %d bytes", maxURL)
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if err := checkHost(host); err != nil {
		return fmt.Errorf("address %q: %w", text, err)
	}
	bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>\\^`{|}", r) }
	if i := strings.IndexFunc(path, bad); i >= 0 {
		return fmt.Errorf("address %q holds a character that must be written as %%XX", text)
	}
	return nil
}

func checkHost(hostPort string) error {
	host, port, hasPort := strings.Cut(hostPort, ":")
	if strings.Contains(hostPort, "@") {
		return fmt.Errorf("it holds a user name")
	}
	if hasPort && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return fmt.Errorf("port %q is not a number", port)
	}
	for _, label := range strings.Split(host, ".") {
		outside := strings.IndexFunc(label, func(r rune) bool { return !isAlnum(r) && r != '-' })
		if label == "" || outside >= 0 || label[0] == '-' {
			return fmt.Errorf("%q is not a host name", host)
		}
	}
	return nil
}
