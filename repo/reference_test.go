package repo

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// What the page leaves out does not exist for a second implementer.
func TestReferenceIsComplete(t *testing.T) {
	for _, v := range []any{custom{}, located{}, customPublisher{}, delta{}, treeHeader{}, treeLine{}, locatorHeader{}, locatorLine{}, catalogueLine{}} {
		ty := reflect.TypeOf(v)
		for i := range ty.NumField() {
			key, _, _ := strings.Cut(ty.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(Reference, "`"+key+"`") && !strings.Contains(Reference, `"`+key+`"`) {
				t.Errorf("FORMAT.md does not explain %q of %s", key, ty.Name())
			}
		}
	}
	for what, n := range map[string]int64{"MiB": MaxWindow >> 20, "MiB compressed": MaxTree >> 20, "KiB.": MaxCustom >> 10} {
		if !strings.Contains(Reference, fmt.Sprintf("%d %s", n, what)) {
			t.Errorf("FORMAT.md does not say %d %s", n, what)
		}
	}
	for _, name := range []string{treeType, locatorType, catalogueType, "sandbox-release-1", "sandbox-bundle"} {
		if !strings.Contains(Reference, name) {
			t.Errorf("FORMAT.md does not name %q", name)
		}
	}
}
