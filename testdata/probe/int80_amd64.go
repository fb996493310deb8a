package main

// getpid80 asks for the process id through the 32-bit gate of a 64-bit program.
func getpid80() int32
