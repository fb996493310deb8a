// Package oneproc makes a program that imports it use one processor: enough for
// what the lean program does, and it spares a launch the wake-ups of idle threads.
//
// It is a package of its own, and imports nothing but runtime, so that Go
// initialises it before nearly all others. When a processor is given up, its
// lists of free memory are handed back, for each class of sizes in a list of
// 6 KiB: later, that is 190 KiB more of every instance, whenever the program
// happens to run on the processor that goes.
package oneproc

import "runtime"

func init() { runtime.GOMAXPROCS(1) }
