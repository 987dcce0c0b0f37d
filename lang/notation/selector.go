package notation

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"qpipe/lang/program"
)

const (
	selectorHelp = `A selector is "backbone.stem" (a module and all below it), "backbone.stage[1-3]", "*.conv", "**.bn", "{head,neck}" or "!backbone.stem".`
	maxAlts      = 100 // the most alternatives that one part may expand to
	maxPieces    = 32  // stars and names in one part
	maxSegments  = 64
)

type selectorTree struct {
	Negated bool           `parser:"@'!'?"`
	First   *segmentTree   `parser:"@@"`
	Rest    []*segmentTree `parser:"('.' @@)*"`
}

type segmentTree struct {
	Pos    lexer.Position
	Deep   bool         `parser:"  @'**'"`
	Pieces []*pieceTree `parser:"| @@+"`
}

type pieceTree struct {
	Atom *atomTree  `parser:"  @@"`
	Alts *groupTree `parser:"| @@"`
}

type groupTree struct {
	First *globTree   `parser:"'{' @@"`
	Rest  []*globTree `parser:"(',' @@)* '}'"`
}

type globTree struct {
	Atoms []*atomTree `parser:"@@+"`
}

type atomTree struct {
	Star  bool       `parser:"  @'*'"`
	Range *rangeTree `parser:"| @@"`
	Name  string     `parser:"| @Name"`
}

type rangeTree struct {
	Lo numberTree  `parser:"'[' @@"`
	Hi *numberTree `parser:"('-' @@)? ']'"`
}

var selectorParser = sync.OnceValue(func() *participle.Parser[selectorTree] {
	return participle.MustBuild[selectorTree](
		participle.Lexer(lexer.MustStateful(lexer.Rules{
			"Root": {
				{Name: "Deep", Pattern: `\*\*`},
				{Name: "Punct", Pattern: `[!.*{},]`},
				{Name: "Open", Pattern: `\[`, Action: lexer.Push("Range")},
				{Name: "Name", Pattern: `[A-Za-z0-9_-]+`},
			},
			"Range": {
				{Name: "Int", Pattern: `[0-9]+`},
				{Name: "Dash", Pattern: `-`},
				{Name: "Close", Pattern: `\]`, Action: lexer.Pop()},
			},
		})),
		participle.UseLookahead(2),
	)
})

// SelectorEBNF returns the grammar of module selectors.
func SelectorEBNF() string { return ebnf(selectorParser().String()) }

// Selector parses a module selector.
func Selector(text string) (program.Selector, *Error) {
	s := program.Selector{Text: text}
	tree, err := parse(selectorParser(), text, "selector", selectorHelp)
	if err != nil {
		return s, err
	}
	s.Negated = tree.Negated
	for _, t := range append([]*segmentTree{tree.First}, tree.Rest...) {
		seg, err := t.segment()
		if err != nil {
			return s, err
		}
		if n := len(s.Segments); seg.Deep && n > 0 && s.Segments[n-1].Deep {
			continue // "**.**" is "**"
		}
		if len(s.Segments) == maxSegments {
			return s, fail(t.Pos.Offset, 1, selectorHelp, "the selector has more than %d parts", maxSegments)
		}
		s.Segments = append(s.Segments, seg)
	}
	return s, nil
}

// segment expands the braces of a part into alternatives.
func (t *segmentTree) segment() (program.Segment, *Error) {
	if t.Deep {
		return program.Segment{Deep: true}, nil
	}
	alts := []program.Glob{nil}
	for _, p := range t.Pieces {
		choices, err := p.choices()
		if err != nil {
			return program.Segment{}, err
		}
		if len(t.Pieces) > maxPieces {
			return program.Segment{}, fail(t.Pos.Offset, 1, selectorHelp, "this part has more than %d pieces", maxPieces)
		}
		if len(alts)*len(choices) > maxAlts {
			return program.Segment{}, fail(t.Pos.Offset, 1, selectorHelp, "the braces of this part give more than %d alternatives", maxAlts)
		}
		alts = product(alts, choices)
	}
	return program.Segment{Alts: alts}, nil
}

func product(left, right []program.Glob) []program.Glob {
	out := make([]program.Glob, 0, len(left)*len(right))
	for _, l := range left {
		for _, r := range right {
			out = append(out, append(l[:len(l):len(l)], r...))
		}
	}
	return out
}

func (t *pieceTree) choices() ([]program.Glob, *Error) {
	if t.Atom != nil {
		p, err := t.Atom.piece()
		return []program.Glob{{p}}, err
	}
	var out []program.Glob
	for _, g := range append([]*globTree{t.Alts.First}, t.Alts.Rest...) {
		var glob program.Glob
		for _, a := range g.Atoms {
			p, err := a.piece()
			if err != nil {
				return nil, err
			}
			glob = append(glob, p)
		}
		out = append(out, glob)
	}
	return out, nil
}

func (t *atomTree) piece() (program.Piece, *Error) {
	if t.Range == nil {
		return program.Piece{Star: t.Star, Literal: t.Name}, nil
	}
	lo, err := t.Range.Lo.value(0, selectorHelp)
	if err != nil {
		return program.Piece{}, err
	}
	hi, err := t.Range.Hi.value(lo, selectorHelp)
	if err != nil {
		return program.Piece{}, err
	}
	if hi < lo {
		return program.Piece{}, fail(t.Range.Hi.Pos.Offset, len(t.Range.Hi.Text), selectorHelp, "the range [%d-%d] is empty", lo, hi)
	}
	return program.Piece{Ranged: true, Lo: lo, Hi: hi}, nil
}
