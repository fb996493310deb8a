//go:build !amd64

package main

func getpid80() int32 { return -1 }
