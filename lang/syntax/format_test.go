package syntax

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// scribe writes random pipelines with every kind of token, in untidy form.
type scribe struct {
	*rand.Rand
	b    strings.Builder
	name int
}

func (s *scribe) pick(choices ...string) string { return choices[s.IntN(len(choices))] }

func (s *scribe) gap() string { return s.pick("", " ", "  ", "\t", " /* here */ ") }

func (s *scribe) ident() string {
	s.name++
	return fmt.Sprintf("%s%d", s.pick("a", "größe", "lr-x", "k_"), s.name)
}

// body writes attributes, blocks and comments.
func (s *scribe) body(depth int) {
	for range 1 + s.IntN(4) {
		s.b.WriteString(s.pick("", "", "\n", "      # a comment {\n", "// another }\n", "/* one [\n of two lines */\n"))
		s.b.WriteString(s.pick("", "  ", "\t", "        "))
		if depth < 3 && s.IntN(3) == 0 {
			fmt.Fprintf(&s.b, "%s%s \"l\" {", s.ident(), s.pick("", " \"t\""))
			s.b.WriteString(s.pick("\n", " # open\n"))
			s.body(depth + 1)
			s.b.WriteString(s.pick("", "    ") + "}\n")
			continue
		}
		fmt.Fprintf(&s.b, "%s%s=%s", s.ident(), s.gap(), s.gap())
		text := s.expr(0, true)
		s.b.WriteString(text)
		if !strings.HasSuffix(text, heredocEnd) {
			s.b.WriteString(s.pick("", "", " # behind", " // {"))
		}
		s.b.WriteByte('\n')
	}
}

const heredocEnd = "\u2003" // marks where only a new line can follow

// expr is an expression; one that may end in a heredoc says so with heredocEnd.
func (s *scribe) expr(depth int, heredoc bool) string {
	if depth > 2 {
		return s.pick("1", "x.y[0]", `"text"`, "-2.5e3", "null")
	}
	in := func() string { return s.expr(depth+1, false) }
	switch s.IntN(13) {
	case 0, 1, 2:
		if heredoc {
			return s.heredoc(depth) + heredocEnd
		}
		return "(" + s.heredoc(depth) + "\n)"
	case 3:
		return "[" + in() + "," + s.gap() + in() + "]"
	case 4:
		return "[\n" + in() + ",\n   " + in() + s.pick("", ",") + "\n]"
	case 5:
		return "{\n" + s.ident() + "=" + s.item(depth) + "\n  (" + in() + ")  :" + in() + "\n}"
	case 6:
		return "{" + s.ident() + "=" + in() + "," + s.ident() + " : " + in() + "}"
	case 7:
		return s.pick("f", "ns::g") + "(" + in() + s.pick(",", ", \n") + in() + s.pick("", "...") + ")"
	case 8:
		return "(" + in() + s.pick("?", " ? ", "\n?") + in() + ":" + in() + ")"
	case 9:
		return "[for k,v in " + in() + ":" + in() + s.pick("", " if k != 1") + "]"
	case 10:
		return "{for k in " + in() + ": k=>" + in() + s.pick("", "...") + "}"
	case 11:
		return `"a ${` + in() + `} %{if ` + in() + `}{b}%{else}[%{endif} \" $${no} ü"`
	default:
		return s.pick("!x", "a.b.*.c", "a[*].b", "(1+2)*3", "a<=b&&c||!d", "-x", "a%b")
	}
}

// item is the value of an object's attribute, behind which a new line follows.
func (s *scribe) item(depth int) string {
	return strings.TrimSuffix(s.expr(depth+1, true), heredocEnd)
}

// heredoc is one with brackets, quotes and comments in its text, and interpolations
// that go over several lines.
func (s *scribe) heredoc(depth int) string {
	var b strings.Builder
	flush := s.pick("", "-")
	b.WriteString("<<" + flush + "EOT\n")
	for range s.IntN(5) {
		b.WriteString(s.pick(
			"", "text", "    indented {", "} ]) \"", "# no comment", "  // nor this /*", "\tü ${x}", "$${x} %%{y}",
			"a ${f(1,\n2)} b", "%{ if x }\nyes\n%{ else }\n  no\n%{ endif }", "%{ for k in [1,\n 2] ~}", "${[\n{a=1}\n]}",
		))
		if strings.HasSuffix(b.String(), "~}") {
			b.WriteString("\n${k}\n%{ endfor }")
		}
		b.WriteString("\n")
	}
	if depth == 0 && s.IntN(4) == 0 {
		b.WriteString("${<<IN\nin {\nIN\n}\n")
	}
	return b.String() + s.pick("", "      ") + "EOT"
}

