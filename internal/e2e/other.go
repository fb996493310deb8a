package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"sandbox/internal/testenv"
)

// otherID is an id of no account, from the range that systemd gives to users that
// come and go.
const otherID = 61999

// OtherHome is the session of somebody else on a machine that has no network: a
// user of another id, in a network namespace where nothing is up. Only root can
// start programs like that. For anybody else it is one more home of the same user,
// and that is recorded as what was not tested.
func OtherHome(t testing.TB) *Home {
	t.Helper()
	h := NewHome(t)
	other := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherID, Gid: otherID}, Cloneflags: syscall.CLONE_NEWNET}
	if err := canBe(other); err != nil {
		testenv.Partly(t, "another user, who has no network: %v", err)
		return h
	}
	h.as = other
	for _, dir := range []string{h.Dir, h.Runtime} {
		h.own(dir)
	}
	return h
}

// canBe tells whether sandboxes can be started as somebody else.
func canBe(other *syscall.SysProcAttr) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root")
	}
	c := exec.Command("unshare", "--user", "--map-root-user", "true")
	c.SysProcAttr, c.Dir = other, "/"
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("needs user namespaces for ordinary users: %w: %s", err, out)
	}
	return nil
}

// Other tells whether the home is of another id than the test's own.
func (h *Home) Other() bool { return h.as != nil }

// own gives a file that was made for the home to whose it is.
func (h *Home) own(name string) {
	h.t.Helper()
	if h.as == nil {
		return
	}
	if err := os.Lchown(name, otherID, otherID); err != nil {
		h.t.Fatal(err)
	}
}
