package main

import (
	"sandbox/manifest"
	"sandbox/permissions"
)

// asksOf are permissions as --json prints them.
func asksOf(m *manifest.Manifest, required, optional permissions.Set) []askRow {
	rows := []askRow{}
	for i, set := range []permissions.Set{required, optional} {
		for _, p := range set.All() {
			risk, _ := permissions.Risk(p)
			rows = append(rows, askRow{p.String(), permissions.Describe(p), risk.String(), reason(m, p), i == 1})
		}
	}
	return rows
}
