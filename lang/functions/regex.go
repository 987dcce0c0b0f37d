package functions

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The limits of a regular expression. What it is compiled to can be a million times as large
// as its text, and looking for all matches can take time quadratic in the text, so that the
// steps are counted.
const (
	maxPattern  = 4096   // bytes
	maxProgram  = 10_000 // instructions
	stepsOfUnit = 64     // instructions that are looked at
)

// regex is a regular expression that pays for the steps it takes.
type regex struct {
	first *regexp.Regexp // from the beginning of a text
	later *regexp.Regexp // from a place within: after the character before it
	size  int
	b     *Budget
}

// compile compiles a pattern that is small enough.
func compile(pattern string, b *Budget) (*regex, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern has more than %d characters", maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	var wrong *syntax.Error
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("invalid regexp pattern: %s in %s", wrong.Code, wrong.Expr)
	case err != nil:
		return nil, err
	}
	size := programSize(tree)
	if size > maxProgram {
		return nil, fmt.Errorf("the pattern is too large: written out, its repetitions have more than %d steps", maxProgram)
	}
	if !b.take(len(pattern) + 2*size) {
		return nil, errTooMuch
	}
	r := &regex{size: size, b: b}
	if r.first, err = regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return r, nil
}

// programSize is the number of instructions that a pattern is compiled to, and of the
// ranges of its classes, roughly.
func programSize(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n = 1 + len(re.Rune)/8
	}
	for _, sub := range re.Sub {
		if n += programSize(sub); n > maxProgram {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1) + 1
	}
	return n + 1
}

// counted reads a text from a place on and counts; it ends when the budget does.
type counted struct {
	text string
	r    *regex
	read int
}

func (c *counted) ReadRune() (rune, int, error) {
	if c.text == "" {
		return 0, 0, io.EOF
	}
	if c.read += c.r.size + 3; c.read >= stepsOfUnit {
		if !c.r.b.take(c.read / stepsOfUnit) {
			return 0, 0, io.EOF
		}
		c.read %= stepsOfUnit
	}
	ch, n := utf8.DecodeRuneInString(c.text)
	c.text = c.text[n:]
	return ch, n, nil
}

// find returns the first match at or behind a place, as the places of it and its groups.
func (r *regex) find(text string, from int) []int {
	if from == 0 {
		return r.first.FindReaderSubmatchIndex(&counted{text: text, r: r})
	}
	if r.later == nil {
		// What `^` and `\b` mean at a place depends on the character before it: the match is
		// looked for behind one, with as little as possible between.
		tree, _ := syntax.Parse(r.first.String(), syntax.Perl)
		r.later = regexp.MustCompile(`\A(?s:.)(?s:.*?)((?:` + tree.String() + `))`)
	}
	_, before := utf8.DecodeLastRuneInString(text[:from])
	start := from - before
	found := r.later.FindReaderSubmatchIndex(&counted{text: text[start:], r: r})
	if found == nil {
		return nil
	}
	found = found[2:]
	for i := range found {
		if found[i] >= 0 {
			found[i] += start
		}
	}
	return found
}

// each calls do with every match, as regexp's FindAll finds them, until do returns false.
func (r *regex) each(text string, do func(match []int) bool) error {
	for at, last := 0, -1; at <= len(text); {
		m := r.find(text, at)
		if r.b.Overdrawn() {
			return errTooMuch
		}
		if m == nil {
			return nil
		}
		empty := m[0] == m[1]
		if !(empty && m[0] == last) && !do(m) {
			return nil
		}
		at, last = m[1], m[1]
		if empty {
			_, n := utf8.DecodeRuneInString(text[at:])
			at += max(n, 1)
		}
	}
	return nil
}

