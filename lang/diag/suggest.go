package diag

import (
	"slices"
	"strings"
)

// Nearest returns the name that was most likely intended, by edit distance (a transposition counts as one edit), or ""
// if none is near.
func Nearest(name string, names []string) string {
	if near := nearest(name, names); len(near) > 0 {
		return near[0]
	}
	return ""
}

// The largest distance of a suggestion, and the length of the longest name that is compared.
const (
	mostEdits = 8
	longName  = 200
)

// NearestCost is the work of looking for the name nearest to name, in steps.
func NearestCost(name string, names []string) int {
	return len(names) * min(len(name)+1, longName)
}

// nearest returns all names at the least distance, in their order.
func nearest(name string, names []string) []string {
	if len(name) > longName {
		return nil
	}
	var best []string
	limit := 1 + min(max(1, (len(name)+1)/3), mostEdits)
	name = strings.ToLower(name)
	for _, n := range names {
		if len(n)-len(name) >= limit || len(name)-len(n) >= limit {
			continue
		}
		d := distance(name, strings.ToLower(n), limit)
		switch {
		case d < limit-1 || d < limit && len(best) == 0:
			best, limit = []string{n}, d+1
		case d < limit:
			best = append(best, n)
		}
	}
	return best
}

// DidYouMean is the text of a suggestion: the nearest name, or the few that are equally near, otherwise all of them. In
// the last case the names are called what (a plural).
func DidYouMean(name string, names []string, what string) string {
	near := nearest(name, names)
	switch {
	case len(near) > 0 && len(near) <= 3:
		return `Did you mean "` + strings.Join(near, `" or "`) + `"?`
	case len(names) == 0:
		return "There are no " + what + "."
	}
	return "The " + what + ": " + Enumerate(names) + "."
}

// Article puts "a" or "an" before a word.
func Article[T ~string](word T) string {
	if word != "" && strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + string(word)
	}
	return "a " + string(word)
}

// Enumerate joins sorted names with commas; a long list is cut.
func Enumerate(names []string) string {
	const most = 20
	sorted := names
	if !slices.IsSorted(sorted) {
		sorted = slices.Sorted(slices.Values(names))
	}
	if len(sorted) > most {
		sorted = append(sorted[:most:most], "…")
	}
	return strings.Join(sorted, ", ")
}

// distance is the optimal string alignment distance of two byte strings, or
// limit when it is that or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := row[0]
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
