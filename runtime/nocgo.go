//go:build !cgo

package runtime

const withC = false
