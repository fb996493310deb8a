package store_test

import (
	"fmt"
	"testing"

	"sandbox/internal/e2e"
	"sandbox/repo/store/storetest"
)

// What `sandbox list` reads when 200 apps are installed.
func BenchmarkRecords200(b *testing.B) {
	s := storetest.OpenAt(b, memory(b)+"/store")
	l := storetest.Lock(b, s)
	for i := range 200 {
		dir := e2e.Bundle(b, fmt.Sprintf("id = \"org.example.App%d\"\nversion = \"1\"\ncommand = \"tool\"\n[permissions]\n\"network:host\" = \"to fetch\"\n\"files:home:read\" = \"to read\"\n", i),
			map[string]string{"files/bin/tool": "=x"})
		storetest.Deploy(b, s, l, dir, "stable", 1)
	}
	for b.Loop() {
		if list, err := s.Records(); err != nil || len(list) != 200 {
			b.Fatal(err)
		}
	}
}
