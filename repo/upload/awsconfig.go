package upload

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sandbox/internal/hint"
)

// bucketConfig is how a bucket is reached.
type bucketConfig struct {
	credentials
	region   string
	endpoint *url.URL // nil: that of AWS
}

const defaultRegion = "us-east-1"

// awsConfig reads the environment as every tool for AWS does, then the files of
// the profile: those named by AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or
// ~/.aws/credentials and ~/.aws/config. What is in the environment wins.
func awsConfig(env func(string) string, home string) (bucketConfig, error) {
	name := cmp.Or(env("AWS_PROFILE"), env("AWS_DEFAULT_PROFILE"), "default")
	profile := map[string]string{}
	for _, f := range []struct{ path, section string }{
		{cmp.Or(env("AWS_CONFIG_FILE"), filepath.Join(home, ".aws/config")), "profile " + name},
		{cmp.Or(env("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(home, ".aws/credentials")), name},
	} {
		if err := readProfile(f.path, f.section, name, profile); err != nil {
			return bucketConfig{}, fmt.Errorf("cannot read %q: %w", f.path, err)
		}
	}
	c := bucketConfig{credentials: credentials{env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")}}
	if c.id == "" && c.secret == "" {
		c.credentials = credentials{profile["aws_access_key_id"], profile["aws_secret_access_key"], profile["aws_session_token"]}
	}
	if c.id == "" || c.secret == "" {
		return bucketConfig{}, hint.With(errors.New("there are no credentials for S3"),
			`export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials in AWS_PROFILE; 'eval "$(aws configure export-credentials --format env)"' takes over those of a single sign-on`)
	}
	c.region = cmp.Or(env("AWS_REGION"), env("AWS_DEFAULT_REGION"), profile["region"], defaultRegion)
	if text := cmp.Or(env("AWS_ENDPOINT_URL_S3"), env("AWS_ENDPOINT_URL"), profile["endpoint_url"]); text != "" {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return bucketConfig{}, hint.With(errors.New("AWS_ENDPOINT_URL is no address of a server"), "write it as https://HOST[:PORT]")
		}
		c.endpoint = u
	}
	return c, nil
}

// readProfile adds the keys of one section to into. The section of the default
// profile has the same name in both files.
func readProfile(path, section, name string, into map[string]string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	inside := false
	for line := range strings.Lines(string(data)) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "", trimmed[0] == '#', trimmed[0] == ';':
		case trimmed[0] == '[':
			head := strings.Join(strings.Fields(strings.Trim(trimmed, "[] \t")), " ")
			inside = head == section || name == "default" && head == name
		case inside && line[0] != ' ' && line[0] != '\t': // what is indented belongs to the key above
			if key, value, ok := strings.Cut(trimmed, "="); ok {
				into[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return nil
}
