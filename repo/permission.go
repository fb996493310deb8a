package repo

import (
	"fmt"
	"strings"

	"sandbox/manifest"
	"sandbox/permissions"
)

// askMark starts the lines about what is asked for at first use only.
const askMark = "ask "

// PermissionText is what a bundle asks for, in the one spelling that is signed,
// shown, accepted and compared: the set of what it requires, as Set.String
// writes it, then the set of what it may ask for later, each line behind
// "ask ".
func PermissionText(m *manifest.Manifest) string {
	var required, optional []permissions.Permission
	for _, e := range m.Layer().Entries {
		if e.Optional {
			optional = append(optional, e.Permission)
		} else {
			required = append(required, e.Permission)
		}
	}
	return permissionText(permissions.NewSet(required, nil), permissions.NewSet(optional, nil))
}

func permissionText(required, optional permissions.Set) string {
	var b strings.Builder
	b.WriteString(required.String())
	for line := range strings.Lines(optional.String()) {
		b.WriteString(askMark + line)
	}
	return b.String()
}

// ParsePermissionText reads what PermissionText writes, and nothing that is
// spelled in another way: text and sets are one and the same.
func ParsePermissionText(unsafeText string) (required, optional permissions.Set, err error) {
	var now, later strings.Builder
	for line := range strings.Lines(unsafeText) {
		if rest, ok := strings.CutPrefix(line, askMark); ok {
			later.WriteString(rest)
		} else {
			now.WriteString(line)
		}
	}
	if required, err = permissions.ParseSet(now.String()); err == nil {
		optional, err = permissions.ParseSet(later.String())
	}
	if err == nil && permissionText(required, optional) != unsafeText {
		err = fmt.Errorf("permissions are not in canonical form")
	}
	if err != nil {
		return permissions.Set{}, permissions.Set{}, err
	}
	return required, optional, nil
}
