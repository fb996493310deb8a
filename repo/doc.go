// Package repo holds how bundles are made, travel and rest. Bundles are made
// in repo/bundle.
package repo
