package publish

import (
	"encoding/json"
	"path/filepath"

	"sandbox/internal/disk"
)

const remoteSuffix = ".sandboxremote"

// remoteFile is what a user adds a repository from: the first root comes along,
// so that nothing has to be compared by eye when the file came by a trusted
// way.
type remoteFile struct {
	Format int             `json:"sandboxremote"`
	URL    string          `json:"url"`
	Title  string          `json:"title"`
	Root   json.RawMessage `json:"root"`
}

func (r *Repository) writeRemoteFile(name string, root []byte) (path string, err error) {
	data, err := json.Marshal(remoteFile{Format: 1, URL: r.config.URL, Title: r.config.Title, Root: json.RawMessage(root)})
	if err != nil {
		return "", err
	}
	path = filepath.Join(r.dir, name+remoteSuffix)
	return path, disk.WriteFile(path, append(data, '\n'), 0o644)
}
