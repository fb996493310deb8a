//go:build cgo

package runtime

// withC: the C library registers memory of its threads with the kernel
// (rseq(2)), which ends a child that has no copy of it. Released programs are
// built without C; tests may not be.
const withC = true
