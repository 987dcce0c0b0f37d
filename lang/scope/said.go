package scope

import (
	"slices"
	"strings"

	"qpipe/lang/diag"
)

// said is what has been reported and keeps other messages from being: an index of
// the list, so that looking something up does not walk it.
type said struct {
	upTo       int             // the list's first entries that are in it
	meant      map[hint]bool   // unknown names that were meant to be attr, and blocks attr that are written twice
	unlabelled map[string]bool // keywords of blocks whose labels are wrong
}

// Keep forgets of all that has been reported after the first n what is not kept.
func (s *Scope) Keep(n int, kept diag.List) {
	s.reported()
	s.List = append(s.List[:n], kept...)
	s.said.upTo = len(s.List)
}

// UnknownBehind reports whether an unknown attribute or block of the address has been reported that stands behind a header.
func (s *Scope) UnknownBehind(header diag.Range, address string) bool {
	return slices.ContainsFunc(s.List, func(d *diag.Diagnostic) bool {
		unknown := d.Code == diag.UnknownAttribute || d.Code == diag.UnknownBlock
		return unknown && d.Address == address && d.Subject.File == header.File && d.Subject.Start.Byte >= header.End.Byte
	})
}

// hint is what a name in the block at address was meant to be.
type hint struct{ attr, address string }

// reported returns the index of all that has been reported.
func (s *Scope) reported() *said {
	said := &s.said
	if said.meant == nil {
		said.meant, said.unlabelled = map[hint]bool{}, map[string]bool{}
	}
	for _, d := range s.List[said.upTo:] {
		switch {
		case d.Code == diag.BadLabel && d.Meant != "":
			said.unlabelled[d.Meant] = true
		case d.Code == diag.BadLabel:
			kind, _, _ := strings.Cut(d.Address, ".")
			said.unlabelled[kind] = true
		case d.Meant != "":
			said.meant[hint{d.Meant, d.Address}] = true
		}
	}
	said.upTo = len(s.List)
	return said
}
