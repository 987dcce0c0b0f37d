package syntax

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/diag"
)

// Bounds of an expression's shape. hcl's parser and evaluator recurse; these
// keep their stacks far from Go's limit.
const (
	maxDepth = 100  // brackets within brackets
	maxChain = 1000 // operators, indexes and directives in a row
	maxPower = 400  // a number's power of ten, and its digits
	maxLines = 5000 // of one template: hcl takes time quadratic in them
)

// bound checks a text before it is parsed: its size, its nesting, the length of
// its operator chains. It only looks at tokens, which needs no recursion.
func bound(name string, src []byte) diag.List {
	if len(src) > MaxBytes {
		return diag.List{unreadable(name, errTooLarge)}
	}
	if plain(src) {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return boundTokens(tokens)
}

// plain reports, by counting bytes, that a text is too small to break a bound, so
// that its tokens need not be looked at.
func plain(src []byte) bool {
	brackets, operators, digits := 0, 0, 0
	if bytes.Count(src, []byte{'\n'}) >= maxLines {
		return false
	}
	for _, b := range src {
		switch b {
		case '{', '[', '(':
			brackets++
		case '*', '/', '+', '-', '%', '=', '<', '>', '&', '|', '!', '?', ':', '.', ']':
			operators++
		}
		if b < '0' || b > '9' {
			digits = 0
		} else if digits++; digits > 2 {
			return false // perhaps an exponent
		}
	}
	return brackets < maxDepth/2 && operators < maxChain
}

func boundTokens(tokens hclsyntax.Tokens) diag.List {
	texts := 0
	chains := []int{0} // operators since the last separator, per open bracket
	lines := []bool{true}
	for _, t := range tokens {
		top := len(chains) - 1
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			if len(chains) > maxDepth {
				return tooDeep(t.Range, fmt.Sprintf("more than %d brackets are open", maxDepth),
					"Name the inner parts in a locals block.")
			}
			chains, lines = append(chains, 0), append(lines, t.Type == hclsyntax.TokenOBrace)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if top > 0 {
				chains, lines = chains[:top], lines[:top]
				top--
			}
			// A closing bracket may be an index, which is a link of a chain; a
			// template's parts lie flat.
			if t.Type == hclsyntax.TokenCBrack {
				chains[top]++
			}
		case hclsyntax.TokenTemplateControl:
			// Closed by TemplateSeqEnd; directives nest although the brackets do not.
			chains[top]++
			chains, lines = append(chains, 0), append(lines, false)
		case hclsyntax.TokenStringLit:
			if texts++; texts > maxLines {
				return tooDeep(t.Range, fmt.Sprintf("more than %d lines of text in the file's strings", maxLines),
					"Keep long texts in a file of their own, and read it with file().")
			}
		case hclsyntax.TokenComma:
			chains[top] = 0
		case hclsyntax.TokenNumberLit:
			if hugeNumber(string(t.Bytes)) {
				return diag.List{{
					Code: diag.BadValue, Summary: "this number is out of all proportion", Subject: Range(t.Range),
					Detail: "Numbers are float64 in the end: up to 308 digits.",
				}}
			}
		case hclsyntax.TokenNewline:
			if lines[top] {
				chains[top] = 0
			}
		default:
			if links(t.Type) {
				chains[top]++
			}
		}
		if top = len(chains) - 1; chains[top] > maxChain || top > 0 && chains[top-1] > maxChain {
			return tooDeep(t.Range, fmt.Sprintf("more than %d operators in one expression", maxChain),
				"Split it with a locals block.")
		}
	}
	return nil
}

// hugeNumber reports whether a literal is too long, or its exponent too large,
// to be worth reading.
func hugeNumber(literal string) bool {
	if len(literal) > maxPower {
		return true
	}
	_, exponent, ok := strings.Cut(strings.ToLower(literal), "e")
	if !ok {
		return false
	}
	n, err := strconv.Atoi(exponent)
	return err != nil || n > maxPower || n < -maxPower
}

// links reports whether a token makes the syntax tree one level deeper.
func links(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr,
		hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenColon, hclsyntax.TokenDot:
		return true
	}
	return false
}

func tooDeep(r hcl.Range, summary, detail string) diag.List {
	return diag.List{{Code: diag.TooDeep, Summary: summary, Detail: detail, Subject: Range(r)}}
}