// TestFormatKeeps: whatever the text, formatting keeps every token (so the tree and the
// values too), what is formatted is not changed again, and every attribute, block and
// closing brace stands at its depth, also behind heredocs.
func TestFormatKeeps(t *testing.T) {
	heredocs, skipped, texts := 0, 0, 300
	if os.Getenv("QPIPE_LONG") != "" {
		texts = 3000
	}
	for seed := range uint64(texts) {
		s := &scribe{Rand: rand.New(rand.NewPCG(seed, 5))}
		s.body(0)
		text := strings.ReplaceAll(s.b.String(), heredocEnd, "")
		switch s.IntN(6) {
		case 0:
			text = strings.ReplaceAll(text, "\n", "\r\n")
		case 1:
			text = strings.TrimSuffix(text, "\n")
		case 2:
			text = "\ufeff" + text
		}
		src := []byte(text)
		if _, diags := hclsyntax.ParseConfig(src, "x.hcl", hcl.InitialPos); diags.HasErrors() {
			skipped++
			continue // a heredoc at the end of a file, say
		}
		out, list := Format(src, "x.hcl")
		if list.HasErrors() {
			t.Fatalf("seed %d: %s\n%s", seed, list[0].Summary, src)
		}
		if want, got := spelling(src), spelling(out); want != got {
			t.Fatalf("seed %d: the tokens are others\n%s\n---\n%s", seed, src, out)
		}
		if again, _ := Format(out, "x.hcl"); !bytes.Equal(again, out) {
			t.Fatalf("seed %d: formatting again changes it\n%s\n---\n%s", seed, out, again)
		}
		file, _ := hclsyntax.ParseConfig(out, "x.hcl", hcl.InitialPos)
		if wrong := misplaced(file.Body.(*hclsyntax.Body), out, 0); wrong != "" {
			t.Fatalf("seed %d: %s\n%s\n---\n%s", seed, wrong, src, out)
		}
		heredocs += bytes.Count(src, []byte("<<"))
	}
	if heredocs < texts/2 || skipped > texts/10 {
		t.Errorf("%d heredocs were tried, %d texts were none", heredocs, skipped)
	}
}

// spelling is the text's tokens, without the space between them.
func spelling(src []byte) string {
	tokens, _ := hclsyntax.LexConfig(bytes.TrimPrefix(src, []byte("\ufeff")), "x.hcl", hcl.InitialPos)
	var b strings.Builder
	for _, t := range tokens {
		fmt.Fprintf(&b, "%d %q\n", t.Type, t.Bytes)
	}
	return b.String()
}

// misplaced names what does not stand at its depth, though it is the first of its line.
func misplaced(body *hclsyntax.Body, src []byte, depth int) string {
	at := func(what string, p hcl.Pos, depth int) string {
		line := src[bytes.LastIndexByte(src[:p.Byte], '\n')+1 : p.Byte]
		if lead := bytes.TrimPrefix(line, []byte("\ufeff")); len(bytes.TrimSpace(lead)) > 0 || len(lead) == 2*depth {
			return ""
		}
		return fmt.Sprintf("%s in line %d stands at column %d, its depth is %d", what, p.Line, p.Column, depth)
	}
	for _, a := range body.Attributes {
		if wrong := at(a.Name, a.NameRange.Start, depth); wrong != "" {
			return wrong
		}
	}
	for _, b := range body.Blocks {
		for _, wrong := range []string{at(b.Type, b.TypeRange.Start, depth), at("}", b.CloseBraceRange.Start, depth), misplaced(b.Body, src, depth+1)} {
			if wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

// TestEncodings: a text that is not UTF-8 with LF or CR LF line ends is one mistake, which
// names what it is.
func TestEncodings(t *testing.T) {
	text := "# größe\nlocals {\n  a = \"x\"\n}\n"
	wide := func(size int, big bool, mark string) string {
		out := []byte(mark)
		for _, r := range text {
			unit := make([]byte, size)
			for i := range unit {
				shift := i
				if big {
					shift = size - 1 - i
				}
				unit[i] = byte(r >> (8 * shift))
			}
			out = append(out, unit...)
		}
		return string(out)
	}
	for name, c := range map[string]struct{ src, says string }{
		"utf-8":              {text, ""},
		"bom":                {"\ufeff" + text, ""},
		"crlf":               {strings.ReplaceAll(text, "\n", "\r\n"), ""},
		"utf-16le, mark":     {wide(2, false, "\xff\xfe"), "UTF-16"},
		"utf-16be, mark":     {wide(2, true, "\xfe\xff"), "UTF-16"},
		"utf-16le":           {wide(2, false, ""), "UTF-16"},
		"utf-16be":           {wide(2, true, ""), "UTF-16"},
		"utf-32le, mark":     {wide(4, false, "\xff\xfe\x00\x00"), "UTF-32"},
		"utf-32be, mark":     {wide(4, true, "\x00\x00\xfe\xff"), "UTF-32"},
		"utf-32le":           {wide(4, false, ""), "UTF-32"},
		"utf-32be":           {wide(4, true, ""), "UTF-32"},
		"latin-1":            {strings.ReplaceAll(text, "ö", "\xf6"), "0xf6 is not UTF-8"},
		"cut in a character": {text + "# \xc3", "0xc3 is not UTF-8"},
		"cr":                 {strings.ReplaceAll(text, "\n", "\r"), "end in CR alone"},
		"mixed":              {strings.Replace(text, "\n", "\r", 1), "a line ends in CR alone"},
		"cr cr lf":           {strings.ReplaceAll(text, "\n", "\r\r\n"), "a line ends in CR alone"},
		"binary":             {text + "\x00\x01", "is not a text"},
	} {
		_, list := ParseSource("x.hcl", []byte(c.src))
		_, values := (&Files{sources: map[string][]byte{}}).AddValues("x.qvars", []byte(c.src))
		formatted, fmts := Format([]byte(c.src), "x.hcl")
		if c.says == "" {
			if list.HasErrors() || fmts.HasErrors() || formatted == nil {
				t.Errorf("%s: %v %v", name, list, fmts)
			}
			continue
		}
		if len(list) != 1 || len(values) != 1 || len(fmts) != 1 || !strings.Contains(list[0].Summary, c.says) {
			t.Errorf("%s: %d, %d and %d mistakes: %v", name, len(list), len(values), len(fmts), list)
		}
	}
}
