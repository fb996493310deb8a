package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"tty": func([]string) (string, error) {
			name, _ := os.Readlink("/proc/self/fd/0")
			var st unix.Stat_t
			err := unix.Fstat(0, &st)
			return fmt.Sprintf("%s %d:%d:%d", name, st.Dev, unix.Major(st.Rdev), unix.Minor(st.Rdev)), err
		},
		"winsize": func([]string) (string, error) {
			w, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%dx%d", w.Col, w.Row), nil
		},
		"setwinsize": func(a []string) (string, error) {
			return "", unix.IoctlSetWinsize(0, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(number(a[0])), Row: uint16(number(a[1]))})
		},
		"raw": func([]string) (string, error) {
			t, err := unix.IoctlGetTermios(0, unix.TCGETS)
			if err != nil {
				return "", err
			}
			t.Lflag, t.Iflag, t.Oflag = 0, 0, 0
			return "", unix.IoctlSetTermios(0, unix.TCSETS, t)
		},
		"foreground": func(a []string) (string, error) {
			return "", unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, number(a[0]))
		},
		// print writes text with \e for escape, as it is.
		"print": func(a []string) (string, error) {
			text := strings.ReplaceAll(strings.Join(a, " "), `\e`, "\x1b")
			_, err := os.Stdout.WriteString(strings.ReplaceAll(text, `\a`, "\a"))
			return "", err
		},
		"line": func([]string) (string, error) {
			buf := make([]byte, 256)
			n, err := unix.Read(0, buf)
			return string(bytes.TrimSpace(buf[:max(n, 0)])), err
		},
		"ptmx": func([]string) (string, error) {
			fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			if err != nil {
				return "", err
			}
			var n uint32
			_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTN, uintptr(unsafe.Pointer(&n)))
			return fmt.Sprint(n), errOf(e)
		},
	})
}
