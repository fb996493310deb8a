package bench

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/testenv"
)

// office are Debian packages of some 220 MB that get security updates often.
var office = []string{"libreoffice-core", "libreoffice-common", "libreoffice-writer"}

const officeID = "org.example.Office"

// trees are two versions of a runtime's files, and what they are.
type trees struct {
	old, new string // directories that hold what /usr is to be
	what     string
	bytes    int64
	files    int
}

// debianTrees fetches two real versions of the packages with apt, when the
// archive has two, and makes an update of the one version otherwise: a word is
// added to every twenty-fifth file. What was fetched stays in the user's cache.
func debianTrees(b *testing.B) trees {
	b.Helper()
	for _, name := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		testenv.NeedCommand(b, name)
	}
	versions := debianVersions(b)
	t := trees{old: unpacked(b, versions[len(versions)-1]), new: unpacked(b, versions[0])}
	t.what = fmt.Sprintf("%s %s to %s", office[0], versions[len(versions)-1], versions[0])
	if len(versions) == 1 {
		t.new = edited(b, t.old)
		t.what = fmt.Sprintf("%s %s, one file in 25 edited", office[0], versions[0])
	}
	filepath.WalkDir(t.old, func(p string, d fs.DirEntry, err error) error {
		if info, e := d.Info(); e == nil && d.Type().IsRegular() {
			t.files++
			t.bytes += info.Size()
		}
		return err
	})
	return t
}

// debianVersions are those that the archive has, the newest first; two at most.
func debianVersions(b *testing.B) (versions []string) {
	b.Helper()
	out, err := exec.Command("apt-cache", "madison", office[0]).Output()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(line, "|")
		if len(fields) == 3 && strings.Contains(fields[2], "Packages") {
			versions = append(versions, strings.TrimSpace(fields[1]))
		}
	}
	if len(versions) == 0 {
		testenv.Skip(b, "needs a Debian archive with %s (apt-get update)", office[0])
	}
	return versions[:min(2, len(versions))]
}

func unpacked(b *testing.B, version string) string {
	b.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	name := strings.NewReplacer(":", "_", "/", "_").Replace(version)
	dir := filepath.Join(cache, "sandbox-bench", name)
	if _, err := os.Stat(filepath.Join(dir, "usr")); err == nil {
		return filepath.Join(dir, "usr")
	}
	work := b.TempDir()
	for _, p := range office {
		c := exec.Command("apt-get", "download", "-q", p+"="+version)
		c.Dir = work
		if said, err := c.CombinedOutput(); err != nil {
			testenv.Skip(b, "needs a Debian archive: %v\n%s", err, said)
		}
	}
	debs, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	root := filepath.Join(work, "root")
	for _, d := range debs {
		run(b, nil, "dpkg-deb", "-x", d, root)
	}
	settle(b, filepath.Join(root, "usr"))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		b.Fatal(err)
	}
	run(b, nil, "cp", "-a", root, dir+".new")
	if err := os.Rename(dir+".new", dir); err != nil {
		b.Fatal(err)
	}
	return filepath.Join(dir, "usr")
}

// settle gives files the modes of a bundle, and drops links that leave it.
func settle(b *testing.B, dir string) {
	b.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.Chmod(p, 0o755)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err == nil && strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "/usr/") {
				return os.Remove(p)
			}
			return err
		case info.Mode()&0o111 != 0:
			return os.Chmod(p, 0o755)
		}
		return os.Chmod(p, 0o644)
	})
	if err != nil {
		b.Fatal(err)
	}
}

func edited(b *testing.B, old string) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "edited")
	run(b, nil, "cp", "-a", old, dir)
	n := 0
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if n++; n%25 != 0 {
			return nil
		}
		f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString("updated\n")
		return err
	})
	return dir
}

// bundleOf makes a bundle directory of a tree, as hard links where it can.
func bundleOf(b *testing.B, dir, tree, version string) string {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	copyTree(b, tree, filepath.Join(dir, "files"))
	toml := fmt.Sprintf("id = %q\nkind = \"runtime\"\nversion = %q\n", officeID, version)
	if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), []byte(toml), 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

func copyTree(b *testing.B, from, to string) {
	b.Helper()
	if exec.Command("cp", "-al", from, to).Run() != nil {
		os.RemoveAll(to)
		run(b, nil, "cp", "-a", from, to)
	}
}

func run(b *testing.B, env []string, line ...string) string {
	b.Helper()
	c := exec.Command(line[0], line[1:]...)
	c.Env = env
	out, err := c.Output()
	if err != nil {
		said := ""
		if e, ok := err.(*exec.ExitError); ok {
			said = string(e.Stderr)
		}
		b.Fatalf("%q: %v\n%s%s", line, err, out, said)
	}
	return string(out)
}
