package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sandbox/internal/e2e"
	"sandbox/repo/store/storetest"
)

// Records come by the names of their refs, whatever shares a beginning, and a
// directory that is none of an app's is passed over.
func TestRecordsInOrder(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	var want []string
	for _, id := range []string{"org.example.Edit-x.Y", "org.example.Edit.Pro", "org.example.Edit", "org.example.EditMore"} {
		dir := e2e.Bundle(t, fmt.Sprintf("id = %q\nversion = \"1\"\ncommand = \"tool\"\n", id), map[string]string{"files/bin/tool": "=x"})
		for _, channel := range []string{"stable", "beta"} {
			want = append(want, storetest.Deploy(t, s, l, dir, channel, 1).Release.Ref.String())
		}
	}
	for _, odd := range []string{"odd", "org.example.Empty/any", "org.example.Other/any/stable"} {
		if err := os.MkdirAll(filepath.Join(s.Dir(), "deploy/app", odd), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	list, err := s.Records()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.Ref().String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
