package terminal

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options of a relay. The zero value refuses the escape sequences that need a
// permission, and dies of fatal signals after restoring the terminal.
type Options struct {
	Escapes Escapes

	// OwnSignals says that the caller catches SIGINT, SIGQUIT, SIGTERM, SIGHUP and
	// SIGTSTP, passes them to the app, and ends by Finish or Restore.
	OwnSignals bool
}

// Relay moves bytes between the user's terminal and the app's pty. All of it
// happens on one goroutine, which alone touches the fields from filter on; the
// exported methods hand it their work. Stopped and Finish are called by one
// goroutine at a time, Restore by any once Start has returned.
type Relay struct {
	std  Std
	pty  *Pty
	opt  Options
	user *user

	commands chan func()
	done     chan struct{} // closed when the goroutine has ended
	gone     chan struct{} // closed when the user's terminal is gone
	once     sync.Once     // guards Finish
	signals  listener

	mu      sync.Mutex
	aborted bool // Restore was called: wait for nothing any more
	wake    int  // eventfd, -1 when closed

	filter    Filter
	buf       []byte // Room, then what was read from the app
	out       []byte // part of buf not yet written to the user
	inbuf     []byte
	in        []byte // part of inbuf not yet written to the app
	keys      bool   // input is waiting at the user's terminal
	busy      bool   // the app has just written: more is likely within a millisecond
	more      bool   // the app's output was left unread for fairness
	reading   bool   // the terminal is taken: raw, and its input goes to the app
	wanted    bool   // the app is in its pty's foreground and expects the keyboard
	suspended bool   // inside Stopped, which alone decides to take the terminal
	master    int    // -1: closed
	ended     bool   // every slave was closed
	quit      bool
	postOff   bool // OPOST of the pty is switched off by us
	queried   time.Time
}

// chunk is the most that is read at once. The kernel hands out 4 KiB at a time;
// untouched pages cost no memory.
const chunk = 64 << 10

// New returns a relay that has not touched anything yet.
func New(std Std, pty *Pty, opt Options) *Relay {
	return &Relay{
		std: std, pty: pty, opt: opt,
		wake:     -1,
		commands: make(chan func(), 8),
		done:     make(chan struct{}),
		gone:     make(chan struct{}),
		filter:   Filter{Escapes: opt.Escapes},
		buf:      make([]byte, Room+chunk),
		inbuf:    make([]byte, 4096),
		master:   int(pty.Master.Fd()),
	}
}

// Start takes the user's terminal if it is ours to take, and begins to relay.
// After an error, too, Finish closes what is open.
// From here until Finish messages to the terminal appear without carriage
// returns; call Restore first.
func (r *Relay) Start() error {
	u, err := openUser(r.std)
	if err != nil {
		return err
	}
	return r.start(u)
}

func (r *Relay) start(u *user) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		u.close()
		return fmt.Errorf("cannot relay the terminal: eventfd: %w", err)
	}
	r.user, r.wake = u, wake
	r.signals.start(r)
	go r.loop()
	r.do(func() {
		if !r.std.eager() || !u.foreground() {
			r.setPost(false)
			return
		}
		if err = r.take(); err == nil {
			r.wanted = true
		}
	})
	return err
}

// Foreground says, after Start, whether init is to make the app's process group
// the foreground group of the pty. If not, the app waits for Stopped when it
// first wants the terminal.
func (r *Relay) Foreground() bool {
	foreground := false
	r.do(func() { foreground = r.wanted })
	return foreground
}

// Gone is closed when the user's terminal has hung up. The master is closed by
// then, so the kernel has sent SIGHUP to init, which passes it to the app.
func (r *Relay) Gone() <-chan struct{} { return r.gone }

