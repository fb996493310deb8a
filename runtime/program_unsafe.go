package runtime

import (
	"fmt"
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
	step  uint16 // index in builder.names, for the message
	allow [2]uint8
	want  uintptr
}

// Ops that work on memory instead of calling the kernel, all on the 32-bit word
// at arg[0].
const (
	opExpect = ^uintptr(0) - iota // masked with arg[1] it must be arg[2], or skip ops are passed over
	opRefuse                      // masked with arg[1] it must not be arg[2], or likewise
	opStore                       // it becomes arg[1]
)

const (
	maxSlots  = 1024
	maxSetup  = 8192
	maxLaunch = 512
)

// program is a compiled Plan: what init does before it is init (setup), and
// what its child does before it is the app (launch). It stands at the beginning
// of an arena and everything that it points at lies in there too, outside the
// collector's heap.
type program struct {
	pidOne

	setup  []op
	launch []op
	slots  [maxSlots]uintptr
	word   uint32 // the byte that opened the last gate
}

// pidOne is what pid 1 still needs once the app runs.
type pidOne struct {
	status uintptr   // fd on which the child reports
	record [4]uint32 // the report being written
	cpid   uintptr   // the app's pid, as init sees it
	wait   uint32    // wait status, written by the kernel
	mask   uint64    // all signals
	info   [128]byte // siginfo of the signal being forwarded
	group  uint32    // process group to be put in the foreground
	own    uint32    // init's own process group
	paused bool      // stops are ours, not the app's

	spare span // memory that only the launch needed
}

// arena is a mapping in which things are placed one behind the other. Pages
// that are never written cost nothing, so it is large.
type arena struct {
	mem  []byte
	used uintptr
}

const (
	arenaSize   = 8 << 20
	arenaFilled = 128 << 10
)

func newArena() (*arena, error) {
	mem, err := unix.Mmap(-1, 0, arenaSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot get memory: %w", err)
	}
	// What every launch fills comes in one call instead of a fault a page. Where
	// the kernel cannot (before Linux 5.14), it comes by faults.
	unix.Madvise(mem[:arenaFilled], unix.MADV_POPULATE_WRITE)
	return &arena{mem: mem}, nil
}

// place reserves size bytes, aligned for every type.
func (a *arena) place(size uintptr) unsafe.Pointer {
	at := (a.used + 15) &^ 15
	if at+size > uintptr(len(a.mem)) {
		panic("a launch needs too much memory")
	}
	a.used = at + size
	return unsafe.Pointer(&a.mem[at])
}

func (a *arena) free() {
	if a != nil && a.mem != nil {
		unix.Munmap(a.mem)
		a.mem = nil
	}
}

// builder appends ops to one of the two lists of a program.
type builder struct {
	*program
	*arena
	names    []string // what the steps are for
	ops      *[]op
	step     uint16
	recycled []slot
	last     slot
	failStep string // test seam: the named step fails with ENOSYS
	made     map[string]bool
}

// slot is a place for a result; the zero slot takes none.
type slot uint16

// ref marks an argument as "the content of this slot".
type ref slot

func newBuilder() (*builder, error) {
	a, err := newArena()
	if err != nil {
		return nil, err
	}
	b := &builder{arena: a, names: make([]string, 1, 160), made: map[string]bool{"/": true}}
	b.program = (*program)(a.place(unsafe.Sizeof(program{})))
	b.mask = ^uint64(0)
	b.setup = unsafe.Slice((*op)(a.place(maxSetup*unsafe.Sizeof(op{}))), maxSetup)[:0]
	b.launch = unsafe.Slice((*op)(a.place(maxLaunch*unsafe.Sizeof(op{}))), maxLaunch)[:0]
	b.ops = &b.setup
	return b, nil
}

// name says what the ops that follow are for: "cannot NAME: errno".
func (b *builder) name(s string) {
	b.names = append(b.names, s)
	b.step = uint16(len(b.names) - 1)
}

func (b *builder) newSlot() slot {
	if n := len(b.recycled); n > 0 {
		s := b.recycled[n-1]
		b.recycled = b.recycled[:n-1]
		return s
	}
	b.last++
	if b.last >= maxSlots {
		panic("a launch needs too many descriptors")
	}
	return b.last
}

// call appends a system call. Arguments are ints, uintptrs, strings (passed as
// C strings), []byte and refs.
func (b *builder) call(nr uintptr, args ...any) *op {
	if len(*b.ops) == cap(*b.ops) {
		panic("a launch needs too many steps")
	}
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
			panic("an op got an argument of an unknown type")
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
		b.recycled = append(b.recycled, s)
	}
}

// expect demands that a word which an earlier call filled has a value.
func (b *builder) expect(word *uint32, mask, want uint32) *op {
	return b.call(opExpect, uintptr(unsafe.Pointer(word)), uintptr(mask), uintptr(want))
}

// refuse demands that it has not.
func (b *builder) refuse(word *uint32, mask, unwanted uint32) {
	b.call(opRefuse, uintptr(unsafe.Pointer(word)), uintptr(mask), uintptr(unwanted))
}

// store puts the content of a slot where a later call reads it.
func (b *builder) store(s slot, word *uint32) {
	b.call(opStore, uintptr(unsafe.Pointer(word)), ref(s))
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

// cstring places s with its NUL.
func (b *builder) cstring(s string) uintptr {
	p := b.place(uintptr(len(s)) + 1)
	copy(unsafe.Slice((*byte)(p), len(s)), s)
	return uintptr(p)
}

// bytes places a copy of v.
func (b *builder) bytes(v []byte) uintptr {
	if len(v) == 0 {
		return 0
	}
	p := b.place(uintptr(len(v)))
	copy(unsafe.Slice((*byte)(p), len(v)), v)
	return uintptr(p)
}

// vector places a NULL-terminated array of C strings.
func (b *builder) vector(list []string) uintptr {
	size := unsafe.Sizeof(uintptr(0))
	p := b.place(uintptr(len(list)+1) * size)
	v := unsafe.Slice((*uintptr)(p), len(list)+1)
	for i, s := range list {
		v[i] = b.cstring(s)
	}
	return uintptr(p)
}

// placed is a zero value of a kernel structure, for a call to read or fill.
func placed[T any](b *builder) *T { return (*T)(b.place(unsafe.Sizeof(*new(T)))) }

// pointer is the address of something placed.
func pointer[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }

// low32 is the lower half of a 64-bit word, on the little-endian machines that
// are supported.
func low32(v *uint64) *uint32 { return (*uint32)(unsafe.Pointer(v)) }

// statMode is the word of a statx result whose lower half is the file's mode.
func statMode(st *unix.Statx_t) *uint32 { return (*uint32)(unsafe.Pointer(&st.Mode)) }

// filterProgram describes a filter to seccomp(2).
func (b *builder) filterProgram(raw []byte) uintptr {
	p := placed[struct {
		length uint16
		filter uintptr
	}](b)
	p.length, p.filter = uint16(len(raw)/8), b.bytes(raw)
	return pointer(p)
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

// cloneArgs is struct clone_args of clone3(2), up to the cgroup.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal     uint64
	stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// addressOf is for the one kernel structure that holds an address as a number.
func addressOf(v *int32) uint64 { return uint64(uintptr(unsafe.Pointer(v))) }
