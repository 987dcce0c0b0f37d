// Package notation parses the one-line notations of the language: schedules ("epoch 4"), module selectors
// ("backbone.stage[1-2].**") and version constraints (">= 0.2, < 1.0"). Each is a participle grammar, whose text the
// EBNF functions print for the language's reference. It knows no files: an [Error] has an offset, and the caller adds
// the position of the text.
package notation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// maxText is the length of the longest notation that is parsed.
const maxText = 500

// Error says what is wrong with a notation, at which offset and length (in bytes), and what to write instead.
type Error struct {
	Offset, Length int
	Message        string
	Help           string
}

// Error returns the message and the help, one sentence each.
func (e *Error) Error() string { return strings.TrimSpace(e.Message + ". " + e.Help) }

func fail(offset, length int, help, format string, a ...any) *Error {
	return &Error{Offset: offset, Length: length, Message: fmt.Sprintf(format, a...), Help: help}
}

// parse runs a grammar over text. Its error points at the first byte or token
// that does not fit.
func parse[G any](p *participle.Parser[G], text, what, help string) (*G, *Error) {
	if len(text) > maxText {
		return nil, fail(0, 0, help, "a %s has at most %d characters", what, maxText)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf || r < ' ' }); i >= 0 {
		_, n := utf8.DecodeRuneInString(text[i:])
		return nil, fail(i, n, help, "%q is not allowed in a %s", text[i:i+n], what)
	}
	if strings.TrimSpace(text) == "" {
		return nil, fail(0, 0, help, "the %s is empty", what)
	}
	tree, err := p.ParseString("", text)
	if err != nil {
		return nil, explain(err, text, what, help)
	}
	return tree, nil
}

func explain(err error, text, what, help string) *Error {
	var token *participle.UnexpectedTokenError
	if errors.As(err, &token) && !token.Unexpected.EOF() {
		got := token.Unexpected
		return fail(got.Pos.Offset, len(got.Value), help, "%q does not fit here in a %s", got.Value, what)
	}
	if token != nil {
		return fail(len(text), 0, help, "the %s ends too early", what)
	}
	var at participle.Error
	if errors.As(err, &at) && at.Position().Offset < len(text) {
		i := at.Position().Offset
		return fail(i, 1, help, "%q is not allowed in a %s", text[i:i+1], what)
	}
	return fail(0, len(text), help, "this is not a %s", what)
}

// numberTree is a decimal number of a grammar.
type numberTree struct {
	Pos  lexer.Position
	Text string `parser:"@Int"`
}

// value reads a number that fits in 31 bits; for a missing number it returns or.
func (t *numberTree) value(or int, help string) (int, *Error) {
	if t == nil {
		return or, nil
	}
	n, err := strconv.ParseInt(t.Text, 10, 32)
	if err != nil {
		return 0, fail(t.Pos.Offset, len(t.Text), help, "%s is too large", t.Text)
	}
	return int(n), nil
}

// ebnf removes the suffix of our Go types from participle's grammar text.
func ebnf(text string) string { return strings.ReplaceAll(text, "Tree", "") }
