package upload

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
)

// The example of "Authenticating Requests: Using the Authorization Header" in the
// reference of S3.
func TestSignatureOfTheReference(t *testing.T) {
	q, _ := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	q.Header.Set("Range", "bytes=0-9")
	sign(q, credentials{id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, "us-east-1", emptyHash, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	const want = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if got := q.Header.Get("Authorization"); got != want {
		t.Errorf("signed\n%s, want\n%s", got, want)
	}
}

func TestAWSConfig(t *testing.T) {
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, ".aws"), 0o700)
	os.WriteFile(filepath.Join(home, ".aws/credentials"), []byte("# mine\n[default]\naws_access_key_id = D\naws_secret_access_key=DS\n[work]\nAWS_ACCESS_KEY_ID=W\naws_secret_access_key = WS=/+\naws_session_token = WT\n"), 0o600)
	os.WriteFile(filepath.Join(home, ".aws/config"), []byte("[default]\nregion = eu-central-1\n[profile work]\nregion=ap-south-1\ns3 =\n  endpoint_url = http://wrong\nendpoint_url = https://s3.work.example:9000/base\n[work]\nregion = wrong\n"), 0o600)
	for _, c := range []struct {
		name string
		env  map[string]string
		want bucketConfig
		base string
	}{
		{"the environment", map[string]string{"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "ES", "AWS_SESSION_TOKEN": "ET", "AWS_REGION": "eu-west-3"},
			bucketConfig{credentials: credentials{"E", "ES", "ET"}, region: "eu-west-3"}, "https://apps.s3.eu-west-3.amazonaws.com/"},
		{"the default profile", nil, bucketConfig{credentials: credentials{"D", "DS", ""}, region: "eu-central-1"}, "https://apps.s3.eu-central-1.amazonaws.com/"},
		{"another profile", map[string]string{"AWS_PROFILE": "work"}, bucketConfig{credentials: credentials{"W", "WS=/+", "WT"}, region: "ap-south-1"}, "https://s3.work.example:9000/base/apps/"},
		{"the environment over the profile", map[string]string{"AWS_PROFILE": "work", "AWS_DEFAULT_REGION": "us-west-2", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, bucketConfig{credentials: credentials{"W", "WS=/+", "WT"}, region: "us-west-2"}, "http://127.0.0.1:1/apps/"},
		{"the endpoint of S3 over that of all", map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b/"}, bucketConfig{credentials: credentials{"D", "DS", ""}, region: "eu-central-1"}, "http://b/apps/"},
	} {
		got, err := awsConfig(func(n string) string { return c.env[n] }, home)
		base := baseOf("apps", got)
		got.endpoint = nil
		if err != nil || got != c.want || base.String() != c.base {
			t.Errorf("%s: %+v at %s, %v", c.name, got, &base, err)
		}
	}
	dotted := baseOf("apps.example.org", bucketConfig{region: "eu-west-3"})
	if dotted.String() != "https://s3.eu-west-3.amazonaws.com/apps.example.org/" {
		t.Errorf("a bucket with dots is at %s", &dotted)
	}
	for name, env := range map[string]map[string]string{
		"no credentials": {"AWS_PROFILE": "nobody"},
		"no address":     {"AWS_ENDPOINT_URL": "localhost:9000"},
		"a secret in it": {"AWS_ENDPOINT_URL": "http://me:hunter2@host"},
	} {
		_, err := awsConfig(func(n string) string { return env[n] }, home)
		if err == nil || hint.Of(err) == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
