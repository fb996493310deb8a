package bundle

import (
	"io"
	"os"
	"runtime"
	"testing"
)

func TestMachineOf(t *testing.T) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own := make([]byte, headerSize)
	if _, err := io.ReadFull(f, own); err != nil {
		t.Fatal(err)
	}
	with := func(at int, b byte) []byte {
		head := append([]byte{}, own...)
		head[at] = b
		return head
	}
	here := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	for _, c := range []struct {
		name string
		head []byte
		want string
	}{
		{"this program", own, here},
		{"a program for x86_64", with(18, 62), "x86_64"},
		{"a program for aarch64", with(18, 183), "aarch64"},
		{"code for the kernel's BPF", with(18, 247), ""},
		{"an object file", with(16, 1), ""},
		{"a program of 32 bits", with(4, 1), ""},
		{"cut short", own[:headerSize-1], ""},
		{"a script", []byte("#!/bin/sh\nexec true something"), ""},
	} {
		if got := machineOf(c.head); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
