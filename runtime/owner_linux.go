package runtime

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Ids for the apps of a root caller: inside the range that systemd's
// UIDS-GIDS document leaves to containers (524288 to 1879048191), above what
// useradd(8) hands out as subordinate ids.
const (
	rootOwnersFirst = 1_000_000_000
	rootOwners      = 500_000_000
)

// RootOwner is the uid and gid that the kernel sees when root runs an app: the
// same for every run, and another for every app, so that one app of root's
// cannot touch the files of another.
func RootOwner(app string) Owner {
	h := fnv.New64a()
	h.Write([]byte(app))
	id := rootOwnersFirst + int(h.Sum64()%rootOwners)
	return Owner{id, id}
}

// shiftedMounts makes, for the binds of a root caller that need it, detached
// mounts on which root's files belong to the app's owner (idmapped mounts,
// mount_setattr(2)). Nothing else of the host changes hands: files of other
// users belong to nobody there.
func shiftedMounts(p *Plan) (map[int]int, error) {
	var steps []int
	for i := range p.View {
		if p.View[i].Shift {
			steps = append(steps, i)
		}
	}
	if len(steps) == 0 {
		return nil, nil
	}
	ns, err := translation(p.Outside)
	if err != nil {
		return nil, fmt.Errorf("cannot translate ids: %w", err)
	}
	defer unix.Close(ns)
	mounts := map[int]int{}
	for _, i := range steps {
		fd, err := shift(&p.View[i], ns)
		if err != nil {
			closeAll(mounts)
			return nil, err
		}
		mounts[i] = fd
	}
	return mounts, nil
}

func shift(s *Step, ns int) (int, error) {
	src, err := unix.Openat2(unix.AT_FDCWD, s.Source, &unix.OpenHow{Flags: pathFlags, Resolve: noLinks})
	if err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", s.Source, err)
	}
	defer unix.Close(src)
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", s.Source, err)
	}
	if s.Ino != 0 && (st.Ino != s.Ino || st.Dev != s.Dev) {
		return -1, launchError("open "+s.Source, unix.EBADMSG)
	}
	fd, err := unix.OpenTree(src, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("cannot grant %s: %w", s.Source, err)
	}
	attr := &unix.MountAttr{Attr_set: uint64(attributes(s))}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot grant %s: %w", s.Source, err)
	}
	attr = &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns)}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		unix.Close(fd)
		err = fmt.Errorf("cannot grant %s to an app of root's: %w", s.Source, err)
		return -1, hint.With(err, "its file system (or one mounted below) cannot translate owners; run the app as an ordinary user, or grant a place on another file system")
	}
	return fd, nil
}

// translation is a user namespace in which uid 0 is the owner. A child holds
// it open while we fetch it, and never runs anything.
func translation(owner Owner) (fd int, err error) {
	var gate [2]int
	if err := unix.Pipe2(gate[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	defer unix.Close(gate[1])
	b, err := newBuilder()
	if err != nil {
		return -1, err
	}
	defer b.free()
	b.name("hold a namespace")
	b.status = ^uintptr(0)
	b.call(unix.SYS_CLOSE, gate[1])
	b.call(unix.SYS_READ, gate[0], pointer(&b.word), 1).must(1) // end of file: exit
	pid, errno := b.clone3(&cloneArgs{flags: unix.CLONE_NEWUSER, exitSignal: uint64(unix.SIGCHLD)})
	unix.Close(gate[0])
	if errno != 0 {
		return -1, cloneError(unix.Errno(errno), false)
	}
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		(&process{pid: pid}).reap()
	}()
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for file, id := range map[string]int{"uid_map": owner.UID, "gid_map": owner.GID} {
		if err := os.WriteFile(dir+file, fmt.Appendf(nil, "0 %d 1", id), 0); err != nil {
			return -1, err
		}
	}
	fd, err = unix.Open(dir+"ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errors.Join(err)
	}
	return fd, nil
}

func closeAll(fds map[int]int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
