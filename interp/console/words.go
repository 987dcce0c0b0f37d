package console

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
)

// DidYouMean is the end of a message about an unknown word; the prefix is what the user types before such a word.
func DidYouMean(word string, words []string, prefix string) string {
	if near := diag.Nearest(word, words); near != "" {
		return fmt.Sprintf("; did you mean %q?", prefix+near)
	}
	return ""
}

// TwoColumns lays out names and texts; texts are wrapped.
func TwoColumns(rows [][2]string, columns int) []string {
	left := 0
	for _, r := range rows {
		left = max(left, len(r[0]))
	}
	var lines []string
	for _, r := range rows {
		name := r[0]
		for _, text := range Wrapped(r[1], max(columns-left-4, 30)) {
			lines = append(lines, fmt.Sprintf("%-*s  %s", left, name, text))
			name = ""
		}
	}
	return lines
}

// Wrapped breaks a text at spaces.
func Wrapped(text string, columns int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= columns:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
