package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// int8View is the layout of a convolution's windows for Gemm8: a window is taps runs of values, one run per row of the
// window (a single run for a patch). The runs of a strip of output rows are read in the activations themselves if
// nothing is missing there and a run is a whole number of steps long, and otherwise in scratch.
type int8View struct {
	kernel.Conv      // in simple form
	block       int  // channels of a panel
	unit        int  // bytes of a value
	og, cg      int  // channels of a group
	taps        int  // runs of a window
	run         int  // values of a run
	quads       int  // steps of a run
	flat        bool // 1×1: pixels are contiguous, whatever the rows
	direct      bool // x is read where it is
	patch       bool // windows are copied whole
	sums        bool // panels have the sums of each tap's weights behind them
	skipH       bool // rows of taps beyond the edges are left out, not read as padding
	skipW       bool // columns too
	width       int  // values of a strip's row are width·cg
	rowStep     int  // rows of the strip from one output row to the next
	span        int  // rows of the strip that one output row needs
	strip       int  // output rows of a strip: a part of an image, or whole images
	pixels      int  // the most pixels of a strip
}

// view describes p. What Pack needs of it does not depend on the number of images.
func (k *Int8) view(p *kernel.Conv) int8View {
	v := int8View{Conv: window.Simple(p), unit: k.bytes(), block: k.Block}
	v.og, v.cg = v.OutC/v.Groups, v.C/v.Groups
	full := window.Inside(&v.Conv) && v.PadTop == 0 && v.PadLeft == 0
	v.patch = v.KW > 1 && v.DilationW > 1
	v.taps, v.run = v.KH, v.KW*v.cg
	if v.patch {
		v.taps, v.run = 1, v.KH*v.KW*v.cg
	}
	v.quads = (v.run*v.unit + 3) / 4
	v.flat = v.Groups == 1 && v.KH*v.KW == 1 && v.StrideH == 1 && v.StrideW == 1 && full && v.OH == v.H && v.OW == v.W
	v.direct = v.Groups == 1 && full && !v.patch && v.unit == 1 && v.run%4 == 0
	v.sums = v.Groups == 1 && !full && !v.patch && v.cg*v.unit%4 == 0 && v.cg >= 16 // otherwise the sums cost too much
	v.layout()
	if v.sums {
		v.skipH, v.skipW = v.skips()
		v.direct = v.skipW && v.unit == 1
	}
	return v
}

// layout chooses the size of a strip: it stays in the second level of cache while the panels of weights are read. A
// tile needs only a few lines of it at a time, and large strips repeat few rows. If windows do not overlap, a smaller
// strip is enough unless the weights themselves do not fit there.
func (v *int8View) layout() {
	v.width = (v.OW-1)*v.StrideW + v.KW
	v.rowStep, v.span = v.StrideH, (v.KH-1)*v.DilationH+1
	if v.KH == 1 {
		v.rowStep = 1
	}
	budget := 128 << 10
	if v.flat {
		if v.OutC*v.quads*4 < 512<<10 {
			budget = 24 << 10
		}
		v.pixels = max(min(budget/(v.C*v.unit), 1024, v.N*v.OH*v.OW)&^7, 8)
		return
	}
	per := max(v.rowStep*v.width*v.cg*v.unit, 1)
	if v.patch {
		per = max(v.OW*v.quads*4, 1)
	}
	rows := max(min(budget/per, 2048/max(v.OW, 1), 2*budget/max(v.OW*v.OutC, 1)), 1)
	if rows >= v.OH {
		v.strip = min(rows/v.OH, v.N) * v.OH
	} else {
		strips := (v.OH + rows - 1) / rows
		v.strip = (v.OH + strips - 1) / strips
	}
	v.strip = max(v.strip, 1)
	v.pixels = v.strip * v.OW
}

// int8Parts is the most parts that the pixels of a strip are sorted into.
const int8Parts = 32

