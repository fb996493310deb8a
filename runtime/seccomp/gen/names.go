//go:build libseccomp

package main

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"

	"sandbox/runtime/seccomp"
)

var libseccompArch = map[seccomp.ABI]libseccomp.ScmpArch{
	seccomp.X8664: libseccomp.ArchAMD64,
	seccomp.Arm64: libseccomp.ArchARM64,
	seccomp.I386:  libseccomp.ArchX86,
	seccomp.Arm:   libseccomp.ArchARM,
}

// agree stops when libseccomp knows another number for a name than the table. A
// name that it does not know is one newer than itself.
func agree() error {
	for _, r := range seccomp.Table() {
		for abi, arch := range libseccompArch {
			nr, has, err := abi.Number(r.Name)
			if err != nil {
				return err
			}
			theirs, err := libseccomp.GetSyscallFromNameByArch(r.Name, arch)
			if err != nil || theirs < 0 { // negative: only on other architectures
				continue
			}
			if !has || int(theirs) != nr {
				return fmt.Errorf("%s on %v is %d here and %d for libseccomp", r.Name, abi, nr, theirs)
			}
		}
	}
	return nil
}
