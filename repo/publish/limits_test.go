package publish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
)

func TestWhatClientsWouldNotRead(t *testing.T) {
	if err := checkSize("bin-00", maxRoleFile+1); err == nil || !strings.Contains(hint.Of(err), "bins") {
		t.Errorf("a role that is too large: %v", err)
	}
	if checkSize("bin-00", maxRoleFile) != nil || checkSize(metadata.TIMESTAMP, maxTimestamp+1) == nil || checkSize(metadata.SNAPSHOT, maxSnapshot+1) == nil || checkSize(metadata.ROOT, maxTop+1) == nil {
		t.Error("the limits are others")
	}
	dir, o := newRepo(t)
	var many []string
	for i := range maxPaths/3 + 1 {
		many = append(many, fmt.Sprintf("com.acme.App%d", i))
	}
	if err := addPublisher(t, dir, o, false, "acme", many, newKey(t)); err == nil || !strings.Contains(err.Error(), "patterns") {
		t.Errorf("too many patterns: %v", err)
	}
	if err := addPublisher(t, dir, o, false, "acme", many[1:], newKey(t)); err != nil {
		t.Error(err)
	}
	accepts(t, dir, o)
	r := open(t, dir, o)
	defer r.Close()
	d := *r.targets.Signed.Delegations
	for i := range maxPublishers {
		d.Roles = append(d.Roles, metadata.DelegatedRole{Name: fmt.Sprint(i)})
	}
	if checkDelegations(&d, r.bins) == nil {
		t.Error("any number of publishers")
	}
}
