package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// attacks are those on bundles, repositories and updates that this project has
// looked at in others. Each has tests, which name it.
var attacks = map[string]string{
	"B01": "text that is shown and text that counts differ",
	"B02": "keys that decoders match loosely",
	"B04": "one app served as another",
	"B05": "an old release after an uninstall",
	"B07": "a repository that is frozen",
	"B08": "old and new metadata mixed",
	"B10": "answers without end, and slow ones",
	"B11": "a threshold of nothing",
	"B13": "roots that are skipped",
	"B14": "delegations in the wrong order",
	"B16": "names that become paths",
	"B17": "addresses and redirects that lead elsewhere",
	"B19": "bytes that are read and were not signed",
	"B20": "another repository offers an update",
	"B22": "content that is not looked at after it came",
	"B23": "a document of two types",
	"B25": "members outside of the tree",
	"B26": "a fixed name that is a link",
	"B28": "hard links out of the tree",
	"B29": "modes set by way of a link",
	"B31": "devices, FIFOs, sockets",
	"B32": "extended attributes",
	"B34": "names that are one to some file systems",
	"B35": "little that unpacks to much",
	"B37": "numbers that are cut to 32 bits",
	"B38": "an icon that is a link",
	"B40": "values that become lines of something else",
	"B41": "arguments of other programs",
	"B43": "a file that is changed after it was looked at",
	"B44": "keys that were withdrawn",
	"B46": "what is verified is not what is used",
	"B47": "an end in the midst of it",
	"B49": "ways out of os.Root",
	"B50": "a file that nobody vouches for",
}

func TestEveryAttackHasATest(t *testing.T) {
	missing := map[string]bool{}
	for id := range attacks {
		missing[id] = true
	}
	look := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") || d.Name() == "rows_test.go" {
			return err
		}
		data, err := os.ReadFile(path)
		for id := range missing {
			if strings.Contains(string(data), id) {
				delete(missing, id)
			}
		}
		return err
	}
	for _, dir := range []string{".", "../manifest", "../cmd/sandbox-tool"} {
		if err := filepath.WalkDir(dir, look); err != nil {
			t.Fatal(err)
		}
	}
	for id := range missing {
		t.Errorf("no test is about %s: %s", id, attacks[id])
	}
}
