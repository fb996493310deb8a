// Package model is what the screens of sandbox-tui show and act upon, without
// any widget: rows, selection and filter, and permissions in words. It is not
// safe for use by several goroutines; it belongs to the one that draws.
//
// What it hands out for display has passed safe.Text. An instance is acted upon
// by its Key, never by its row: rows move while a person reads them.
package model
