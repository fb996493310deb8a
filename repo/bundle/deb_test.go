package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func arOf(members ...member) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.body), m.body)
		if len(m.body)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func gzipped(data []byte) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.String()
}

func debOf(t testing.TB, postinst string, data ...member) []byte {
	control := tarOf(t,
		member{name: "./control", body: "Package: tool\nVersion: 1.0-1\nArchitecture: amd64\nDescription: a tool\n that does\n"},
		member{name: "./postinst", body: postinst, mode: 0o755})
	return arOf(
		member{name: "debian-binary", body: "2.0\n"},
		member{name: "control.tar.gz", body: gzipped(control)},
		member{name: "data.tar.gz", body: gzipped(tarOf(t, data...))})
}

var tool = lockedPackage{Name: "tool", Version: "1.0-1", Arch: "amd64"}

func TestDeb(t *testing.T) {
	tr, dir := sandboxed(t, Limits{})
	var said []string
	sink := newDebSink(tr, "usr", false, func(e Event) { said = append(said, e.Text) })
	err := sink.add(bytes.NewReader(debOf(t, "update-alternatives --install /usr/bin/editor editor /bin/tool 40\n",
		member{name: "./", kind: tar.TypeDir},
		member{name: "./bin/", kind: tar.TypeDir},
		member{name: "./bin/tool", body: "program", mode: 0o4755},
		member{name: "./usr/bin/same", kind: tar.TypeLink, link: "./bin/tool"},
		member{name: "./etc/tool.conf", body: "conf"},
		member{name: "./usr/lib/conf", kind: tar.TypeSymlink, link: "/etc/tool.conf"},
		member{name: "./usr/lib/state", kind: tar.TypeSymlink, link: "/var/lib/tool"},
		member{name: "./var/lib/tool/db", body: "state"},
		member{name: "./usr/share/doc/tool/changelog.gz", body: "long"},
		member{name: "./usr/share/doc/tool/copyright", body: "licence"},
		member{name: "./usr/share/ca-certificates/b.crt", body: "B"},
		member{name: "./usr/share/ca-certificates/a.crt", body: "A\n\n"},
		member{name: `./lib/systemd/system/a\x2db.service`, body: "unit"},
	)), tool)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.finish("org.example.Tool"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bin/tool": "program", "bin/same": "program", "etc/tool.conf": "conf", "share/doc/tool/copyright": "licence",
		"etc/ssl/certs/ca-certificates.crt": "A\nB\n", "bin/editor": "→/usr/bin/tool", "lib/conf": "→/usr/etc/tool.conf",
		"lib/ssl/cert.pem": "→/usr/etc/ssl/certs/ca-certificates.crt",
		"lib/state":        "", "share/doc/tool/changelog.gz": "", "lib/systemd": "", "var": "",
	} {
		got := ""
		p := filepath.Join(dir, "usr", name)
		if target, err := os.Readlink(p); err == nil {
			got = "→" + target
		} else if data, err := os.ReadFile(p); err == nil {
			got = string(data)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "usr/bin/tool")); err != nil || st.Mode() != 0o755 {
		t.Errorf("setuid program: %v, %v", st.Mode(), err)
	}
	status, err := os.ReadFile(filepath.Join(dir, "usr/lib/sandbox/dpkg-status.d/org.example.Tool"))
	if err != nil || !strings.HasPrefix(string(status), "Package: tool\nStatus: install ok installed\nVersion: 1.0-1\n") || !strings.Contains(string(status), "\n that does\n") {
		t.Errorf("status %q, %v", status, err)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "set-id") || !strings.Contains(all, "/var/lib/tool") {
		t.Errorf("not told of what was changed: %q", all)
	}
}

func TestHostileDeb(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"traversal", debOf(t, "", member{name: "./usr/../../canary", body: "dead"}), `".."`},
		{"device", debOf(t, "", member{name: "./usr/n", kind: tar.TypeChar}), "device"},
		{"capability", debOf(t, "", member{name: "./usr/p", records: map[string]string{"SCHILY.xattr.security.capability": "\x01"}}), "extended header"},
		{"file through a link", debOf(t, "", member{name: "./usr/l", kind: tar.TypeSymlink, link: "bin"}, member{name: "./usr/l/f"}), "symbolic link"},
		{"duplicate", debOf(t, "", member{name: "./bin/f"}, member{name: "./usr/bin/f"}), "which package tool has"},
		{"another package", arOf(member{name: "debian-binary", body: "2.0\n"}, member{name: "control.tar.gz", body: gzipped(tarOf(t, member{name: "control", body: "Package: other\nVersion: 1.0-1\n"}))}, member{name: "data.tar", body: string(tarOf(t))}), "it holds other"},
		{"no control file", arOf(member{name: "debian-binary", body: "2.0\n"}, member{name: "control.tar.gz", body: gzipped(tarOf(t))}), "without a package name"},
		{"data before control", arOf(member{name: "debian-binary", body: "2.0\n"}, member{name: "data.tar", body: string(tarOf(t))}), "unexpected member"},
		{"no data", arOf(member{name: "debian-binary", body: "2.0\n"}), "without data.tar"},
		{"format 3", arOf(member{name: "debian-binary", body: "3.0\n"}), "format 2"},
		{"no archive", []byte("hello"), "no Debian package"},
		{"huge member", []byte("!<arch>\n" + fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10s`\n", "debian-binary", 0, 0, 0, "100644", "9999999999")), "format 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, _ := sandboxed(t, Limits{})
			err := newDebSink(tr, "usr", false, func(Event) {}).add(bytes.NewReader(c.data), tool)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
}

// Certificates are data of a package; a link among them must not be read.
func TestCertificateLink(t *testing.T) {
	tr, dir := sandboxed(t, Limits{})
	sink := newDebSink(tr, "usr", false, func(Event) {})
	err := sink.add(bytes.NewReader(debOf(t, "",
		member{name: "./usr/share/ca-certificates/x.crt", kind: tar.TypeSymlink, link: "/etc/shadow"},
		member{name: "./usr/share/ca-certificates/y.crt", body: "Y"})), tool)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.finish("org.example.Tool"); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "usr/etc/ssl/certs/ca-certificates.crt")); string(data) != "Y\n" {
		t.Errorf("certificates: %q", data)
	}
}

func FuzzDeb(f *testing.F) {
	f.Add(debOf(f, "update-alternatives --install /a b /c 1\n", member{name: "./bin/f", body: "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, _ := sandboxed(t, Limits{Bytes: 1 << 20, Entries: 100})
		sink := newDebSink(tr, "usr", false, func(Event) {})
		if sink.add(bytes.NewReader(data), tool) == nil {
			sink.finish("org.example.Tool")
		}
	})
}