// Finish is called when the app has exited. It writes out what the app left
// behind, restores the user's terminal, and closes the pty. A process that
// still holds the slave delays it by no more than lastBytes of output.
func (r *Relay) Finish() error {
	var err error
	r.once.Do(func() {
		defer r.pty.Close()
		if r.user == nil {
			return
		}
		r.do(func() {
			r.drain(lastBytes)
			if len(r.out) == 0 {
				r.write(r.filter.Close(r.buf))
				r.settle()
			}
			r.reading, r.wanted, r.quit = false, false, true // a SIGCONT that comes late takes nothing back
			err = r.user.restore(true)
		})
		<-r.done
		r.signals.stop() // not before: a fatal signal may come while a slow terminal is waited for
		r.mu.Lock()
		unix.Close(r.wake)
		r.wake = -1
		r.mu.Unlock()
		r.user.close()
	})
	return err
}

// Restore gives the terminal back at once, from any goroutine and in any state,
// and is harmless when there is nothing to give back. Output that is still on
// its way may be lost: it is for a fatal signal, a panic, a failed launch.
func (r *Relay) Restore() {
	r.mu.Lock()
	r.aborted = true
	r.mu.Unlock()
	if r.user != nil {
		r.user.restore(true)
		r.poke()
	}
}

func (r *Relay) isAborted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.aborted
}

// do runs f on the relay's goroutine and waits for it; once that has ended
// there is nothing left to do.
func (r *Relay) do(f func()) {
	if r.user == nil {
		return // never started
	}
	finished := make(chan struct{})
	select {
	case r.commands <- func() { f(); close(finished) }:
	case <-r.done:
		return
	}
	r.poke()
	select {
	case <-finished:
	case <-r.done:
	}
}

// poke makes the relay look at its commands. The eventfd counts in host order;
// any number but zero will do.
func (r *Relay) poke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := [8]byte{1}
	if r.wake >= 0 {
		unix.Write(r.wake, one[:])
	}
}

// take makes the user's terminal raw and its input the app's.
func (r *Relay) take() error {
	if err := r.user.take(); err != nil {
		return err
	}
	r.reading, r.keys = true, false
	r.setPost(true)
	r.resize()
	return nil
}

// release is the reverse of take. Input is kept: it is for whoever comes next.
func (r *Relay) release() {
	r.reading = false
	r.user.restore(false)
	r.setPost(false)
}

// reconsider follows a change of the terminal's foreground group that happened
// without us: a supervisor stopped from outside and continued by the shell.
func (r *Relay) reconsider() {
	if r.suspended || r.quit || r.master < 0 || r.isAborted() {
		return
	}
	foreground := r.user.foreground()
	switch {
	case r.reading && !foreground:
		r.reading = false
		r.user.lose()
		r.setPost(false)
	case !r.reading && foreground && r.wanted:
		r.take()
	case r.reading:
		r.user.again()
		r.resize()
	}
}

// resize copies the size; the kernel tells the app only when it has changed.
func (r *Relay) resize() {
	size, err := unix.IoctlGetWinsize(r.user.control, unix.TIOCGWINSZ)
	if err != nil || r.master < 0 {
		return
	}
	before, err := unix.IoctlGetWinsize(r.master, unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	fit := fitSize(*size, *before)
	unix.IoctlSetWinsize(r.master, unix.TIOCSWINSZ, &fit)
}

// setPost switches the pty's output processing off while the user's terminal
// does it, so that a line feed gains one carriage return and not two. It is
// called only while the app is in the pty's background or stopped, when the app
// cannot change the modes itself.
func (r *Relay) setPost(on bool) {
	if on != r.postOff || r.master < 0 || (!on && !r.user.postprocesses()) {
		return
	}
	t, err := unix.IoctlGetTermios(r.master, unix.TCGETS)
	if err != nil || (!on && t.Oflag&unix.OPOST == 0) {
		return
	}
	t.Oflag &^= unix.OPOST
	if on {
		t.Oflag |= unix.OPOST
	}
	if unix.IoctlSetTermios(r.master, unix.TCSETS, t) == nil {
		r.postOff = !on
	}
}

// hangup passes on the loss of the user's terminal.
func (r *Relay) hangup() {
	if r.master < 0 {
		return
	}
	r.reading, r.in, r.out, r.more = false, nil, nil, false
	r.user.lose()
	r.master = -1
	r.pty.Close()
	close(r.gone)
}
