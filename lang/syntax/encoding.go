package syntax

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"qpipe/lang/diag"
)

// encoding refuses a text that is not UTF-8, or whose lines end in CR alone, with one diagnostic: hcl would complain
// about every character, or take the whole file as its first line's comment.
func encoding(name string, src []byte) diag.List {
	if wide := wideEncoding(src); wide != "" {
		return diag.List{{
			Code: diag.BadCharacter, Summary: fmt.Sprintf("%s is %s; save it as UTF-8", name, wide),
			Detail: "A pipeline is UTF-8 text. In an editor: Save with Encoding, UTF-8. In a shell: iconv -f " + wide + " -t UTF-8.",
		}}
	}
	if at := bytes.IndexByte(src, 0); at >= 0 {
		return diag.List{{
			Code: diag.BadCharacter, Summary: fmt.Sprintf("%s is not a text: its byte %d is 0", name, at),
			Detail: "A pipeline is UTF-8 text. Is this the right file?",
		}}
	}
	if at := invalidUTF8(src); at >= 0 {
		return diag.List{{
			Code: diag.BadCharacter, Subject: byteAt(name, src, at),
			Summary: fmt.Sprintf("the byte 0x%02x is not UTF-8; save the file as UTF-8", src[at]),
			Detail:  "The file is probably in an older encoding, such as Latin-1 or Windows-1252.",
		}}
	}
	if at := loneCR(src); at >= 0 {
		d := &diag.Diagnostic{
			Code: diag.BadCharacter, Subject: byteAt(name, src, at),
			Summary: "a line ends in CR alone; save the file with LF (or CR LF) line ends",
			Detail:  "In HCL, CR alone does not end a line: a comment would continue in the next one.",
		}
		if !bytes.Contains(src, []byte("\n")) { // the snippet would be the whole text
			d.Subject, d.Summary = diag.Range{}, fmt.Sprintf("the lines of %s end in CR alone; save it with LF (or CR LF) line ends", name)
		}
		return diag.List{d}
	}
	return nil
}

// wideEncoding names an encoding with two or four bytes per character, recognized by its byte order mark, or by the
// zeros between the characters of a plain text.
func wideEncoding(src []byte) string {
	for _, m := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(src, []byte(m.mark)) {
			return m.name
		}
	}
	head := src[:min(len(src), 512)]
	var zeros [4]int
	for i, b := range head {
		if b == 0 {
			zeros[i%4]++
		}
	}
	quarter := len(head) / 4
	most := func(n int) bool { return quarter > 0 && n*10 >= quarter*9 }
	switch even, odd := most(zeros[0]) && most(zeros[2]), most(zeros[1]) && most(zeros[3]); {
	case even && most(zeros[1]), odd && most(zeros[2]):
		return "UTF-32"
	case even, odd:
		return "UTF-16"
	}
	return ""
}

// invalidUTF8 is the place of the first byte that is not UTF-8; -1 if there is none.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// loneCR is the place of the first CR that no LF follows; -1 if there is none.
func loneCR(src []byte) int {
	for i := 0; ; i++ {
		k := bytes.IndexByte(src[i:], '\r')
		if k < 0 {
			return -1
		}
		if i += k; i+1 == len(src) || src[i+1] != '\n' {
			return i
		}
	}
}

// byteAt is the range of one byte.
func byteAt(name string, src []byte, at int) diag.Range {
	line := 1 + bytes.Count(src[:at], []byte("\n"))
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	p := diag.Pos{Line: line, Column: 1 + utf8.RuneCount(src[start:at]), Byte: at}
	return diag.Range{File: name, Start: p, End: diag.Pos{Line: p.Line, Column: p.Column + 1, Byte: at + 1}}
}
