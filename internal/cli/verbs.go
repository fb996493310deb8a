package cli

// Binary is the program that performs a verb.
type Binary string

const (
	Lean Binary = "sandbox"      // starts and steers instances
	Tool Binary = "sandbox-tool" // everything that is not in the way of a launch
	Tui  Binary = "sandbox-tui"  // the full screen
)

// Group is a heading of the overview.
type Group string

const (
	Run     Group = "Run"
	Install Group = "Install"
	Package Group = "Package"
	Ask     Group = "Ask and learn"
)

// Groups in the order of the overview.
var Groups = [...]Group{Run, Install, Package, Ask}

// Value says what an argument or a flag's value names; completion is made from it.
type Value uint8

const (
	None Value = iota
	Text
	Dir
	File
	Bundle     // a bundle's directory
	App        // an installed app, or a bundle's directory
	Instance   // the name of a running instance
	Permission // kind:subject[:access]
	LimitValue // NAME=VALUE
	Topic      // of sandbox help
)

// Verb is one row of the table.
type Verb struct {
	Name    string
	Binary  Binary
	Usage   string // what follows the name
	Summary string
	Group   Group
	Detail  string // paragraphs below the summary in the verb's own help

	// The rest describes all verbs but those of sandbox-tool, which declare their
	// flags where they are performed.
	Flags   []Flag
	Args    Value // what the positional arguments name
	Min     int   // positional arguments needed
	Max     int   // and allowed; -1: any number
	Forward bool  // flags end at the first positional argument: the rest is the app's
}

// Flag is --Name or -Short.
type Flag struct {
	Name    string
	Short   string
	Arg     string // placeholder of the value; "" is a switch
	Value   Value
	Repeat  bool
	Summary string
}

var jsonFlag = Flag{Name: "json", Summary: "print JSON"}

