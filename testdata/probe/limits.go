package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"alloc": func(a []string) (string, error) {
			b, err := unix.Mmap(-1, 0, number(a[0]), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
			if err == nil {
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
			}
			return "", err
		},
		"memfd": func(a []string) (string, error) {
			fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
			if err != nil {
				return "", err
			}
			return "", unix.Fallocate(fd, 0, 0, int64(number(a[0])))
		},
		"forks": forks,
		"inotify": many(func(int) error {
			_, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			return err
		}),
		"watches": watches,
		"queues": many(func(i int) error {
			name, _ := unix.BytePtrFromString(fmt.Sprintf("probe-%d", i))
			fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_RDWR, 0o600, 0, 0, 0)
			if e == 0 {
				unix.Close(int(fd))
				queues = append(queues, name)
			}
			return errOf(e)
		}),
		"timers": many(func(int) error {
			var id int32
			_, _, e := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&id)))
			return errOf(e)
		}),
		"flood": func(a []string) (string, error) {
			buf := make([]byte, 64<<10)
			for i := range buf {
				buf[i] = 'y'
			}
			d, err := time.ParseDuration(a[0])
			for end := time.Now().Add(d); time.Now().Before(end); {
				if _, err := os.Stdout.Write(buf); err != nil {
					return "", err
				}
			}
			return "", err
		},
	})
}

// queues are kept while the app lives, and must go with the probe outside.
var queues []*byte

func init() {
	register(map[string]operation{"unqueue": func([]string) (string, error) {
		for _, name := range queues {
			unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
		}
		return "", nil
	}})
}

// many does something again and again, at most a number of times, and says how
// often it went well before the first error.
func many(f func(i int) error) operation {
	return func(a []string) (string, error) {
		for i := range number(a[0]) {
			if err := f(i); err != nil {
				e, _ := err.(unix.Errno)
				return fmt.Sprintf("%d then %s", i, unix.ErrnoName(e)), nil
			}
		}
		return a[0], nil
	}
}

func forks(a []string) (string, error) {
	var all []*exec.Cmd
	defer func() {
		for _, c := range all {
			c.Process.Kill()
			c.Wait()
		}
	}()
	for i := range number(a[0]) {
		c := exec.Command("/proc/self/exe", "hold")
		if err := c.Start(); err != nil {
			return fmt.Sprintf("%d then an error", i), nil
		}
		all = append(all, c)
	}
	return a[0], nil
}

// watches takes inotify watches on many directories that it makes.
func watches(a []string) (string, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return "", err
	}
	return many(func(i int) error {
		dir := fmt.Sprintf("%s/w%d", a[1], i)
		if err := unix.Mkdir(dir, 0o700); err != nil {
			return err
		}
		_, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
		return err
	})(a)
}