// shape is the type of a match: a string without groups, a tuple of groups, or an object of
// named ones.
func (r *regex) shape() (cty.Type, error) {
	var names []string
	unnamed := 0
	for _, name := range r.first.SubexpNames()[1:] {
		if name == "" {
			unnamed++
		} else {
			names = append(names, name)
		}
	}
	switch {
	case unnamed == 0 && len(names) == 0:
		return cty.String, nil
	case unnamed > 0 && len(names) > 0:
		return cty.NilType, errors.New("invalid regexp pattern: cannot mix both named and unnamed capture groups")
	case unnamed > 0:
		types := make([]cty.Type, unnamed)
		for i := range types {
			types[i] = cty.String
		}
		return cty.Tuple(types), nil
	}
	types := map[string]cty.Type{}
	for _, name := range names {
		types[name] = cty.String
	}
	return cty.Object(types), nil
}

// value makes the value of a match.
func (r *regex) value(text string, m []int, shape cty.Type) cty.Value {
	group := func(i int) cty.Value {
		if m[2*i] < 0 {
			return cty.NullVal(cty.String)
		}
		return cty.StringVal(text[m[2*i]:m[2*i+1]])
	}
	switch {
	case shape.IsTupleType():
		out := make([]cty.Value, len(m)/2-1)
		for i := range out {
			out[i] = group(i + 1)
		}
		return cty.TupleVal(out)
	case shape.IsObjectType():
		out := map[string]cty.Value{}
		for i, name := range r.first.SubexpNames()[1:] {
			out[name] = group(i + 1)
		}
		return cty.ObjectVal(out)
	}
	return group(0)
}

// matcher makes a function of a pattern and a text.
func matcher(b *Budget, list bool, impl func(r *regex, text string, shape cty.Type) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("pattern", cty.String), parameter("string", cty.String)},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			r, err := compile(args[0].AsString(), b)
			if err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			shape, err := r.shape()
			if err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			if list {
				shape = cty.List(shape)
			}
			return shape, nil
		},
		Impl: func(args []cty.Value, shape cty.Type) (cty.Value, error) {
			r, err := compile(args[0].AsString(), b)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return impl(r, args[1].AsString(), shape)
		},
	})
}

// regexFunc returns the first match.
func regexFunc(b *Budget) function.Function {
	return matcher(b, false, func(r *regex, text string, shape cty.Type) (out cty.Value, err error) {
		found := false
		err = r.each(text, func(m []int) bool {
			out, found = r.value(text, m, shape), true
			return false
		})
		if err == nil && !found {
			err = errors.New("pattern did not match any part of the given string")
		}
		return out, err
	})
}

// regexAllFunc returns all matches.
func regexAllFunc(b *Budget) function.Function {
	return matcher(b, true, func(r *regex, text string, shape cty.Type) (cty.Value, error) {
		var out []cty.Value
		paid := true
		err := r.each(text, func(m []int) bool {
			out = append(out, r.value(text, m, shape.ElementType()))
			paid = b.take(len(m) + (m[1]-m[0])/unitBytes)
			return paid
		})
		switch {
		case err != nil:
			return cty.NilVal, err
		case !paid:
			return cty.NilVal, errTooMuch
		case len(out) == 0:
			return cty.ListValEmpty(shape.ElementType()), nil
		}
		return cty.ListVal(out), nil
	})
}

// pattern reports whether replace's second argument is a regular expression: a text
// between slashes.
func pattern(v cty.Value) bool {
	if length(v) < 2 {
		return false
	}
	s := v.AsString()
	return s[0] == '/' && s[len(s)-1] == '/'
}

// replaceAll replaces the matches of a pattern, $1 and ${name} in with by its groups.
func replaceAll(text, pattern, with string, b *Budget) (string, error) {
	r, err := compile(pattern, b)
	if err != nil {
		return "", function.NewArgError(1, err)
	}
	var out []byte
	end, paid := 0, true
	err = r.each(text, func(m []int) bool {
		out = append(out, text[end:m[0]]...)
		groups := 0
		for i := 0; i < len(m); i += 2 {
			groups += max(m[i+1]-m[i], 0)
		}
		// Every $ may stand for the longest group.
		if paid = b.take(1 + bytesCost(len(with)+1, groups+1, b.left)/2); paid {
			out = r.first.ExpandString(out, with, text, m)
		}
		end = m[1]
		return paid
	})
	if err == nil && !paid {
		err = errTooMuch
	}
	return string(append(out, text[end:]...)), err
}
