package export

import (
	"bytes"
	"encoding/xml"
	"strings"

	"sandbox/manifest"
	"sandbox/permissions"
)

// ownNames are the names on the session bus by which the app may be started: its
// id and names below it, of those that it says it needs to own.
func ownNames(m *manifest.Manifest) []string {
	var names []string
	for _, e := range m.Permissions {
		name, owns := strings.CutPrefix(e.Subject, "own:")
		ours := name == string(m.ID) || strings.HasPrefix(name, string(m.ID)+".")
		if e.Kind == permissions.SessionBus && e.Decision == permissions.Allow && owns && ours && !strings.HasSuffix(name, "*") {
			names = append(names, name)
		}
	}
	return names
}

// busService is a D-Bus service file: the bus starts the app in its sandbox when
// somebody calls the name.
func busService(p Place, m *manifest.Manifest, name string) ([]byte, error) {
	exec, err := quoteExec(p.Program, "run", "--", string(m.ID))
	if err != nil {
		return nil, err
	}
	var k keyFile
	k.group("D-BUS Service")
	k.set("Name", name)
	k.b.WriteString("Exec=" + exec + "\n") // the bus knows no escapes but those of quoting
	return k.bytes(), nil
}

// metainfo describes the app to programs that list software, in AppStream's
// words. All of it is from the manifest, which is what was shown at installation.
func metainfo(m *manifest.Manifest, entries []string) []byte {
	var b bytes.Buffer
	put := func(element, text string) {
		if text != "" {
			b.WriteString("  <" + element + ">" + xmlText(text) + "</" + element + ">\n")
		}
	}
	kind := "console-application"
	if len(entries) > 0 {
		kind = "desktop-application"
	}
	b.WriteString(xml.Header + "<component type=" + xmlAttr(kind) + ">\n")
	put("id", string(m.ID))
	put("metadata_license", "FSFAP")
	put("project_license", m.License)
	put("name", m.Name)
	put("summary", m.Summary)
	if m.Homepage != "" {
		b.WriteString("  <url type=\"homepage\">" + xmlText(m.Homepage) + "</url>\n")
	}
	for _, e := range entries {
		b.WriteString("  <launchable type=\"desktop-id\">" + xmlText(e) + "</launchable>\n")
	}
	b.WriteString("  <provides>\n")
	for _, c := range m.Commands {
		b.WriteString("    <binary>" + xmlText(c.Name) + "</binary>\n")
	}
	b.WriteString("  </provides>\n</component>\n")
	return b.Bytes()
}
