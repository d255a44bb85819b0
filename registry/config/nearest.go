package config

// nearest returns the candidate that name was most likely meant to be, or "".
func nearest(name string, candidates []string) string {
	best, found := allowance(name)+1, ""
	for _, c := range candidates {
		if len(c)-len(name) >= best || len(name)-len(c) >= best {
			continue // each letter too many is an edit
		}
		if d := distance(name, c); d < best {
			best, found = d, c
		}
	}
	return found
}

// allowance is how many edits make a slip of the finger: one in a short word, a third of a
// longer one, and never as many as make another word of it.
func allowance(name string) int {
	return min(max(len(name)/3, 1), 4)
}

// distance is Levenshtein's, with the exchange of two neighbours as one edit.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
