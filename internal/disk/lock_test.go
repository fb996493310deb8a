package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func opened(t *testing.T, path string, flags int) int {
	t.Helper()
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	first, second := opened(t, path, unix.O_RDONLY), opened(t, path, unix.O_RDONLY)
	writer := opened(t, path, unix.O_RDWR)
	for _, fd := range []int{first, second} {
		if err := TryShared(fd); err != nil {
			t.Fatalf("two readers: %v", err)
		}
	}
	if err := TryExclusive(writer); !errors.Is(err, ErrLocked) {
		t.Fatalf("exclusive beside readers: %v", err)
	}
	unix.Close(second)
	if err := Unlock(first); err != nil {
		t.Fatal(err)
	}
	if err := TryExclusive(writer); err != nil {
		t.Fatalf("exclusive alone: %v", err)
	}
	if err := TryShared(first); !errors.Is(err, ErrLocked) {
		t.Fatalf("a reader beside exclusive: %v", err)
	}
}

// Whoever may only read a file must not be able to keep its owner out for ever.
func TestReaderCannotLockExclusively(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := TryExclusive(opened(t, path, unix.O_RDONLY)); err == nil || errors.Is(err, ErrLocked) {
		t.Fatalf("an exclusive lock by a reader: %v", err)
	}
}

// Nobody passes a closed gate, and who has passed it stays behind it.
func TestGate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	instance, late, copier := opened(t, path, unix.O_RDWR), opened(t, path, unix.O_RDWR), opened(t, path, unix.O_RDWR)
	for _, step := range []struct {
		what string
		got  error
		want error
	}{
		{"an instance begins", TryShared(instance), nil},
		{"it passes", PassGate(instance), nil},
		{"the gate is closed behind it", CloseGate(copier), nil},
		{"it is still there", TryBehind(copier), ErrLocked},
		{"another must wait", TryShared(late), ErrLocked},
		{"it ends", Unlock(instance), nil},
		{"nobody is there", TryBehind(copier), nil},
		{"another must wait still", TryShared(late), ErrLocked},
		{"the gate is opened", Unlock(copier), nil},
		{"another passes", TryShared(late), nil},
	} {
		if !errors.Is(step.got, step.want) {
			t.Errorf("%s: %v, want %v", step.what, step.got, step.want)
		}
	}
}
