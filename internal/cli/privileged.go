package cli

import (
	"errors"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// refusePrivileged: a program that was given rights its caller does not have
// would use them on the caller's word (CVE-2016-8659, CVE-2020-5291).
func refusePrivileged() error {
	const secure = 23 // AT_SECURE: getauxval(3)
	values, err := unix.Auxv()
	for _, v := range values {
		if v[0] == secure && v[1] == 0 {
			return nil
		}
	}
	return hint.With(errors.Join(errors.New("cannot run setuid, setgid or with file capabilities"), err),
		"remove them from the program: sandbox needs no privilege")
}
