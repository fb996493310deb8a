// Package signals tells channels of Unix signals, as os/signal does, at a
// fraction of the price.
//
// os/signal keeps a goroutine that is locked to a thread of its own, and every
// signal that is asked for is two switches to that thread and back: 8 % of the
// time of a launch, measured. A launcher needs none of what that buys. Here the
// handler is a few instructions of assembly that write the signal's number into
// a pipe (the self-pipe of D. J. Bernstein), and one goroutine reads the pipe.
//
// The handler runs on the signal stack of whichever thread the kernel picks and
// calls nothing of Go. The runtime's own signals (SIGURG, SIGSEGV, SIGPROF and
// their like) are not to be asked for here, and those that are asked for here
// are not to be asked of os/signal too.
package signals
