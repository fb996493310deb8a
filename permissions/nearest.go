package permissions

// nearest returns the known word that word is most likely a misspelling of,
// or "" when none is close.
func nearest(word string, known []string) string {
	best, bestCost := "", len(word)/3+2
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		if c := distance(word, k); c < bestCost {
			best, bestCost = k, c
		}
	}
	return best
}

// distance is the number of letters to change, add, drop or swap with their
// neighbour (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
