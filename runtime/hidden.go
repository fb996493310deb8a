package runtime

import (
	"path/filepath"
	"strings"
	"time"
)

// Hidden lists the arguments that name a file of the host which the app will
// not find: the commonest surprise of a sandbox, and one that the app can only
// report as "no such file".
func (p *Plan) Hidden(host *Host, args []string) []string {
	var out []string
	for _, a := range args {
		if a == "" || a[0] == '-' || len(a) > 4096 || strings.ContainsRune(a, 0) {
			continue
		}
		file := a
		if !filepath.IsAbs(file) {
			file = filepath.Join(host.Cwd, file)
		}
		file = filepath.Clean(file)
		if p.shows(file) {
			continue
		}
		exists := false
		within(100*time.Millisecond, func() {
			_, err := host.Look(file)
			exists = err == nil
		}, func() string { return file })
		if exists {
			out = append(out, file)
		}
	}
	return out
}

// shows reports whether a path is the same file inside as outside, or one that
// the app has of its own.
func (p *Plan) shows(file string) bool {
	shown := false
	for _, s := range p.View {
		if !below(file, s.Target) {
			continue
		}
		switch s.Do {
		case Bind:
			shown = !below(s.Target, "/app") && rebase(file, s.Target, s.Source) == file
		case Mask, Tmpfs:
			shown = false
		case Overlay, Proc, Devpts:
			shown = true
		}
	}
	return shown || below(file, "/usr") || below(file, "/app") || below(file, "/etc") || file == "/"
}
