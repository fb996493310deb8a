// Package runtime starts an application in its sandbox and stays with it.
//
// # Plan, then do
//
// Make turns a Request (manifest, permissions, arguments) and a Host (what this
// machine is like) into a Plan: data that says everything about the launch.
// Nothing is changed by it; `sandbox run --dry-run` prints it. Run performs it:
//
//	supervisor (sandbox run)                     init (pid 1 inside)
//	─────────────────────────                    ───────────────────
//	make what grants stand on, the control group
//	compile the plan to an array of calls
//	clone3 ─────────────────────────────────────▶ write the id maps
//	                                             open every source by descriptor
//	                                             build the view, pivot, detach the host
//	                             ◀── terminal ── open a pty in the app's own devpts
//	fetch it (pidfd_getfd), relay ── gate byte ─▶
//	enter the control group, list the instance
//	                              ── gate byte ─▶ leave the cgroup namespace, set limits,
//	                                             close descriptors, drop capabilities,
//	                                             no_new_privs, Landlock, seccomp, check
//	                             ◀── started ─── clone ──▶ the app: own group, signals reset, execve
//	relay, signals, orders, limits of time       give back memory, reap, forward
//	                             ◀── stopped ───
//	                             ◀── exited ──── exit; the kernel ends what is left
//
// Init is a copy of the supervisor that never returns to Go: it walks the array
// with raw system calls and then waits. So a launch starts no second program of
// ours, and costs what its system calls cost. See program_unsafe.go.
//
// Enter goes the same way, with setns(2) in place of the view.
//
// # What is trusted
//
// The kernel, the user's own account, and the directories that only it can
// write. Not trusted: the bundle, the app, and every directory that an app
// could ever write, its own home first of all: there, nothing is followed, and
// what is mounted is named by a descriptor.
//
// # What the app cannot do
//
// See files, processes, networks, sockets or devices that were not granted;
// gain a capability, a user id or a namespace; call what the filter refuses
// (FILTER.md of package seccomp); type into the terminal it was started from;
// outlive its supervisor; write where its permissions are kept.
//
// # What this cannot stop
//
// A bug of the kernel in what the filter allows. What a granted thing can do by
// itself: an app with x11 can read every key; with network:host it talks to
// every service of the machine that asks for no password; with a writable
// directory it can plant there what the user runs later (guardedHome covers the
// known places below a home). Descriptors that are passed in, as standard
// streams are, keep the power they have: a file opened for reading through one
// can be opened again by its /proc entry as the user may open it. Timing and
// cache side channels. Load on what no limit was set for.
//
// The app may use set-group bits of files as the user could (negative ACLs by
// group keep working: supplementary groups stay, see user_namespaces(7)).
package runtime
