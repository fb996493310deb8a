package cli

// Nearest is the word that a typo of text most likely meant, "" when none is
// close: at most one edit in three letters.
func Nearest(text string, words []string) string {
	best, limit := "", len(text)/3+1
	for _, w := range words {
		if d := distance(text, w); d <= limit && d < len(w) {
			best, limit = w, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between a and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var older, old, now [65]int
	for j := range len(b) + 1 {
		old[j] = j
	}
	for i := range len(a) {
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(old[j]+cost, old[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], older[j-1]+1)
			}
		}
		older, old = old, now
	}
	return old[len(b)]
}
