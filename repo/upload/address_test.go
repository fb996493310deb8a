package upload

import (
	"strings"
	"testing"

	"sandbox/internal/hint"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want, called string }{
		{"a bucket", "s3://apps", "s3://apps", "apps"},
		{"a prefix", "s3://apps/stable/repo/", "s3://apps/stable/repo", "repo"},
		{"a bucket with dots", "s3://apps.example.org/x", "s3://apps.example.org/x", "x"},
		{"a host", "ssh://host/srv/repo", "ssh://host/srv/repo", "repo"},
		{"all of it", "ssh://me@host:2222/srv//repo/", "ssh://me@host:2222/srv/repo", "repo"},
		{"below home", "ssh://host/~/repo", "ssh://host/~/repo", "repo"},
		{"IPv6", "ssh://[::1]:22/srv/repo", "ssh://[::1]:22/srv/repo", "repo"},
		{"a space", "ssh://host/srv/my%20repo", "ssh://host/srv/my%20repo", "my repo"},
	} {
		a, err := Parse(c.text)
		if err != nil || a.String() != c.want || a.Name() != c.called {
			t.Errorf("%s: %q is %q, called %q, %v", c.name, c.text, a, a.Name(), err)
		}
		if again, err := Parse(a.String()); err != nil || again != a {
			t.Errorf("%s: %q reads as %+v, %v", c.name, a, again, err)
		}
		if !Is(c.text) {
			t.Errorf("%s: it is taken for a directory", c.name)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"http", "http://host/repo", "takes nothing"},
		{"https", "https://host/repo", "takes nothing"},
		{"another scheme", "ftp://host/repo", `"ftp"`},
		{"a password", "ssh://me:hunter2@host/srv/repo", "password"},
		{"a user of S3", "s3://me@apps/repo", "names a user"},
		{"a secret for S3", "s3://AKID:hunter2@apps/repo", "password"},
		{"a port of S3", "s3://apps:9000/repo", "bucket"},
		{"no bucket", "s3:///repo", "bucket"},
		{"no host", "ssh:///repo", "host"},
		{"an option for a host", "ssh://-oProxyCommand=x/repo", "host"},
		{"an option for a user", "ssh://-oProxyCommand=x@host/repo", "user"},
		{"no directory", "ssh://host/", "no directory"},
		{"all of home", "ssh://host/~", "no directory"},
		{"a way up", "s3://apps/../other", `".."`},
		{"a query", "s3://apps/repo?x=1", "query"},
		{"a line break", "ssh://host/srv/a%0ab", "control"},
	} {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%s: %v (hint %q)", c.name, err, hint.Of(err))
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is shown", c.name)
		}
	}
	for _, dir := range []string{"repo", "/srv/repo", "./s3:/x", "file:///srv/repo", "a b://c"} {
		if Is(dir) {
			t.Errorf("%q is taken for an address", dir)
		}
	}
}
