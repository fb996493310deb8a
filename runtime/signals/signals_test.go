package signals

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func raise(t *testing.T, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, c <-chan os.Signal) os.Signal {
	t.Helper()
	select {
	case sig := <-c:
		return sig
	case <-time.After(10 * time.Second):
		t.Fatal("no signal came")
		return nil
	}
}

func TestNotify(t *testing.T) {
	a, b := make(chan os.Signal, 4), make(chan os.Signal, 4)
	if err := Notify(a, unix.SIGUSR1, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := Notify(b, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	raise(t, unix.SIGUSR1)
	for _, c := range []chan os.Signal{a, b} {
		if sig := wait(t, c); sig != unix.SIGUSR1 {
			t.Errorf("got %v", sig)
		}
	}
	raise(t, unix.SIGTERM) // would end the process
	if sig := wait(t, a); sig != unix.SIGTERM {
		t.Errorf("got %v", sig)
	}
	Stop(b)
	raise(t, unix.SIGUSR1)
	wait(t, a)
	if len(b) > 0 {
		t.Error("a channel that was stopped was told")
	}
	Stop(a)
}

func TestStopGivesBack(t *testing.T) {
	c := make(chan os.Signal, 1)
	var before, during, after action
	sigaction(unix.SIGUSR2, nil, &before)
	if err := Notify(c, unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	sigaction(unix.SIGUSR2, nil, &during)
	Stop(c)
	sigaction(unix.SIGUSR2, nil, &after)
	if during.handler != catchPC || during == before {
		t.Errorf("handler %#x while it is caught", during.handler)
	}
	if after != before {
		t.Errorf("%+v afterwards, %+v before", after, before)
	}
}

func TestUncatchable(t *testing.T) {
	if err := Notify(make(chan os.Signal, 1), unix.SIGKILL); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("error is %v", err)
	}
}

// TestUnderLoad: signals hit threads in the middle of anything, collections and
// growing stacks among it.
func TestUnderLoad(t *testing.T) {
	c := make(chan os.Signal, 1024)
	if err := Notify(c, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	defer Stop(c)
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				grow(200)
			}
		})
	}
	for range 2000 {
		raise(t, unix.SIGUSR1)
	}
	wait(t, c)
	close(stop)
	work.Wait()
}

func grow(n int) []byte {
	var local [512]byte
	if n == 0 {
		return slices.Clone(local[:])
	}
	return append(grow(n-1), local[n%512])
}

// TestIgnored: what the caller had us ignore can be told, and an ignored signal
// is nothing.
func TestIgnored(t *testing.T) {
	if os.Getenv("SIGNALS_TEST_CHILD") == "" {
		cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" -test.run '^TestIgnored$'`, os.Args[0])
		cmd.Env = append(os.Environ(), "SIGNALS_TEST_CHILD=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if !Ignored(unix.SIGHUP) || Ignored(unix.SIGUSR1) {
		t.Errorf("HUP ignored: %v, USR1 ignored: %v", Ignored(unix.SIGHUP), Ignored(unix.SIGUSR1))
	}
	raise(t, unix.SIGHUP)
	Ignore(unix.SIGQUIT)
	raise(t, unix.SIGQUIT) // Go's own handler would end the process with a trace
}
