package runtime

import "path/filepath"

// LogFile is where the output of a detached instance is kept: outside
// everything that an app can reach. The part before it, if there was more than
// one, has ".1" behind the name.
func LogFile(host *Host, instance string) string {
	return filepath.Join(host.Dirs.Data, "log", instance+".log")
}
