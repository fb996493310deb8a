package runtime

import (
	"encoding/json"
	"strconv"
	"time"

	"sandbox/runtime/cgroup"
)

// text is the entry as JSON, exactly what json.Marshal makes of it. A launch
// writes one, and the encoder would spend a fourteenth of the launch on learning
// what an Entry is.
func (e *Entry) text() []byte {
	b := make([]byte, 0, 1024)
	b = appendText(append(b, `{"instance":`...), e.Instance)
	b = appendText(append(b, `,"app":`...), e.App)
	b = appendText(append(b, `,"version":`...), e.Version)
	b = appendTexts(append(b, `,"command":`...), e.Command)
	b = strconv.AppendInt(append(b, `,"pid":`...), int64(e.PID), 10)
	b = strconv.AppendInt(append(b, `,"supervisor":`...), int64(e.Supervisor), 10)
	b = e.Started.AppendFormat(append(b, `,"started":"`...), time.RFC3339Nano)
	b = appendTexts(append(b, `","permissions":`...), e.Permissions)
	if len(e.Notes) > 0 {
		b = appendTexts(append(b, `,"notes":`...), e.Notes)
	}
	b = appendGroup(append(b, `,"group":`...), e.Group)
	b = strconv.AppendBool(append(b, `,"detached":`...), e.Detached)
	return append(b, '}')
}

// appendGroup writes by itself only what an instance without a group has.
func appendGroup(b []byte, g cgroup.Ref) []byte {
	if g.Dirs != nil || g.Unit != nil || g.Limits.CPU != 0 {
		text, _ := json.Marshal(g) // strings and numbers: cannot fail
		return append(b, text...)
	}
	b = appendText(append(b, `{"mode":`...), string(g.Mode))
	if g.Name != "" {
		b = appendText(append(b, `,"name":`...), g.Name)
	}
	if g.Disk != "" {
		b = appendText(append(b, `,"disk":`...), g.Disk)
	}
	b = append(b, `,"limits":{`...)
	for _, f := range [...]struct {
		name  string
		value int64
	}{
		{`"memory":`, g.Limits.Memory}, {`,"swap":`, g.Limits.Swap}, {`,"pids":`, g.Limits.Pids}, {`,"files":`, g.Limits.Files},
		{`,"cpu":`, 0}, {`,"io_read":`, g.Limits.IORead}, {`,"io_write":`, g.Limits.IOWrite}, {`,"time":`, int64(g.Limits.Time)},
	} {
		b = strconv.AppendInt(append(b, f.name...), f.value, 10)
	}
	return append(b, "}}"...)
}

func appendTexts(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendText quotes a string; what is not plain ASCII is left to the encoder.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s)
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
