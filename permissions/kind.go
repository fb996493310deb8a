package permissions

// Kind is the first word of a permission: what sort of thing it opens.
type Kind string

// The kinds. Their order is the order of the table, and of every listing.
const (
	Network    Kind = "network"
	Files      Kind = "files"
	Device     Kind = "device"
	Socket     Kind = "socket"
	SessionBus Kind = "session-bus"
	SystemBus  Kind = "system-bus"
	Portal     Kind = "portal"
	Env        Kind = "env"
	Feature    Kind = "feature"
	Limit      Kind = "limit"
)

// KindInfo is one row of the vocabulary. Documentation, completion, lint and
// the terminal UI are made from it, so a word exists in one place only.
type KindInfo struct {
	Name     Kind
	Summary  string
	Syntax   string
	Example  string
	Subjects []SubjectInfo
	// Live says that a change reaches a running app at once. A subject may
	// differ: see SubjectInfo.NextStart.
	Live bool
}

// SubjectInfo is one subject of a kind: a fixed word, or the shape of many.
type SubjectInfo struct {
	Name    string
	Summary string // continues "the app can …"
	Risk    Danger
	Why     string // the reason for the risk, as a sentence without full stop
	// Pattern marks a shape such as HOST[:PORT] that stands for many subjects.
	Pattern bool
	// NextStart marks what a running app keeps, or gets, only at its next
	// start although its kind is live.
	NextStart bool
}

// Kinds returns the vocabulary. The caller may change what it gets.
func Kinds() []KindInfo {
	out := make([]KindInfo, len(table))
	for i, k := range table {
		k.Subjects = append([]SubjectInfo(nil), k.Subjects...)
		out[i] = k
	}
	return out
}

// Live reports whether granting or revoking p reaches a running app at once.
// Files that the app has already open stay open in any case.
func Live(p Permission) bool {
	k := kindOf(p.Kind)
	if k == nil {
		return false
	}
	word := p.Subject
	if p.Kind == Limit {
		word = envName(word)
	}
	s := k.subject(word)
	return k.Live && (s == nil || !s.NextStart)
}

func kindOf(name Kind) *KindInfo {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// rank orders kinds as the table does; unknown kinds come last.
func (k Kind) rank() int {
	for i := range table {
		if table[i].Name == k {
			return i
		}
	}
	return len(table)
}

// subject finds the row of a fixed word; patterns are not matched.
func (k *KindInfo) subject(word string) *SubjectInfo {
	for i := range k.Subjects {
		if s := &k.Subjects[i]; s.Name == word && !s.Pattern {
			return s
		}
	}
	return nil
}

// index is the row number of a subject, for sorting as the table does.
func (k *KindInfo) index(word string) int {
	for i := range k.Subjects {
		if k.Subjects[i].Name == word {
			return i
		}
	}
	return len(k.Subjects)
}

// words lists the fixed words of a kind, for "did you mean".
func (k *KindInfo) words() []string {
	var out []string
	for _, s := range k.Subjects {
		if !s.Pattern {
			out = append(out, s.Name)
		}
	}
	return out
}

func (k Kind) isBus() bool { return k == SessionBus || k == SystemBus }
