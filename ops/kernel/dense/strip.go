package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// strip is the place in scratch of the padded input under some output rows: for
// each image the rows that its windows reach, as wide as all windows of a row.
type strip struct {
	geom  *kernel.Conv
	line  int // elements of a row
	image int // elements from the first row of an image to that of the next, or 0: each image's rows follow the last one's
}

func newStrip(p *kernel.Conv) strip {
	return strip{geom: p, line: ((p.OW-1)*p.StrideW + (p.KW-1)*p.DilationW + 1) * p.C}
}

// rows is how many rows of input are under count output rows of one image.
func (s strip) rows(count int) int {
	return (count-1)*s.geom.StrideH + (s.geom.KH-1)*s.geom.DilationH + 1
}

// size is enough for any count output rows, whatever images they lie in.
func (s strip) size(count int) int {
	images := 1
	if count > 1 {
		images = min((count-2)/s.geom.OH+2, count)
	}
	return (count*s.geom.StrideH + images*max(s.rows(1)-s.geom.StrideH, 0)) * s.line
}

// each calls do for the parts [a, b) of [r0, r1) that lie in one image, with the
// place where the windows of a begin, if those of r0 do at 0.
func (s strip) each(r0, r1 int, do func(a, b, at int)) {
	at := 0
	for a := r0; a < r1; {
		b := min(r1, (a/s.geom.OH+1)*s.geom.OH)
		do(a, b, at)
		at += s.rows(b-a) * s.line
		if s.image != 0 {
			at = (b/s.geom.OH-r0/s.geom.OH)*s.image - r0%s.geom.OH*s.geom.StrideH*s.line
		}
		a = b
	}
}

// offsets writes where the windows of the output rows [r0, r1) begin.
func (s strip) offsets(off []int32, r0, r1 int) {
	i := 0
	s.each(r0, r1, func(a, b, start int) {
		for r := range b - a {
			at := start + r*s.geom.StrideH*s.line
			for range s.geom.OW {
				off[i] = int32(at)
				i++
				at += s.geom.StrideW * s.geom.C
			}
		}
	})
}

// fillStrip copies what is under the output rows [r0, r1) into the strip dst. get
// returns row n·H+h of the input, which it may write to the room given.
func fillStrip[T any](s strip, dst []T, r0, r1 int, pad T, get func(row int) []T) {
	s.each(r0, r1, func(a, b, at int) {
		top := a%s.geom.OH*s.geom.StrideH - s.geom.PadTop
		for i := range s.rows(b - a) {
			to := dst[at+i*s.line:][:s.line]
			if h := top + i; h >= 0 && h < s.geom.H {
				window.PadRow(to, get(a/s.geom.OH*s.geom.H+h), -s.geom.PadLeft*s.geom.C, pad)
			} else {
				window.PadRow(to, nil, 0, pad)
			}
		}
	})
}
