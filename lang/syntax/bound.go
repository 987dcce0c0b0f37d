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

// maxTokens is the number of words and signs of all texts of a pipeline: parsing one costs
// a microsecond and more than a hundred bytes.
const maxTokens = 1 << 18

// room is the remaining allowance for the texts of one pipeline.
type room struct{ bytes, tokens int }

func allRoom() room { return room{MaxBytes, maxTokens} }

// bound checks a text before it is parsed: its size, its nesting, the length of its operator chains. It only reads
// tokens, which needs no recursion.
func (r *room) bound(name string, src []byte, lex lexer) diag.List {
	if r.bytes -= len(src); r.bytes < 0 {
		return tooLarge(name, fmt.Sprintf("%d MiB", MaxBytes>>20))
	}
	most := mostTokens(src)
	if most <= r.tokens && plain(src) {
		r.tokens -= most
		return nil
	}
	if most > r.tokens {
		// Lexing takes time too: first check whether a part is already too much.
		if part := prefix(src, r.tokens*7/4); len(part) < len(src) {
			if tokens, _ := lex(part, name, hcl.InitialPos); len(tokens) > r.tokens {
				return tooLarge(name, fmt.Sprintf("%d words and signs", maxTokens))
			}
		}
	}
	tokens, _ := lex(src, name, hcl.InitialPos)
	if r.tokens -= len(tokens); r.tokens < 0 {
		return tooLarge(name, fmt.Sprintf("%d words and signs", maxTokens))
	}
	return boundTokens(tokens)
}

// lexer is hclsyntax.LexConfig, LexExpression or LexTemplate.
type lexer func(src []byte, name string, start hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)

func tooLarge(name, most string) diag.List {
	return diag.List{{
		Code: diag.FileTooLarge, Summary: fmt.Sprintf("%s is too large: all texts of a pipeline have at most %s", name, most),
		Detail: "A pipeline is a text that people write. Is this the right file? Long lists and texts can be in a file of their own: file(), jsondecode() and csvdecode() read them.",
	}}
}

// mostTokens is an upper bound of a text's number of tokens: every word and every other character counts as one, and a
// word that begins with a digit, where a number may end, as two.
func mostTokens(src []byte) int {
	n, _ := countTokens(src, len(src))
	return n
}

// prefix returns the longest beginning of a text for which mostTokens is at most most.
func prefix(src []byte, most int) []byte {
	_, end := countTokens(src, most)
	return src[:end]
}

func countTokens(src []byte, most int) (n, end int) {
	n = 3 // what ends a text
	inWord := false
	for i, b := range src {
		word := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
		if word && !inWord || !word && b != ' ' && b != '\t' {
			n++
		}
		if word && !inWord && b <= '9' {
			n++
		}
		if n > most {
			return n, i
		}
		inWord = word
	}
	return n, len(src)
}

// plain reports, by counting bytes, that a text is too small to break a bound, so that its tokens need not be read.
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
			// A closing bracket may be an index, which is a link of a chain; a template's parts are not nested.
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

// hugeNumber reports whether a literal is too long, or its exponent too large, to be read.
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
