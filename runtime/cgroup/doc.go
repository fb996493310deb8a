// Package cgroup holds what one instance may use: memory, swap, processes,
// processor time, disk traffic. It also freezes, kills and measures an
// instance as a whole.
//
//	host := cgroup.Probe()                        // what this session offers
//	plan, err := cgroup.Decide(host, id, limits)  // pure; printed by --dry-run
//	group, err := cgroup.Create(plan)             // else: Decide(host.Without(plan.Mode), …)
//	… clone with CLONE_INTO_CGROUP when group.FD() >= 0; the child waits at its gate
//	err = group.Add(pid)                          // in every mode; it also verifies
//	… open the gate; Stats, Update, Freeze, Thaw, Kill
//	err = group.Remove(ctx)
//	… later, from another process: Open(ref), and Sweep for what was left behind
//
// # Who holds the limits
//
// The first of these that can hold every limit asked for is taken; if none can,
// the one that holds most, and Plan.Degraded says what is missing and why.
//
//	v2     A leaf below a unit that systemd has delegated to us, or below the
//	       own group where no systemd runs. The app is cloned into it, so there
//	       is no instant outside the limits. mkdir and the writes take 0.1 to
//	       0.2 ms, the clone nothing. A group whose siblings hand controllers on
//	       may hold no process itself: where other processes are in it, only
//	       controllers that are already handed on can be used, and where this
//	       process is the only one, it moves into a group of its own.
//	scope  A transient scope of the user's systemd, or for root the system's,
//	       over D-Bus: 1 ms of ours and what systemd takes (5 to 20 ms), during
//	       which the child waits. Delegate=yes keeps systemd from moving the app
//	       out of it. Disk limits need systemd to delegate "io", which
//	       the managers of users are not given by default. A scope is made
//	       only when limits are asked for.
//	v1     Groups in the v1 hierarchies that we may write: root, on hybrid
//	       hosts. Entering costs one write for each hierarchy, the first up to
//	       8 ms, the rest 0.03 ms. When memory runs out, v1 kills the largest
//	       process of the group only: OOM tells the supervisor. It slows reads and direct
//	       writes down, not writes through the page cache. Without the v2 part
//	       of a hybrid host the freezer serves to freeze and kill. Made only
//	       when limits are asked for.
//	none   Nothing can be grouped. Pids is held all the same by RLIMIT_NPROC,
//	       which counts for each user namespace since Linux 5.14; memory only for each
//	       process (RLIMIT_DATA); the rest not at all. Freeze and Kill
//	       return ErrNoGroup, and the launcher signals the processes.
//
// Files is RLIMIT_NOFILE in every mode, Time is for the supervisor's timer.
// Groups lie below the caller's own group or, in mode V2, beside it in the same
// unit, so an instance stays inside the limits that its caller's unit has. A scope
// is a unit of its own.
//
// Probe takes 0.1 ms. Linking the D-Bus library and the net package below it adds
// 1.3 MB to a program and less than 0.2 ms to its start; nothing is connected
// before Create of a plan by scope.
//
// # What it trusts
//
// The kernel's files, systemd, and nothing that the app can write: the app sees
// no cgroup file system. The environment only names sockets; one is used when
// it belongs to the user or to root and so does the peer at the other end.
// Registry entries (Ref) are believed as far as names and inode numbers agree.
//
// # What it cannot stop
//
// Root on the host, or the user, may move a process out of its group or raise
// the limits. Memory that the app makes others use, such as sockets of
// a host service, is not counted. File systems on several disks (btrfs, overlay,
// network) cannot be limited by v1 and v2, since there is no one disk to name.
package cgroup
