package program

import "qpipe/lang/diag"

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
