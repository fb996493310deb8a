package runtime

import (
	"bytes"
	"os"
	"sort"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An op is one system call that a cloned child makes. The parent compiles a
// Plan to an array of them, because the child runs where nothing of Go runs:
// between clone(2) and execve(2) there is one thread, no scheduler, no
// allocation and no stack growth (see runtime_BeforeFork). The child only
// walks the array.
type op struct {
	nr    uintptr
	arg   [6]uintptr
	refs  uint8  // bit i: arg[i] is the number of a slot, take its content
	match bool   // the result must be want
	out   uint16 // slot that receives the result; 0 is nobody's
	skip  uint16 // ops to pass over after a tolerated errno
	jump  uint16 // ops to pass over after success
	step  uint16 // index in program.names, for the message
	allow [2]uint8
	want  uintptr
}

// Ops that work on memory instead of calling the kernel, all on the 32-bit word
// at arg[0].
const (
	opExpect = ^uintptr(0) - iota // masked with arg[1] it must be arg[2], or skip ops are passed over
	opRefuse                      // masked with arg[1] it must not be arg[2], or likewise
	opClear                       // arg[1] bytes from arg[0] on become zero
	opByte                        // the byte at arg[0] becomes arg[1]
	opStore                       // it becomes arg[1]
)

const maxSlots = 1024

// program is a compiled Plan: what init does before it is init (setup), and
// what its child does before it is the app (launch).
type program struct {
	setup  []op
	launch []op
	names  []string
	slots  [maxSlots]uintptr
	word   uint32 // the byte that opened the last gate

	*residue

	keep  []any // what the addresses in ops point at
	arena []byte
}

// residue is all that init still needs once the app runs. It lies in a mapping
// of its own, so that everything else of the supervisor's memory, of which init
// is a copy, can be given back. It holds no pointers.
type residue struct {
	status uintptr   // fd on which the child reports
	record [4]uint32 // the report being written
	cpid   uintptr   // the app's pid, as init sees it
	wait   uint32    // wait status, written by the kernel
	mask   uint64    // all signals
	info   [128]byte // siginfo of the signal being forwarded
	group  uint32    // process group to be put in the foreground
	own    uint32    // init's own process group
	paused bool      // stops are ours, not the app's

	ranges [64]span // memory to give back
	count  int
}

type span struct{ from, to uintptr }

// newResidue maps memory that the collector does not know.
func newResidue() *residue {
	size := int(unsafe.Sizeof(residue{}))
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		mem = make([]byte, size) // no memory: the launch will say so better
	}
	r := (*residue)(unsafe.Pointer(&mem[0]))
	r.mask = ^uint64(0)
	return r
}

// spans lists the writable memory of this process, but for the residue.
func (r *residue) spans() {
	own := uintptr(unsafe.Pointer(r))
	for line := range bytes.Lines(ownMaps()) {
		s, writable := parseSpan(line)
		if !writable || own >= s.from && own < s.to || bytes.Contains(line, []byte("[v")) {
			continue
		}
		if r.count < len(r.ranges) {
			r.ranges[r.count] = s
			r.count++
		}
	}
}

// ownMaps is /proc/self/maps, read without a buffer that grows.
func ownMaps() []byte {
	fd, err := unix.Open("/proc/self/maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	buf, n := make([]byte, 16<<10), 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if m <= 0 || err != nil {
			break
		}
		n += m
	}
	return buf[:n]
}

// parseSpan reads the range of a line of proc_pid_maps(5).
func parseSpan(line []byte) (s span, writable bool) {
	rng, rest, ok := bytes.Cut(line, []byte(" "))
	from, to, ok2 := bytes.Cut(rng, []byte("-"))
	if !ok || !ok2 || len(rest) < 4 {
		return span{}, false
	}
	s.from, ok = parseHex(from)
	s.to, ok2 = parseHex(to)
	return s, ok && ok2 && rest[1] == 'w'
}