// skips chooses which taps beyond the edges are left out. The pixels of a strip are
// sorted into parts that have the same taps in the image; small parts cost more than
// their pixels.
func (v *int8View) skips() (h, w bool) {
	var rows, cols int8Runs
	if !rows.find(v.OH, v.StrideH, v.PadTop, v.DilationH, v.KH, v.H) || !cols.find(v.OW, v.StrideW, v.PadLeft, 1, v.KW, v.W) || rows.count*cols.count > int8Parts {
		return false, false
	}
	allRows, allCols := int8Runs{count: 1}, int8Runs{count: 1}
	allRows.run[0], allCols.run[0] = int8Run{v.OH, v.KH}, int8Run{v.OW, v.KW}
	none, some, most := v.cost(&allRows, &allCols), v.cost(&rows, &allCols), v.cost(&rows, &cols)
	return min(some, most) < none, most < min(some, none)
}

// int8Run is a number of neighbouring rows or columns of pixels that have as many taps in the image.
type int8Run struct{ count, taps int }

type int8Runs struct {
	run   [int8Parts]int8Run
	count int
}

// find finds the runs; it reports false if there are too many.
func (r *int8Runs) find(out, stride, pad, dilation, k, limit int) bool {
	for i := 0; i < out; {
		k0, k1, end := alike(i, out, stride, pad, dilation, k, limit)
		if r.count == len(r.run) {
			return false
		}
		r.run[r.count] = int8Run{end - i, k1 - k0}
		r.count++
		i = end
	}
	return true
}

// cost estimates the time of one panel for an image, or a strip of several: in steps of a pixel in a full tile, about 3
// to a nanosecond. Each part has a call and its tiles an epilogue; if the panel does not stay in the first level of
// cache, a step takes at least as long as reading its weights from the second.
func (v *int8View) cost(rows, cols *int8Runs) (sum int) {
	least := 16 // tenths of a pixel's step
	if v.panelSize(v.block) > 24<<10 {
		least = 32
	}
	images := max(v.strip/v.OH, 1)
	for _, h := range rows.run[:rows.count] {
		strips := (h.count + v.strip - 1) / v.strip
		for _, w := range cols.run[:cols.count] {
			pixels := (images*h.count*w.count + strips - 1) / strips
			steps := h.taps * w.taps * v.quads / v.KW
			full, rest := pixels/8, pixels%8
			part := 120 + full*(8*steps+40)
			if rest > 0 {
				part += max(least+4*rest, 10*rest)*steps/10 + 25
			}
			sum += strips * part
		}
	}
	return sum
}

// stripEnd is where the strip that holds the output row r ends.
func (v *int8View) stripEnd(r int) int {
	if v.strip >= v.OH {
		return r/v.OH*v.OH + v.strip
	}
	return min(r+v.strip, (r/v.OH+1)*v.OH)
}

// panelSize is the size of a panel of width channels.
func (v *int8View) panelSize(width int) int { return v.taps * v.quads * width * 4 }

// fullSize is that of a panel with the sums of its taps behind it.
func (v *int8View) fullSize(width int) int {
	size := v.panelSize(width)
	if v.sums {
		size += v.KH * v.KW * width * 4
	}
	return size
}

// groupSize is the size of a group's panels.
func (v *int8View) groupSize() int {
	full, rest := v.og/v.block, v.og%v.block
	size := full * v.fullSize(v.block)
	if rest > v.block/2 {
		size += v.fullSize(v.block)
	} else if rest > 0 {
		size += v.fullSize(v.block / 2)
	}
	return size
}

// stripSize is the scratch of a strip in bytes, with room behind it for the last step of the last run. It is also
// enough for fewer images, for which taps may not be skipped.
func (v *int8View) stripSize() int {
	switch {
	case v.direct && !v.sums:
		return 0
	case v.flat:
		return v.pixels*v.C*v.unit + 4
	case v.patch:
		return v.pixels*v.quads*4 + 4
	}
	images := max(v.strip/max(v.OH, 1), 1)
	return v.stripRows(v.strip/images)*images*v.width*v.cg*v.unit + 4
}

// stripRows is how many rows of the strip n output rows of an image need.
func (v *int8View) stripRows(n int) int { return (n-1)*v.rowStep + v.span }

// pitch is the distance of two rows in what Gemm8 reads, in bytes.
func (v *int8View) pitch() int {
	if v.direct {
		return v.W * v.C
	}
	return v.width * v.cg * v.unit
}
