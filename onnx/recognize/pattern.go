package recognize

import (
	"strconv"
	"strings"
)

// The kinds of patterns.
const (
	isOp       = iota // Op(argument, …; attribute=value, …): a node; Add, Mul, Max and Min in either order
	isValue           // x: a value that depends on an input; the same wherever the name is
	isConstant        // @w: a constant
	isNumber          // 3: a constant with that number, or nearly
	isAny             // $a: a constant with one number
)

// pattern is a group of nodes, or a part of one. An attribute is a number, a variable such as $e, or a text.
type pattern struct {
	kind       int
	domain, op string
	args       []*pattern
	attrs      map[string]any
	name       string
	number     float64
}

// parse reads a pattern.
func parse(text string) *pattern {
	p := &parser{text: text}
	out := p.pattern()
	if p.text != "" {
		panic("recognize: a pattern ends with " + p.text)
	}
	return out
}

type parser struct{ text string }

// word takes everything before one of the characters that end a word.
func (p *parser) word() string {
	p.text = strings.TrimLeft(p.text, " ")
	n := strings.IndexAny(p.text, "(),;= ")
	if n < 0 {
		n = len(p.text)
	}
	w := p.text[:n]
	p.text = strings.TrimLeft(p.text[n:], " ")
	return w
}

// take removes a character that is next, and reports whether it is.
func (p *parser) take(c string) bool {
	rest, ok := strings.CutPrefix(p.text, c)
	if ok {
		p.text = strings.TrimLeft(rest, " ")
	}
	return ok
}

func (p *parser) pattern() *pattern {
	w := p.word()
	switch {
	case p.take("("):
		return p.op(w)
	case w[0] == '@':
		return &pattern{kind: isConstant, name: w}
	case w[0] == '$':
		return &pattern{kind: isAny, name: w}
	}
	if x, err := strconv.ParseFloat(w, 64); err == nil {
		return &pattern{kind: isNumber, number: x}
	}
	return &pattern{kind: isValue, name: w}
}

// op reads the rest of a node.
func (p *parser) op(name string) *pattern {
	out := &pattern{op: name, attrs: map[string]any{}}
	if domain, op, ok := strings.Cut(name, "."); ok {
		out.domain, out.op = domain, op
	}
	for !p.take(")") {
		out.args = append(out.args, p.pattern())
		p.take(",")
		for p.take(";") || len(out.attrs) > 0 && !strings.HasPrefix(p.text, ")") {
			attr := p.word()
			p.take("=")
			value := p.word()
			p.take(",")
			out.attrs[attr] = value
			if x, err := strconv.ParseFloat(value, 64); err == nil {
				out.attrs[attr] = x
			}
		}
	}
	return out
}
