package check

import (
	"strings"

	"qpipe/lang/diag"
)

// said is what has been reported and keeps other messages from being: an index of
// the list, so that looking something up does not walk it.
type said struct {
	upTo       int             // the list's first entries that are in it
	meant      map[hint]bool   // unknown names that were meant to be attr, and blocks attr that stand twice
	unlabelled map[string]bool // keywords of blocks whose labels are wrong
}

// hint is what a name in the block at address was meant to be.
type hint struct{ attr, address string }

// reported returns the index of all that has been reported.
func (c *checker) reported() *said {
	s := &c.said
	if s.meant == nil {
		s.meant, s.unlabelled = map[hint]bool{}, map[string]bool{}
	}
	for _, d := range c.list[s.upTo:] {
		switch d.Code {
		case diag.UnknownAttribute, diag.UnknownBlock:
			if attr, ok := between(d.Detail, `Did you mean "`, `"?`); ok {
				s.meant[hint{attr, d.Address}] = true
			}
		case diag.DuplicateBlock:
			if attr, ok := between(d.Summary, "a second ", " block"); ok {
				s.meant[hint{attr, d.Address}] = true
			}
		case diag.BadLabel:
			if i := strings.LastIndex(d.Summary, " for "); i >= 0 {
				s.unlabelled[d.Summary[i+len(" for "):]] = true
			}
			kind, _, _ := strings.Cut(d.Address, ".")
			s.unlabelled[kind] = true
		}
	}
	s.upTo = len(c.list)
	return s
}

// between returns what stands behind a text's beginning and before an end.
func between(text, beginning, end string) (string, bool) {
	rest, ok := strings.CutPrefix(text, beginning)
	if !ok {
		return "", false
	}
	word, _, ok := strings.Cut(rest, end)
	return word, ok
}
