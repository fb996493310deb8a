package manifest

import "sandbox/permissions"

// maxCovered bounds the comparison of every entry with all others.
const maxCovered = 64

// lintCovered finds entries that change nothing, because the rest gives as
// much: a person would read them as a limit that is not there.
func (l *linter) lintCovered() {
	if len(l.m.Permissions) > maxCovered {
		return
	}
	for i, e := range l.m.Permissions {
		var rest []permissions.Permission
		for j, other := range l.m.Permissions {
			if j != i && (e.Optional || !other.Optional) {
				rest = append(rest, other.Permission)
			}
		}
		if e.Kind == permissions.Network && e.Subject == "none" {
			l.sayEntry(e, "leave it out", "%q asks for nothing", e.Permission.String())
		} else if permissions.NewSet(rest, nil).Covers(e.Permission) {
			l.sayEntry(e, "leave one of them out", "%q is covered by the other permissions", e.Permission.String())
		}
	}
}