// Verbs is the table. Help, completion, man pages and dispatch are made from it.
var Verbs = [...]Verb{
	{
		Name: "run", Binary: Lean, Group: Run,
		Usage:   "[FLAGS] APP|BUNDLE [ARGUMENTS…]",
		Summary: "run an app in its sandbox",
		Detail: `APP is an installed app: its id, the last part of it, or the name of one of its
commands. BUNDLE is a bundle's directory, with a slash in it or a dot in front
(./bundle). What follows is given to the app unread.
The exit status is the app's own: 126 when its program cannot be executed, 127
when there is none, 128+N when signal N ended it, and 125 when it was never
started.`,
		Args: App, Min: 1, Max: -1, Forward: true,
		Flags: []Flag{
			{Name: "runtime", Arg: "DIR", Value: Bundle, Summary: "take /usr from the runtime in DIR (default: the installed one)"},
			{Name: "channel", Arg: "NAME", Value: Text, Summary: "the app from channel NAME, where several are installed"},
			{Name: "command", Arg: "NAME", Value: Text, Summary: "start NAME in place of the bundle's main command"},
			{Name: "grant", Arg: "PERMISSION", Value: Permission, Repeat: true, Summary: "allow PERMISSION for this run"},
			{Name: "deny", Arg: "PERMISSION", Value: Permission, Repeat: true, Summary: "refuse PERMISSION for this run; wins over every grant"},
			{Name: "limit", Arg: "NAME=VALUE", Value: LimitValue, Repeat: true, Summary: "limit this run: memory, swap, cpu, pids, io, files, time"},
			{Name: "env", Short: "e", Arg: "NAME[=VALUE]", Value: Text, Repeat: true, Summary: "set NAME inside, or pass it through"},
			{Name: "cwd", Arg: "DIR", Value: Dir, Summary: "start in DIR, a path inside"},
			{Name: "pass-fd", Arg: "N", Value: Text, Repeat: true, Summary: "leave the open file descriptor N to the app"},
			{Name: "no-pty", Summary: "give the app pipes even on a terminal"},
			{Name: "ephemeral", Summary: "start from an empty home and forget it afterwards"},
			{Name: "name", Arg: "NAME", Value: Text, Summary: "call the instance NAME"},
			{Name: "detach", Short: "d", Summary: "return once it runs and print its name"},
			{Name: "strict", Summary: "fail where a protection or limit is not to be had here"},
			{Name: "dry-run", Short: "n", Summary: "print what would be done and do nothing"},
			{Name: "json", Summary: "print JSON (with --dry-run or --detach)"},
		},
	},
	{
		Name: "ps", Binary: Lean, Group: Run,
		Summary: "list running instances",
		Flags:   []Flag{jsonFlag},
	},
	{
		Name: "stop", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE…", Summary: "end instances: TERM, then KILL",
		Args: Instance, Max: -1,
		Flags: []Flag{
			{Name: "all", Short: "a", Summary: "every instance"},
			{Name: "timeout", Short: "t", Arg: "DURATION", Value: Text, Summary: "wait DURATION before KILL (default 10s)"},
		},
	},
	{
		Name: "kill", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE…", Summary: "send a signal; without --signal end instances at once",
		Args: Instance, Max: -1,
		Flags: []Flag{
			{Name: "all", Short: "a", Summary: "every instance"},
			{Name: "signal", Short: "s", Arg: "SIGNAL", Value: Text, Summary: "send SIGNAL to the app instead (TERM, HUP, 9 …)"},
		},
	},
	{
		Name: "pause", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE…", Summary: "freeze instances",
		Args: Instance, Max: -1,
		Flags: []Flag{{Name: "all", Short: "a", Summary: "every instance"}},
	},
	{
		Name: "resume", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE…", Summary: "let frozen instances go on",
		Args: Instance, Max: -1,
		Flags: []Flag{{Name: "all", Short: "a", Summary: "every instance"}},
	},
	{
		Name: "enter", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE [COMMAND [ARGUMENTS…]]", Summary: "run one more command in an instance, confined as the app is",
		Detail: `Without COMMAND a shell is started. The exit status is the command's own, as for run.`,
		Args:   Instance, Min: 1, Max: -1, Forward: true,
		Flags: []Flag{
			{Name: "env", Short: "e", Arg: "NAME[=VALUE]", Value: Text, Repeat: true, Summary: "set NAME inside, or pass it through"},
			{Name: "cwd", Arg: "DIR", Value: Dir, Summary: "start in DIR, a path inside"},
			{Name: "no-pty", Summary: "give the command pipes even on a terminal"},
		},
	},
	{
		Name: "stats", Binary: Lean, Group: Run,
		Usage: "[FLAGS] [INSTANCE…]", Summary: "show what instances use",
		Args: Instance, Max: -1,
		Flags: []Flag{jsonFlag},
	},
	{
		Name: "logs", Binary: Lean, Group: Run,
		Usage: "[FLAGS] INSTANCE", Summary: "print what a detached instance wrote",
		Args: Instance, Min: 1, Max: 1,
		Flags: []Flag{{Name: "follow", Short: "f", Summary: "go on until the instance ends"}},
	},
	{
		Name: "tui", Binary: Tui, Group: Run,
		Summary: "watch and steer instances on a full screen",
		Detail: `Shows what runs, what each instance uses and what it may do, in words; '?' lists
the keys. Leaving it leaves the apps running. NO_COLOR=1 shows it without colours.`,
	},

	{Name: "search", Binary: Tool, Group: Install, Usage: "[FLAGS] [WORD…]", Summary: "find apps that the remotes offer"},
	{Name: "info", Binary: Tool, Group: Install, Usage: "[FLAGS] APP", Summary: "show what an app may do before it is installed"},
	{Name: "install", Binary: Tool, Group: Install, Usage: "[FLAGS] APP…", Summary: "install apps"},
	{Name: "update", Binary: Tool, Group: Install, Usage: "[FLAGS] [APP…]", Summary: "update apps; what asks for more is held"},
	{Name: "uninstall", Binary: Tool, Group: Install, Usage: "[FLAGS] APP…", Summary: "remove apps; their data stay unless you say otherwise"},
	{Name: "list", Binary: Tool, Group: Install, Usage: "[FLAGS] [APP…]", Summary: "list what is installed, and what it takes"},
	{Name: "rollback", Binary: Tool, Group: Install, Usage: "[FLAGS] APP", Summary: "go back to the release before, and to its data"},
	{Name: "history", Binary: Tool, Group: Install, Usage: "[FLAGS] [APP]", Summary: "show what was installed, updated and removed"},
	{Name: "hold", Binary: Tool, Group: Install, Usage: "[FLAGS] APP", Summary: "keep an app as it is"},
	{Name: "unhold", Binary: Tool, Group: Install, Usage: "[FLAGS] APP", Summary: "let an app be updated again"},
	{Name: "pin", Binary: Tool, Group: Install, Usage: "[FLAGS] APP [RELEASE]", Summary: "tie an app to one release"},
	{Name: "unpin", Binary: Tool, Group: Install, Usage: "[FLAGS] APP", Summary: "let an app follow its channel again"},
	{Name: "snapshot", Binary: Tool, Group: Install, Usage: "list|create|restore|delete", Summary: "keep an app's data as they are, and go back to them"},
	{Name: "verify", Binary: Tool, Group: Install, Usage: "[FLAGS] [APP…]", Summary: "read what is installed again and compare"},
	{Name: "repair", Binary: Tool, Group: Install, Usage: "[FLAGS]", Summary: "mend what verify finds"},
	{Name: "gc", Binary: Tool, Group: Install, Usage: "[FLAGS]", Summary: "remove from the disk what nothing needs"},
	{Name: "download", Binary: Tool, Group: Install, Usage: "[FLAGS] APP…", Summary: "put apps into a file for a machine without a network"},
	{Name: "remote", Binary: Tool, Group: Install, Usage: "list|add|show|modify|remove", Summary: "choose where apps come from"},
	{Name: "init", Binary: Tool, Group: Package, Usage: "[ID]", Summary: "write a manifest to start from"},
	{Name: "lint", Binary: Tool, Group: Package, Usage: "[FLAGS] [DIR|FILE]", Summary: "check a manifest and explain what is wrong"},
	{Name: "build", Binary: Tool, Group: Package, Usage: "[FLAGS] [DIR]", Summary: "make a bundle from a manifest and its sources"},
	{Name: "key", Binary: Tool, Group: Package, Usage: "create|list|show", Summary: "make and show the keys that sign what you publish"},
	{Name: "repo", Binary: Tool, Group: Package, Usage: "init|show|set|refresh|gc|serve|rotate|sign|publisher|upload|unlock", Summary: "make and keep a repository"},
	{Name: "publish", Binary: Tool, Group: Package, Usage: "[FLAGS] BUNDLE…", Summary: "put bundles into a repository"},
	{Name: "promote", Binary: Tool, Group: Package, Usage: "[FLAGS] RELEASE CHANNEL", Summary: "offer a release under another channel"},
	{Name: "retract", Binary: Tool, Group: Package, Usage: "[FLAGS] RELEASE", Summary: "take a release out of a repository"},
	{Name: "eol", Binary: Tool, Group: Package, Usage: "[FLAGS] RELEASE", Summary: "say that there will be no more releases"},

	{Name: "alias", Binary: Tool, Group: Run, Usage: "list", Summary: "choose what a name in PATH starts"},
	{Name: "shell-init", Binary: Tool, Group: Run, Usage: "bash|zsh|fish|sh", Summary: "print what adds the apps' commands to PATH"},

	{Name: "permission", Binary: Tool, Group: Ask, Usage: "list", Summary: "list what can be granted, and what each grant exposes"},
	{Name: "doctor", Binary: Tool, Group: Ask, Usage: "[FLAGS]", Summary: "check this machine, and attack a sandbox to see it hold"},
	{Name: "help", Binary: Tool, Group: Ask, Usage: "[VERB|TOPIC]", Summary: "explain a verb or a topic"},
	{Name: "completion", Binary: Tool, Group: Ask, Usage: "bash|zsh|fish|powershell", Summary: "print a completion script"},
	{Name: "man", Binary: Tool, Group: Ask, Usage: "DIR", Summary: "write the man pages to DIR"},
	{Name: "version", Binary: Tool, Group: Ask, Summary: "print the version"},
}

// Find looks a verb up.
func Find(name string) (*Verb, bool) {
	for i := range Verbs {
		if Verbs[i].Name == name {
			return &Verbs[i], true
		}
	}
	return nil, false
}

// performer is the program that performs the verb called name, "" when there is
// no such verb. Names that begin with two underscores are what completion
// scripts call.
func performer(name string) Binary {
	if len(name) > 2 && name[:2] == "__" {
		return Tool
	}
	if v, ok := Find(name); ok {
		return v.Binary
	}
	return ""
}