func parseHex(text []byte) (v uintptr, ok bool) {
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uintptr(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uintptr(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, len(text) > 0
}

// builder appends ops to one of the two lists.
type builder struct {
	*program
	ops      *[]op
	step     uint16
	free     []slot
	used     slot
	failStep string // test seam: the named step fails with ENOSYS
	made     map[string]bool
}

// slot is a place for a result; the zero slot takes none.
type slot uint16

// ref marks an argument as "the content of this slot".
type ref slot

func newBuilder() *builder {
	p := &program{residue: newResidue(), names: make([]string, 1, 64)}
	b := &builder{program: p, made: map[string]bool{"/": true}}
	p.setup = make([]op, 0, 800)
	p.launch = make([]op, 0, 96)
	b.ops = &p.setup
	return b
}

// name says what the ops that follow are for: "cannot NAME: errno".
func (b *builder) name(s string) {
	b.names = append(b.names, s)
	b.step = uint16(len(b.names) - 1)
}

func (b *builder) newSlot() slot {
	if n := len(b.free); n > 0 {
		s := b.free[n-1]
		b.free = b.free[:n-1]
		return s
	}
	b.used++
	if b.used >= maxSlots {
		panic("internal error: a launch needs too many slots")
	}
	return b.used
}

// call appends a system call. Arguments are ints, uintptrs, strings (passed as
// C strings), []byte and refs.
func (b *builder) call(nr uintptr, args ...any) *op {
	o := op{nr: nr, step: b.step}
	if b.failStep != "" && b.failStep == b.names[b.step] {
		o.nr = 1 << 20 // ENOSYS
	}
	for i, a := range args {
		switch v := a.(type) {
		case int:
			o.arg[i] = uintptr(v)
		case uintptr:
			o.arg[i] = v
		case string:
			o.arg[i] = b.cstring(v)
		case []byte:
			o.arg[i] = b.bytes(v)
		case ref:
			o.arg[i] = uintptr(v)
			o.refs |= 1 << i
		default:
			panic("internal error: an op got an argument of an unknown type")
		}
	}
	*b.ops = append(*b.ops, o)
	return &(*b.ops)[len(*b.ops)-1]
}

// open appends a call whose result is a file descriptor and returns its slot.
func (b *builder) open(nr uintptr, args ...any) slot {
	s := b.newSlot()
	b.call(nr, args...).out = uint16(s)
	return s
}

func (b *builder) close(slots ...slot) {
	for _, s := range slots {
		b.call(unix.SYS_CLOSE, ref(s))
		b.free = append(b.free, s)
	}
}

// expect demands that a word which an earlier call filled has a value.
func (b *builder) expect(word *uint32, mask, want uint32) {
	b.call(opExpect, pointer(b, word), uintptr(mask), uintptr(want))
}

// refuse demands that it has not.
func (b *builder) refuse(word *uint32, mask, unwanted uint32) {
	b.call(opRefuse, pointer(b, word), uintptr(mask), uintptr(unwanted))
}

// store puts the content of a slot where a later call reads it.
func (b *builder) store(s slot, word *uint32) {
	b.call(opStore, pointer(b, word), ref(s))
}

// rename gives the child a command line of its own: its copy of ours would
// tell the app paths and arguments of the host.
func (b *builder) rename(name string) {
	b.call(unix.SYS_PRCTL, unix.PR_SET_NAME, name, 0, 0, 0)
	if len(os.Args) == 0 || len(os.Args[0]) == 0 {
		return
	}
	// The kernel lays the arguments out one behind the other, NULs between.
	first, last := os.Args[0], os.Args[len(os.Args)-1]
	from := uintptr(unsafe.Pointer(unsafe.StringData(first)))
	to := uintptr(unsafe.Pointer(unsafe.StringData(last))) + uintptr(len(last))
	if to < from || to-from > 4<<20 || len(last) == 0 {
		return
	}
	b.call(opClear, from, int(to-from))
	for i := 0; i < min(len(name), len(first)); i++ {
		b.call(opByte, from+uintptr(i), int(name[i]))
	}
}

// tolerate lets the call fail with one of the errnos; the next skip ops are
// then passed over.
func (o *op) tolerate(skip int, errnos ...unix.Errno) {
	for i, e := range errnos {
		o.allow[i] = uint8(e)
	}
	o.skip = uint16(skip)
}

// must demands an exact result.
func (o *op) must(want uintptr) { o.match, o.want = true, want }

// cstring places s, with its NUL, where the child finds it. Collection never
// moves heap memory, and keep holds it.
func (b *builder) cstring(s string) uintptr {
	if len(b.arena)+len(s)+1 > cap(b.arena) {
		b.arena = make([]byte, 0, max(8192, len(s)+1))
		b.keep = append(b.keep, b.arena[:1])
	}
	at := len(b.arena)
	b.arena = append(b.arena, s...)
	b.arena = append(b.arena, 0)
	return uintptr(unsafe.Pointer(&b.arena[at]))
}

func (b *builder) bytes(v []byte) uintptr {
	if len(v) == 0 {
		return 0
	}
	b.keep = append(b.keep, v)
	return uintptr(unsafe.Pointer(&v[0]))
}

// vector places a NULL-terminated array of C strings.
func (b *builder) vector(list []string) uintptr {
	v := make([]uintptr, len(list)+1)
	for i, s := range list {
		v[i] = b.cstring(s)
	}
	b.keep = append(b.keep, v)
	return uintptr(unsafe.Pointer(&v[0]))
}

// low32 is the lower half of a 64-bit word, on the little-endian machines that
// are supported.
func low32(v *uint64) *uint32 { return (*uint32)(unsafe.Pointer(v)) }

// statMode is the word of a statx result whose lower half is the file's mode.
func statMode(st *unix.Statx_t) *uint32 { return (*uint32)(unsafe.Pointer(&st.Mode)) }

// filterProgram describes a filter to seccomp(2).
func (b *builder) filterProgram(raw []byte) uintptr {
	b.keep = append(b.keep, raw)
	return pointer(b, &unix.SockFprog{Len: uint16(len(raw) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))})
}

// pointer places any fixed-size kernel structure.
func pointer[T any](b *builder, v *T) uintptr {
	b.keep = append(b.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// closeAllBut appends close_range(2) calls for every descriptor from 3 up that
// is not in keep: an inherited directory descriptor is a way out
// (CVE-2024-21626).
func (b *builder) closeAllBut(keep ...int) {
	sort.Ints(keep)
	next := 3
	for _, fd := range keep {
		if fd < next {
			continue
		}
		if fd > next {
			b.call(unix.SYS_CLOSE_RANGE, next, fd-1, 0)
		}
		next = fd + 1
	}
	b.call(unix.SYS_CLOSE_RANGE, next, int(^uint32(0)), 0)
}

// addressOf is for the one kernel structure that holds an address as a number.
func addressOf(v *int32) uint64 { return uint64(uintptr(unsafe.Pointer(v))) }

// cloneArgs is struct clone_args of clone3(2), up to the cgroup.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal     uint64
	stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}
