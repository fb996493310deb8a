package export

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// Shells are those that ShellInit speaks to.
var Shells = []string{"bash", "zsh", "fish", "sh"}

// ShellInit is what a shell must read at its start to find what places export.
// The first place wins. Reading it twice changes nothing. Commands come first in
// PATH, so that an alias wins over the host; data comes last, so that nothing of
// an app takes the place of what the host has.
func ShellInit(shell string, places ...Place) (string, error) {
	var b strings.Builder
	for i := len(places) - 1; i >= 0; i-- {
		p := places[i]
		for _, dir := range []string{p.Bin(), p.Share()} {
			if strings.ContainsAny(dir, ":\n") {
				return "", hint.With(fmt.Errorf("cannot put %q in a list of directories", dir), "set XDG_DATA_HOME to a path without ':' and line ends")
			}
		}
		switch shell {
		case "fish":
			fishInit(&b, p)
		case "bash", "zsh", "sh":
			shInit(&b, p, shell == "zsh")
		default:
			return "", hint.With(fmt.Errorf("cannot speak to the shell %q", shell), "sh fits most others")
		}
	}
	return b.String(), nil
}

// shInit is for all shells of Bourne's family. man looks beside the directories
// of PATH by itself, but only while MANPATH is not set.
func shInit(b *strings.Builder, p Place, zsh bool) {
	bin, share := shQuote(p.Bin()), shQuote(p.Share())
	fmt.Fprintf(b, "case \":$PATH:\" in *:%s:*) ;; *) export PATH=%s:\"$PATH\" ;; esac\n", bin, bin)
	fmt.Fprintf(b, "case \":${XDG_DATA_DIRS:=/usr/local/share:/usr/share}:\" in *:%s:*) ;; *) XDG_DATA_DIRS=\"$XDG_DATA_DIRS\":%s ;; esac\nexport XDG_DATA_DIRS\n", share, share)
	fmt.Fprintf(b, "case \":${MANPATH-}:\" in ::|*:%s/man:*) ;; *) export MANPATH=%s/man:\"$MANPATH\" ;; esac\n", share, share)
	if zsh {
		fmt.Fprintf(b, "typeset -U fpath; fpath+=(%s/zsh/site-functions)\n", share)
	}
}

func fishInit(b *strings.Builder, p Place) {
	bin, share := fishQuote(p.Bin()), fishQuote(p.Share())
	fmt.Fprintf(b, "contains -- %s $PATH; or set -gx PATH %s $PATH\n", bin, bin)
	b.WriteString("set -q XDG_DATA_DIRS; or set -gx XDG_DATA_DIRS /usr/local/share:/usr/share\n")
	// It may be a list here, by what other programs put into fish's start.
	fmt.Fprintf(b, "contains -- %s (string split : -- (string join : -- $XDG_DATA_DIRS)); or set -gx XDG_DATA_DIRS (string join : -- $XDG_DATA_DIRS %s)\n", share, share)
	fmt.Fprintf(b, "set -q MANPATH; and not contains -- %s/man $MANPATH; and set -gx MANPATH %s/man $MANPATH\n", share, share)
	fmt.Fprintf(b, "contains -- %s/fish/vendor_completions.d $fish_complete_path; or set -g -a fish_complete_path %s/fish/vendor_completions.d\n", share, share)
}

func shQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
