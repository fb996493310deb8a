// Package bench holds the repository's figures against its peers: OSTree and
// Flatpak, in the same run, on the same trees, over the same web server. It has
// benchmarks only; docs/PERFORMANCE.md says how they are read.
//
//	go test ./repo/bench -run '^$' -bench . -benchtime 1x
package bench
