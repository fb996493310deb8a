package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWordsOfApps(t *testing.T) {
	all := []appWord{{"org.gnu.Nano", "7.2"}, {"org.example.Edit", "an editor\x1b[2J"}, {"com.example.Edit", "another"}, {"org.example.Draw", ""}, {"org.gnu.Nano", "for the machine"}}
	for _, c := range []struct {
		word  string
		named []string
		want  string
	}{
		{"", nil, "com.example.Edit org.example.Draw org.example.Edit org.gnu.Nano"},
		{"org.e", nil, "org.example.Draw org.example.Edit"},
		{"na", nil, "nano"},
		{"Na", nil, "Nano"},
		{"ed", nil, ""}, // two have it
		{"x", nil, ""},
		{"org.", []string{"org.example.Draw", "nano"}, "org.example.Edit"},
		{"dr", []string{"Draw"}, ""},
	} {
		var got []string
		for _, w := range wordsOf(slices.Clone(all), c.named, c.word) {
			if strings.ContainsAny(w, "\x1b\n") || strings.Count(w, "\t") != 1 {
				t.Errorf("%q", w)
			}
			name, _, _ := strings.Cut(w, "\t")
			got = append(got, name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q after %q: %q, want %q", c.word, c.named, got, c.want)
		}
	}
}

// What a remote listed when it was searched is completed without asking it again;
// before that it is said how, and nothing is made on the disk.
func TestCompletionOfWhatIsOffered(t *testing.T) {
	s := newShop(t)
	s.publish("1.0", "")
	web := httptest.NewServer(http.FileServer(http.Dir(s.Dir + "/repo")))
	defer web.Close()
	complete := func(args ...string) string {
		t.Helper()
		return s.user.ok(append([]string{"__complete"}, args...)...)
	}
	const unknown = "_activeHelp_ nothing is known yet of what the remotes offer: 'sandbox search' asks them\n:4"
	before, _ := os.ReadDir(s.user.Dir)
	if out := complete("install", "ed"); out != unknown {
		t.Errorf("%q", out)
	}
	if after, _ := os.ReadDir(s.user.Dir); len(after) != len(before) {
		t.Errorf("completion has made %v", after)
	}
	s.user.ok("remote", "add", "main", web.URL, "--key", s.key)
	if out := complete("install", ""); out != unknown {
		t.Errorf("%q", out)
	}
	s.user.ok("search")
	web.Close()
	for _, verb := range []string{"install", "info", "download"} {
		if out := complete(verb, ""); out != "org.example.Edit\tAn editor\n:4" {
			t.Errorf("%s: %q", verb, out)
		}
		if out := complete(verb, "ed"); out != "edit\tAn editor\n:4" {
			t.Errorf("%s ed: %q", verb, out)
		}
	}
	for want, args := range map[string][]string{":4": {"install", "edit", ""}, unknown: {"install", "--system", ""}} {
		if out := complete(args...); out != want {
			t.Errorf("%q: %q", args, out)
		}
	}
}
