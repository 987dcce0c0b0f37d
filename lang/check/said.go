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
		switch {
		case d.Code == diag.BadLabel && d.Meant != "":
			s.unlabelled[d.Meant] = true
		case d.Code == diag.BadLabel:
			kind, _, _ := strings.Cut(d.Address, ".")
			s.unlabelled[kind] = true
		case d.Meant != "":
			s.meant[hint{d.Meant, d.Address}] = true
		}
	}
	s.upTo = len(c.list)
	return s
}
