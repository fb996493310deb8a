package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"sandbox/internal/e2e"
)

// published is the old version in the repositories of all three sides, behind
// one web server.
type published struct {
	s   *session
	dir string
	url string
	log *access
	key string
}

func (s *session) published() *published {
	p := &published{s: s, dir: s.next("www")}
	s.must(os.MkdirAll(p.dir, 0o755))
	ours, ostree, flatpak := filepath.Join(p.dir, "sandbox"), filepath.Join(p.dir, "ostree"), filepath.Join(p.dir, "flatpak")
	s.initOurs(ours)
	s.timed(s.publishOurs(ours, s.oldBundle))
	s.initOSTree(ostree)
	s.timed(s.publishOSTree(ostree, s.trees.old)...)
	s.timed(s.publishFlatpak(flatpak, s.oldFlatpak)...)
	p.key = s.fingerprint(ours)
	url, log := e2e.Nginx(s.b, p.dir)
	p.url, p.log = url, &access{path: log}
	return p
}

// serveNew publishes the second version.
func (p *published) serveNew(s *session) {
	s.timed(s.publishOurs(filepath.Join(p.dir, "sandbox"), s.newBundle))
	s.timed(s.publishOSTree(filepath.Join(p.dir, "ostree"), s.trees.new)...)
	s.timed(s.publishFlatpak(filepath.Join(p.dir, "flatpak"), s.newFlatpak)...)
}

// fingerprint is what our repository says its own is.
func (s *session) fingerprint(dir string) string {
	s.b.Helper()
	var shown struct {
		Fingerprint string `json:"fingerprint"`
	}
	s.must(json.Unmarshal([]byte(run(s.b, s.env, s.ours("repo", "show", "--json", dir)...)), &shown))
	return shown.Fingerprint
}

func home(env []string) string {
	for _, v := range env {
		if h, ok := strings.CutPrefix(v, "HOME="); ok {
			return h
		}
	}
	return ""
}

// prepare tells a new user where the repository is. Side 0 is ours, 1 ostree,
// 2 flatpak.
func (p *published) prepare(side int, env []string) [][]string {
	switch side {
	case 0:
		return [][]string{p.s.ours("remote", "add", "bench", p.url+"/sandbox/", "--key", p.key)}
	case 1:
		repo := "--repo=" + filepath.Join(home(env), "repo")
		return [][]string{
			{"ostree", repo, "init", "--mode=bare-user-only"},
			{"ostree", repo, "remote", "add", "--no-gpg-verify", "bench", p.url + "/ostree"},
		}
	}
	return [][]string{{"flatpak", "--user", "remote-add", "--no-gpg-verify", "bench", p.url + "/flatpak"}}
}

func (p *published) install(side int, env []string) [][]string {
	switch side {
	case 0:
		return [][]string{p.s.ours("install", "-y", officeID)}
	case 1:
		return p.pull(env, "1")
	}
	return [][]string{{"flatpak", "--user", "install", "-y", "--noninteractive", "bench", officeID + "//stable"}}
}

func (p *published) update(side int, env []string) [][]string {
	switch side {
	case 0:
		return [][]string{p.s.ours("update", "-y")}
	case 1:
		return p.pull(env, "2")
	}
	return [][]string{{"flatpak", "--user", "update", "-y", "--noninteractive"}}
}

// pull brings the branch and deploys it as hard links, as our store does.
func (p *published) pull(env []string, to string) [][]string {
	repo := "--repo=" + filepath.Join(home(env), "repo")
	return [][]string{
		{"ostree", repo, "pull", "bench", branch},
		{"ostree", repo, "checkout", "-U", "-H", "bench:" + branch, filepath.Join(home(env), "deploy-"+to)},
	}
}
