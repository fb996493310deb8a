package runtime

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Landlock ABIs that the walls below need: landlock(7).
const (
	landlockRefer    = 2 // before it, whoever is held to files cannot rename between directories
	landlockTruncate = 3
	landlockScopes   = 6
)

// landlock keeps abstract sockets and signals inside, where the network
// namespace is shared or a process id leaks. And it holds the app to the way in
// which its standard streams and passed descriptors were opened: they are files
// of the host's mounts, and by /proc/self/fd a file that was opened to be read
// could be opened again to be written. What is in the view may be opened as its
// mounts allow; what is not in it, only as the caller did. Before ABI 3 it may
// still be emptied.
func (c *compiler) landlock() {
	attr := placed[unix.LandlockRulesetAttr](c.builder)
	if c.plan.Landlock >= landlockScopes {
		attr.Scoped = c.scopes()
	}
	// Whoever is held to files may no longer mount, which is what the feature is for.
	files := c.plan.Landlock >= landlockRefer && !slices.Contains(c.plan.Features, "userns")
	modify := uint64(unix.LANDLOCK_ACCESS_FS_WRITE_FILE)
	if c.plan.Landlock >= landlockTruncate {
		modify |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if files {
		attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_READ_FILE | modify | unix.LANDLOCK_ACCESS_FS_REFER
	}
	if attr.Scoped == 0 && !files {
		return
	}
	c.name("scope sockets and signals")
	set := c.open(unix.SYS_LANDLOCK_CREATE_RULESET, pointer(attr), 24, 0)
	if files {
		c.name("hold descriptors to their mode")
		root := c.open(unix.SYS_OPENAT, unix.AT_FDCWD, "/", pathFlags|unix.O_DIRECTORY, 0)
		c.allowBeneath(set, root, attr.Handled_access_fs)
		c.close(root)
		for fd, from := range c.descriptors() {
			c.allowDescriptor(set, fd, from, modify)
		}
	}
	c.call(unix.SYS_LANDLOCK_RESTRICT_SELF, ref(set), 0)
	c.close(set)
}

// scopes: a command that enters gets a domain beside the app's, not inside it,
// and scopes would keep the two apart. What they are for holds without them: the
// processes and abstract sockets of others are in other namespaces, unless the
// network is shared.
func (c *compiler) scopes() uint64 {
	switch {
	case !c.joins:
		return unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	case c.plan.ShareNet:
		return unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	return 0
}

// descriptors are those that the app finds open, and what they are here.
func (c *compiler) descriptors() map[int]int {
	out := map[int]int{}
	for i, fd := range c.wire.std {
		if fd >= 0 {
			out[i] = fd
		}
	}
	for _, fd := range c.wire.pass {
		out[fd] = fd
	}
	return out
}

// allowBeneath adds a rule: struct landlock_path_beneath_attr is packed, the
// rights in two words and the descriptor in the third.
func (c *compiler) allowBeneath(set, dir slot, rights uint64) *op {
	rule := placed[[3]uint32](c.builder)
	rule[0], rule[1] = uint32(rights), uint32(rights>>32)
	c.store(dir, &rule[2])
	return c.call(unix.SYS_LANDLOCK_ADD_RULE, ref(set), unix.LANDLOCK_RULE_PATH_BENEATH, pointer(rule), 0)
}

// allowDescriptor lets a file be opened again as it was opened. Sockets cannot
// be, and pipes without a name are not held to anything (EBADFD).
func (c *compiler) allowDescriptor(set slot, fd, from int, modify uint64) {
	flags, err := unix.FcntlInt(uintptr(from), unix.F_GETFL, 0)
	var st unix.Stat_t
	if err != nil || unix.Fstat(from, &st) != nil || flags&unix.O_PATH != 0 {
		return
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFSOCK || kind == unix.S_IFDIR {
		return
	}
	rights := map[int]uint64{
		unix.O_RDONLY: unix.LANDLOCK_ACCESS_FS_READ_FILE,
		unix.O_WRONLY: modify,
		unix.O_RDWR:   unix.LANDLOCK_ACCESS_FS_READ_FILE | modify,
	}[flags&unix.O_ACCMODE]
	if rights == 0 {
		return
	}
	at := c.newSlot()
	c.call(unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, 0).out = uint16(at)
	c.allowBeneath(set, at, rights).tolerate(0, unix.EBADFD)
	c.close(at)
}
