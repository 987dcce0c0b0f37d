package functions

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRegexFinds: the counted search finds what Go's own does, and replaces the same.
func TestRegexFinds(t *testing.T) {
	pieces := []string{"a", "b", ".", "^", "$", `\b`, `\B`, "(?m:^)", "(?m:$)", "[ab]", "(a|b)", "(?:ab)?", "a*", "b+?", `\s`, "|", "é", "(?i:A)", "x{0,2}", `\Q.\E`, "(?P<n>b)"}
	rapid.Check(t, func(r *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(r, "pattern"), "")
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "\n", " ", "é", "x", ".", "A"}), 0, 12).Draw(r, "text"), "")
		want, err := regexp.Compile(pattern)
		if err != nil {
			return
		}
		b := NewBudget()
		re, err := compile(pattern, b)
		if err != nil {
			r.Fatalf("%q: %v", pattern, err)
		}
		var found [][]int
		if err := re.each(text, func(m []int) bool { found = append(found, m); return true }); err != nil {
			r.Fatal(err)
		}
		if all := want.FindAllStringSubmatchIndex(text, -1); !slices.EqualFunc(all, found, slices.Equal) {
			r.Fatalf("%q in %q: %v, want %v", pattern, text, found, all)
		}
		const with = "<$0${n}>"
		if got, err := replaceAll(text, pattern, with, b); err != nil || got != want.ReplaceAllString(text, with) {
			r.Fatalf("%q in %q: %q, want %q (%v)", pattern, text, got, want.ReplaceAllString(text, with), err)
		}
	})
}
