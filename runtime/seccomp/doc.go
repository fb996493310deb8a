// Package seccomp holds the system call filter of an app.
//
// # What it is for
//
// The namespaces, the mounts and Landlock decide what an app can reach. The
// filter stands behind them: it keeps the app from building namespaces and
// mounts of its own, in which it would have capabilities; from typing into a
// terminal it shares; from looking into processes; and from the parts of the
// kernel in which most escapes were found and which ordinary programs do not
// use. FILTER.md lists every call, the answer and the reason.
//
// It is an allow-list. A call that the table does not name is one the kernel
// gained later, and gets ENOSYS, so that programs fall back; so do clone3, the
// mount calls by file descriptor and io_uring, for the same reason. Other
// refused calls get EPERM. A list of what is bad would be open to each new
// kernel (CVE-2021-41133).
//
// Two decisions are less plain:
//
//   - Filters of the app's own are allowed, as they only narrow: the kernel takes
//     the strictest answer. A listener (SECCOMP_FILTER_FLAG_NEW_LISTENER) needs
//     feature userns: only the supervisor of a nested sandbox has a use for one,
//     and it can hand descriptors to processes that it answers.
//   - Setting the setuid bit is allowed. It could be refused in chmod, but open,
//     creat and mknod set it too, and openat2 behind a pointer. What is mounted
//     in the sandbox is nosuid. Outside, such a file in a granted directory can
//     give another account of the machine the rights of the user.
//
// # How it is made
//
// The table in allow.go has a row per name. The numbers are in numbers.go, for
// the four ABIs: x86_64 and arm64, and the 32-bit ones that feature multiarch
// opens. They are those of the kernel's tables for Linux 7.0; the tests compare
// them with golang.org/x/sys and, where it knows the name, libseccomp. A name
// without a number is an error, never skipped.
//
// gen compiles the table with libseccomp when it changes ("go generate"), and
// the programs are embedded. A launch only copies one: Program takes some
// microseconds and one allocation, links no table, and initialises nothing.
// A program first looks at the ABI; each ABI has a tree of numbers, and calls
// with conditions branch to a small program of their own. Calls that are
// allowed whatever their arguments reach no argument on the way, so the kernel
// (5.11 and later) keeps them in a bitmap and does not run the filter for them.
//
// After a change of the table:
//
//	go generate ./runtime/seccomp
//	go test ./runtime/seccomp -run TestPage -update
//
// # How it must be loaded
//
// By seccomp(SECCOMP_SET_MODE_FILTER), after no_new_privs, as the last thing
// before exec and also in pid 1 of the app. What the launcher does between
// loading and exec must itself be allowed. The filter is inherited and cannot
// be taken off; a process that enters the sandbox later has to load it too.
//
// # What it cannot stop
//
//   - Anything behind a pointer: paths, the flags of openat2, a socket address.
//   - Bugs of the kernel in what is allowed: files, memory, signals, TCP, UDP.
//   - Use of what was passed in open: an fd of a device or of a directory
//     outside works as it did for the one who opened it.
//   - ioctls of devices that were granted. Only those of terminals are filtered.
//   - Exhaustion: that is for limits.
//   - With feature userns, most of what it is there for: an app with namespaces
//     of its own has capabilities in them and reaches kernel code that is
//     otherwise root's. With devel, processes inside can take over each other.
package seccomp
