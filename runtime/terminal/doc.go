// Package terminal gives an app a terminal of its own and relays it to the
// user's, as sudo does with use_pty.
//
// An app that held the user's terminal itself could type into it (TIOCSTI,
// CVE-2017-5226), change its modes behind the shell's back, signal the shell's
// process groups, or leave the terminal's answers for the shell to read as
// commands. So each standard descriptor that is a terminal is replaced by the
// slave of a new pty; descriptors that are pipes or files pass untouched.
//
// # What the caller does
//
// [Inspect] the three descriptors; when Any is set, [Open] a pty, [New] a relay
// and [Relay.Start] it before the app is started. In the sandbox, init becomes
// session leader on the slave (setsid, TIOCSCTTY) and starts the app in a
// process group of its own. When [Relay.Foreground] says so, that group is made
// the slave's foreground group; otherwise init's own group stays there, and the
// app is stopped by SIGTTIN or SIGTTOU the moment it wants the terminal. Each
// stop of the app goes to [Relay.Stopped], which returns when the app is to be
// continued and whether in the foreground. When the app has exited,
// [Relay.Finish] hands the terminal back. A deferred [Relay.Restore] covers the
// ways out in between.
//
// # When the user's terminal is taken
//
// Raw mode and reading begin only when we are in the terminal's foreground
// process group and both standard input and output are that terminal. In a
// pipeline ("run git log | less") another member of the job may be reading it,
// and in the background the shell is: there the relay only writes, and takes
// the terminal when the app asks for it by SIGTTIN or SIGTTOU.
//
// # What is trusted
//
// The user's terminal and the shell are trusted, the app and every byte it
// writes are not. [Filter] removes the escape sequences that are a permission
// rather than a picture: the clipboard, and reports that put text chosen by the
// app into the terminal's input. Answers still on their way when the app exits
// are waited for and thrown away.
//
// # What it cannot do
//
// A supervisor killed by SIGKILL leaves the terminal raw: "stty sane" or
// "reset" repairs it. Escape sequences outside the policy pass, so an app can
// still draw what it likes, set the title, and leave modes behind. The filter
// knows terminals by the published sequences, not by their bugs.
package terminal
