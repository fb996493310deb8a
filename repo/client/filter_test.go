package client

import (
	"errors"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/remote"
)

// A filter holds for every way by which a remote's bundles come here, not only
// for a search by name.
func TestFilterHoldsForUpdatesAndFiles(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.publish(edit("1.1"))
	file := b.carry("Edit")
	filter := func(deny ...remote.Pattern) {
		t.Helper()
		set := b.client().Remotes()
		r, err := set.Get("main")
		if err != nil {
			t.Fatal(err)
		}
		r.Deny = deny
		if err := set.Put(*r); err != nil {
			t.Fatal(err)
		}
	}
	filter("org.example.*")
	for _, opt := range []PlanOptions{{}, {From: "main"}} {
		p, _, err := b.update(opt, NeedOrigin, "Edit")
		if err != nil || len(p.Held) != 1 || !strings.Contains(hint.Of(p.Held[0].Err), "filter") || b.version("Edit") != "1.0" {
			t.Errorf("update %+v: %+v, %v", opt, p, err)
		}
	}
	if _, _, err := b.install(PlanOptions{}, "Edit"); !errors.Is(err, ErrNotOffered) {
		t.Errorf("install of what is installed: %v", err)
	}
	if _, _, err := b.installFile(file, false, 0); !errors.Is(err, ErrNotOffered) || b.version("Edit") != "1.0" {
		t.Errorf("file: %v", err)
	}
	filter("org.other.*")
	if _, _, err := b.installFile(file, false, 0); err != nil || b.version("Edit") != "1.1" {
		t.Errorf("a filter that lets it through: %v", err)
	}
}
