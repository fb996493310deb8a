package bench

import (
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"testing"

	"sandbox/internal/e2e"
)

// BenchmarkRepositoryPeers measures the figures that docs/PERFORMANCE.md has
// under "Repository". One operation is a whole measurement; nothing fails for
// being slow. -short takes one turn each.
func BenchmarkRepositoryPeers(b *testing.B) {
	s := newSession(b)
	load := loadAverage()
	var table []figure
	for _, m := range []struct {
		name    string
		measure func(*session) []figure
	}{
		{"publish", publishing},
		{"install", installing},
		{"list", listing},
	} {
		b.Run(m.name, func(b *testing.B) {
			s.b = b
			var figures []figure
			for range b.N {
				figures = m.measure(s)
			}
			table = append(table, figures...)
			b.ReportMetric(0, "ns/op")
			for _, f := range figures {
				b.ReportMetric(f.measured, strings.NewReplacer(",", "", " ", "-").Replace(f.name))
			}
		})
		s.b = b
	}
	fmt.Printf("\n%s: %.1f MB in %d files\n", s.trees.what, float64(s.trees.bytes)/1e6, s.trees.files)
	fmt.Printf(tableRow+"\n", "figure", "target", "measured", "cpu", "",
		fmt.Sprintf("load average %s before, %s after, %d processors", load, loadAverage(), goruntime.NumCPU()))
	for _, f := range table {
		fmt.Println(f)
	}
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// publishing compares a first and a second version, each into a repository of
// its own.
func publishing(s *session) []figure {
	ours, ostree, flatpak := make(chan string, 64), make(chan string, 64), make(chan string, 64)
	first := race(rounds(3),
		func() sample {
			dir := s.next("repo")
			s.initOurs(dir)
			ours <- dir
			return s.timed(s.publishOurs(dir, s.oldBundle))
		},
		func() sample {
			dir := s.next("ostree")
			s.initOSTree(dir)
			ostree <- dir
			return s.timed(s.publishOSTree(dir, s.trees.old)...)
		},
		func() sample {
			dir := s.next("flatpak")
			flatpak <- dir
			return s.timed(s.publishFlatpak(dir, s.oldFlatpak)...)
		})
	second := race(rounds(3),
		func() sample { return s.timed(s.publishOurs(<-ours, s.newBundle)) },
		func() sample { return s.timed(s.publishOSTree(<-ostree, s.trees.new)...) },
		func() sample { return s.timed(s.publishFlatpak(<-flatpak, s.newFlatpak)...) })
	figures := []figure{
		compare("publish / ostree", 1./3, "ostree commit + summary", first[0], first[1]),
		compare("publish / flatpak", 1./5, "build-export + build-update-repo", first[0], first[2]),
		compare("second version / ostree", 1./6, "ostree commit + summary", second[0], second[1]),
		compare("second version / flatpak", 1./6, "build-export + build-update-repo", second[0], second[2]),
	}
	return append(figures, figure{name: "publish, memory", measured: float64(peak(first[0])) / 1000, unit: " MB", detail: s.publishSyncs()})
}

func (s *session) publishSyncs() string {
	dir, other, third := s.next("repo"), s.next("ostree"), s.next("flatpak")
	s.initOurs(dir)
	s.initOSTree(other)
	ours := s.syncs(s.publishOurs(dir, s.oldBundle)...)
	ostree := s.syncs(s.publishOSTree(other, s.trees.old)[0]...)
	flatpak := s.syncs(s.publishFlatpak(third, s.oldFlatpak)[0]...)
	return fmt.Sprintf("syncs: sandbox %s; ostree commit %s; build-export %s", ours, ostree, flatpak)
}

// installing compares an installation over a web server, then the update to
// the second version, then a rollback.
func installing(s *session) []figure {
	p := s.published()
	user := func(name string) (env []string) {
		home := s.next(name)
		s.must(os.MkdirAll(home, 0o755))
		for _, v := range s.env {
			if !strings.HasPrefix(v, "HOME=") {
				env = append(env, v)
			}
		}
		return append(env, "HOME="+home)
	}
	as := func(env []string, lines ...[]string) sample {
		before := s.env
		s.env = env
		defer func() { s.env = before }()
		return s.timed(lines...)
	}
	var homes [3][][]string
	var wire [3]traffic
	turns := func(do func(side int) sample) []turn {
		var out []turn
		for side := range 3 {
			out = append(out, func() sample {
				p.log.since(s)
				took := do(side)
				wire[side] = p.log.since(s)
				return took
			})
		}
		return out
	}
	install := race(rounds(3), turns(func(side int) sample {
		env := user([]string{"user", "ostree-user", "flatpak-user"}[side])
		homes[side] = append(homes[side], env)
		as(env, p.prepare(side, env)...)
		p.log.since(s)
		return as(env, p.install(side, env)...)
	})...)
	first := wire
	p.serveNew(s)
	n := [3]int{}
	update := race(rounds(3), turns(func(side int) sample {
		env := homes[side][n[side]]
		n[side]++
		return as(env, p.update(side, env)...)
	})...)
	second := wire
	var back []sample
	for _, env := range homes[0] {
		back = append(back, as(env, s.ours("rollback", officeID)))
	}
	env := user("traced")
	before := s.env
	s.env = env
	s.timed(p.prepare(0, env)...)
	ours := s.syncs(p.install(0, env)[0]...)
	s.env = user("traced-flatpak")
	s.timed(p.prepare(2, s.env)...)
	theirs := s.syncs(p.install(2, s.env)[0]...)
	s.env = before
	return []figure{
		compare("install / flatpak", 0.5, "flatpak install", install[0], install[2]),
		compare("install / ostree", 0, "ostree pull + checkout", install[0], install[1]),
		{name: "requests / ostree", target: 0.01, measured: float64(first[0].requests) / float64(first[1].requests),
			detail: fmt.Sprintf("sandbox %v, ostree %v, flatpak %v", first[0], first[1], first[2])},
		compare("update / ostree", 1, "ostree pull + checkout", update[0], update[1]),
		compare("update / flatpak", 0, "flatpak update", update[0], update[2]),
		{name: "update, bytes / ostree", target: 1.05, measured: float64(second[0].bytes) / float64(second[1].bytes),
			detail: fmt.Sprintf("sandbox %v, ostree %v, flatpak %v", second[0], second[1], second[2])},
		{name: "client, memory", target: 60, measured: float64(max(peak(install[0]), peak(update[0]))) / 1000, unit: " MB",
			detail: fmt.Sprintf("install %.1f, update %.1f; ostree %.1f, flatpak %.1f", float64(peak(install[0]))/1000, float64(peak(update[0]))/1000, float64(peak(install[1]))/1000, float64(peak(install[2]))/1000)},
		{name: "rollback", target: 100, measured: wall(back).Seconds() * 1000, unit: " ms", detail: spread(back)},
		{name: "install, syncs", detail: fmt.Sprintf("sandbox %s; flatpak %s", ours, theirs)},
	}
}

// listing has 200 apps installed.
func listing(s *session) []figure {
	dir := s.next("many")
	s.initOurs(dir)
	var bundles, ids []string
	for i := range 200 {
		id := fmt.Sprintf("org.example.many.App%03d", i)
		bundle := e2e.Bundle(s.b, fmt.Sprintf("id = %q\nversion = \"1.%d\"\nsummary = \"One of many\"\ncommand = \"app\"\n", id, i),
			map[string]string{"files/bin/app": "=#!/bin/sh\necho " + id + "\n"})
		bundles, ids = append(bundles, bundle), append(ids, id)
	}
	publish := s.timed(s.publishOurs(dir, bundles...))
	url, _ := e2e.Nginx(s.b, dir)
	s.timed(s.ours("remote", "add", "many", url, "--key", s.fingerprint(dir)))
	install := s.timed(append(s.ours("install", "-y"), ids...))
	var list []sample
	for range rounds(40) {
		list = append(list, s.timed(s.ours("list")))
	}
	return []figure{
		{name: "list of 200 apps", target: 20, measured: wall(list).Seconds() * 1000, unit: " ms", detail: spread(list)},
		{name: "publish 200 apps", measured: publish.wall.Seconds(), unit: " s"},
		{name: "install 200 apps", measured: install.wall.Seconds(), unit: " s", detail: fmt.Sprintf("%.1f MB", float64(install.rss)/1000)},
	}
}
