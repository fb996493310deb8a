// Package portal is the room for what an app may ask of the session from
// inside: files chosen by the user, notifications, links to open, secrets, and
// the D-Bus names that were granted to it.
//
// Nothing is answered yet. Until it is, the room keeps its one promise by being
// empty: no bus is connected to an app, so permissions of the kinds session-bus,
// system-bus and portal give nothing, and every launch that has one says so
// (the notes of `sandbox run --dry-run`).
//
// When it is, everything an app sends is parsed here and written anew before it
// reaches a bus; this package alone speaks D-Bus for apps (package
// runtime/cgroup speaks it to systemd, for itself), and it imports no room but
// permissions.
package portal
