package publish

import (
	"context"
	"fmt"
	"testing"

	"sandbox/manifest"
	"sandbox/repo"
)

// crowd makes a repository of that many apps with five releases each, all of
// one tree.
func crowd(b testing.TB, apps int) (dir string, o Options) {
	dir, o = newRepo(b, func(i *InitOptions) { i.Bins = 16 })
	publish(b, dir, o, Request{Bundles: []string{newBundle(b, app, "1", "", nil)}})
	err := with(b, dir, o, func(r *Repository) error {
		e, err := r.find(app)
		if err != nil {
			return err
		}
		rows := map[repo.Ref]repo.CatalogueRow{}
		for i := range apps {
			rel := e.Release
			rel.Ref.ID = manifest.ID(fmt.Sprintf("org.crowd.App%d", i))
			for n := range 5 {
				rel.N = uint64(5 - n)
				if err := signRelease(&rel, o.Keys[0]); err != nil {
					return err
				}
				target := rel.Ref.String()
				if n > 0 {
					target = rel.Ref.At(rel.N)
				}
				if err := r.set(target, rel); err != nil {
					return err
				}
			}
			rel.N = 5
			rows[rel.Ref] = repo.CatalogueRow{Ref: rel.Ref, N: 5, Version: "1", Name: "x", Permissions: rel.Permissions}
		}
		if err := r.catalogue(rows); err != nil {
			return err
		}
		return r.commit()
	})
	if err != nil {
		b.Fatal(err)
	}
	return dir, o
}

func BenchmarkOpen2000Apps(b *testing.B) {
	dir, o := crowd(b, 2000)
	for b.Loop() {
		r, err := Open(context.Background(), dir, o)
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkPublishAmong2000Apps(b *testing.B) {
	dir, o := crowd(b, 2000)
	n := 0
	for b.Loop() {
		n++
		publish(b, dir, o, Request{Bundles: []string{newBundle(b, app, fmt.Sprint(n+1), "", nil)}})
	}
}
