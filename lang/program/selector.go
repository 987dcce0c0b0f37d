package program

import (
	"slices"
	"strconv"
	"strings"

	"qpipe/lang/diag"
)

// Selector is a parsed module selector, such as `backbone.stage[1-2].**`. It is
// made by lang/notation; Match does the work here so that the interpreter needs
// no grammar.
type Selector struct {
	Text     string
	Range    diag.Range
	Negated  bool
	Segments []Segment
}

// Segment matches one dot-separated part of a module's path.
type Segment struct {
	Deep bool   // "**": any number of parts, also none
	Alts []Glob // otherwise: any one of these
}

// Glob matches a single part: a sequence of pieces.
type Glob []Piece

// Piece is a literal, a range of integers, or a star.
type Piece struct {
	Star    bool   // "*": any characters, also none
	Literal string // exact text
	Ranged  bool   // "[Lo-Hi]": a decimal number in the range
	Lo, Hi  int
}

// Match reports whether the selector names the node at path or a module above
// it; Negated is not looked at. "**" matches any number of parts, or none.
func (s Selector) Match(path string) bool {
	parts := strings.Split(path, ".")
	// at[i]: the segments so far can have consumed the first i parts.
	at := make([]bool, len(parts)+1)
	at[0] = true
	for _, seg := range s.Segments {
		at = seg.advance(at, parts)
	}
	return slices.Contains(at, true)
}

// advance returns where the segment can end, given where it can begin.
func (g Segment) advance(at []bool, parts []string) []bool {
	next := make([]bool, len(at))
	for i, ok := range at {
		if !ok {
			continue
		}
		switch {
		case g.Deep:
			for j := i; j < len(next); j++ {
				next[j] = true
			}
			return next
		case i < len(parts) && g.match(parts[i]):
			next[i+1] = true
		}
	}
	return next
}

func (g Segment) match(part string) bool {
	return slices.ContainsFunc(g.Alts, func(alt Glob) bool { return alt.match(part) })
}

func (g Glob) match(part string) bool {
	at := make([]bool, len(part)+1)
	at[0] = true
	for _, p := range g {
		at = p.advance(at, part)
	}
	return at[len(part)]
}

func (p Piece) advance(at []bool, part string) []bool {
	next := make([]bool, len(at))
	for i, ok := range at {
		if !ok {
			continue
		}
		if p.Star {
			for j := i; j < len(next); j++ {
				next[j] = true
			}
			return next
		}
		if n := p.length(part[i:]); n > 0 {
			next[i+n] = true
		}
	}
	return next
}

// length returns how many bytes of text a literal or a range matches, 0 for none. A range matches all consecutive
// digits: [1-3] does not match the 1 of 12.
func (p Piece) length(text string) int {
	if !p.Ranged {
		if strings.HasPrefix(text, p.Literal) {
			return len(p.Literal)
		}
		return 0
	}
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(text[:n])
	if err != nil || v < p.Lo || v > p.Hi || (n > 1 && text[0] == '0') {
		return 0
	}
	return n
}

// Select reports whether a list of selectors names the node at path: one that is
// not negated matches (or all are negated), and no negated one does. The order
// of the list does not matter.
func Select(list []Selector, path string) bool {
	chosen, wanted := false, false
	for _, s := range list {
		switch {
		case s.Negated && s.Match(path):
			return false
		case !s.Negated:
			wanted = true
			chosen = chosen || s.Match(path)
		}
	}
	return chosen || (!wanted && len(list) > 0)
}
