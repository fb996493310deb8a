package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
)

func TestPythonPrompt(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Pty(app(t, "org.python.Python3", nil)...)
	p.Expect(">>> ", soon)
	p.Type("6 * 7\r")
	p.Expect("42", soon)
	p.Expect(">>> ", soon)
	p.Type("import time; print('go' + 'ing'); time.sleep(100)\r")
	p.Expect("going", soon)
	p.Type("\x03")
	p.Expect("KeyboardInterrupt", soon)
	p.Expect(">>> ", soon)
	p.Type("1 + 1")
	p.Expect("1 + 1", soon)
	time.Sleep(200 * time.Millisecond) // Python misses a signal between its look for one and its wait for keys
	p.Type("\x03")
	p.Expect("KeyboardInterrupt", soon)
	p.Expect(">>> ", soon)
	// The line is edited with the cursor keys: readline knows the terminal.
	p.Type("12\x1b[D3\r")
	p.Expect("132", soon)
	p.Expect(">>> ", soon)
	p.Type("\x04")
	if code := p.Wait(soon); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

func TestPythonExitStatus(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Pty(app(t, "org.python.Python3", nil)...)
	p.Expect(">>> ", soon)
	p.Type("raise SystemExit(42)\r")
	if code := p.Wait(soon); code != 42 {
		t.Errorf("ended with %d", code)
	}
	for text, code := range map[string]int{
		"import sys; sys.exit(7)":                    7,
		"import sys; sys.exit('why')":                1,
		"1/0":                                        1,
		"import os; os.abort()":                      134,
		"import os; os._exit(255)":                   255,
		"import os, signal; os.kill(os.getpid(), 9)": 137,
		"import time, threading; threading.Thread(target=time.sleep, args=(.1,)).start()": 0,
	} {
		if r := h.Run(app(t, "org.python.Python3", nil, "-c", text)...); r.Code != code {
			t.Errorf("%s: ended with %d, want %d\n%s", text, r.Code, code, r.Stderr)
		}
	}
}

// A runtime has a cache of its libraries, in which ld.so finds each of them. What
// the cache does not have is searched for, which is the test of the test.
func TestLibrariesAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	load := `import ctypes, re
names = {n.decode() for n in re.findall(rb"\0(lib[^\0/]+\.so[^\0/]*)(?=\0)", open("/etc/ld.so.cache", "rb").read())}
for name in sorted(names) + ["libnone.so.1"]:
    try: ctypes.CDLL(name)
    except OSError: pass # not all are for every program
print(len(names), "libc.so.6" in names)`
	args := app(t, "org.python.Python3", nil, "-c", load)
	r := h.Run(append([]string{args[0], "--env", "LD_DEBUG=libs"}, args[1:]...)...)
	var count int
	var libc string
	if _, err := fmt.Sscan(r.Stdout, &count, &libc); err != nil || count < 20 || libc != "True" {
		t.Fatalf("%d: %q %v\n%s", r.Code, r.Stdout, err, r.Stderr)
	}
	searched := map[string]bool{}
	name := ""
	for line := range strings.Lines(r.Stderr) {
		if _, after, ok := strings.Cut(line, "find library="); ok {
			name, _, _ = strings.Cut(after, " ")
		}
		if strings.Contains(line, "search path=") {
			searched[name] = true
		}
	}
	own := func(name string) bool { return name == "libnone.so.1" || strings.HasPrefix(name, "libpython") }
	for name := range searched {
		if !own(name) {
			t.Errorf("%s was searched for", name)
		}
	}
	if !searched["libnone.so.1"] {
		t.Errorf("searched for %v only\n%s", searched, r.Stderr)
	}
}

// What scripts use of the system works without any permission.
func TestPythonFindsWhatScriptsNeed(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	const text = `
import os, subprocess, multiprocessing, tempfile, sqlite3, ssl, socket, time, pathlib, ctypes, zoneinfo, getpass, pty, select, mmap
assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
with tempfile.TemporaryDirectory() as d: pathlib.Path(d, "x").write_text("y")
assert multiprocessing.Pool(2).map(abs, [-1, -2]) == [1, 2]
assert multiprocessing.Lock().acquire()
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); c.close()
assert sqlite3.connect(":memory:").execute("select 1+1").fetchone() == (2,)
assert os.path.expanduser("~") == os.environ["HOME"] and os.access(os.environ["HOME"], os.W_OK)
assert getpass.getuser() == os.environ["USER"]
assert zoneinfo.ZoneInfo("Europe/Vienna")
assert ctypes.CDLL(None).getpid() == os.getpid()
assert ssl.create_default_context().get_ca_certs()
m, s = pty.openpty(); os.write(s, b"x"); assert os.read(m, 1) == b"x"
print("fine")
`
	wants(t, h.Run(app(t, "org.python.Python3", nil, "-c", text)...), 0, "fine\n")
}
