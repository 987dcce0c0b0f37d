package depthwise

import "qpipe/ops/kernel"

// Nine is the gradient to the 3x3 taps of a block of channels, in nine sums, over some rows:
//
//	a[i, j, c] (+)= Σ x[h·step-top+i, w·step-pad+j, c] · dy[h,w,c]
//
// The rows are those of x at a step of one and of dy at a step of two; pos is where the first one meets the other's
// rows, of which there are limit, and end the pos behind the last. The kernels define how the columns are counted.
// Steps and offsets are in bytes; xAhead and yAhead are the offsets of what is needed next, xStep and yStep its size
// per column.
type Nine[T float32 | uint8] func(x *T, dy, a *float32, blocks, xOff, yOff, pos, end, limit, left, whole, rest, right, xPix, xRow, yPix, yRow, xAhead, yAhead, xStep, yStep, zero, add int)

const (
	nineTerms = 384     // products that a partial sum takes up before it is added to the whole, unless a row has more
	nineNear  = 1 << 17 // elements of x and dy that all channels of a group of rows have, unless a row has more
)

// nineFits reports whether a Nine computes the gradient.
func nineFits(p *kernel.Conv) bool {
	if p.KH != 3 || p.KW != 3 || p.DilationH != 1 || p.DilationW != 1 || p.StrideH != p.StrideW || p.W < 2 || p.OW < 2 {
		return false
	}
	if p.StrideW == 1 {
		return p.PadLeft >= 0 && p.PadLeft <= 2
	}
	return p.StrideW == 2 && p.PadLeft >= 0 && p.PadLeft <= 1 && nineBeyond(p) <= 1
}

// nineBeyond is how many columns beyond the edge the last output meets at a step of two.
func nineBeyond(p *kernel.Conv) int { return 2*(p.OW-1) - p.PadLeft + 3 - p.W }

// nineRows is the number of rows of an image that a sum goes over, and of groups of nearly that many rows.
func nineRows(p *kernel.Conv) (all, group int) {
	all, row := p.H, 2*p.W
	if p.StrideH == 2 {
		all, row = p.OH, 2*p.W+p.OW
	}
	group = max(1, min(nineTerms/p.OW, nineNear/(row*p.C), all))
	groups := (all + group - 1) / group
	return all, (all + groups - 1) / groups
}

// nineRoom is the room for sums, and for a group's x and dy with fewer channels than a vector has.
func (d *Kernels) nineRoom(p *kernel.Conv) kernel.Room {
	_, group := nineRows(p)
	x, y := group*p.W, (group+2)*p.OW
	if p.StrideH == 2 {
		x, y = (2*group+1)*p.W, group*p.OW
	}
	return kernel.Room{F32: d.size(p, p.C) + (x+y)*d.Lanes}
}

// nine is a call of BackwardWeights with 3x3 taps.
type nine struct {
	*Kernels
	geom                      *kernel.Conv
	x                         kernel.Operand
	dy, sums, room            []float32
	o0, o1                    int
	left, whole, rest, right  int
	limit                     int
	add                       int // 0 until there is a sum
	xElem, xOff, yOff         int // of the group, in elements
	xAhead, yAhead, pos, rows int
	xStep, yStep              int // vectors
}

// nine is BackwardWeights with 3x3 taps. Sums of some hundred products are formed and then added up.
func (d *Kernels) nine(p *kernel.Conv, x kernel.Operand, dy, dw []float32, s *kernel.Scratch, n0, n1, o0, o1 int) {
	size := d.size(p, o1-o0)
	g := nine{Kernels: d, geom: p, x: x, dy: dy, sums: s.F32[:size], room: s.F32[size:], o0: o0, o1: o1, xElem: 4}
	if x.F == nil {
		g.xElem = 1
	}
	g.columns()
	all, group := nineRows(p)
	for n := n0; n < n1; n++ {
		for r := 0; r < all; r += group {
			g.pos, g.rows = r*p.StrideH+p.PadTop, min(group, all-r)
			if p.StrideH == 2 {
				g.pos -= 2 * p.PadTop
			}
			g.xOff, g.yOff = g.at(n, r)
			x, y := g.xOff, g.yOff
			if r+group < all {
				x, y = g.at(n, r+group)
			} else if n+1 < n1 {
				x, y = g.at(n+1, 0)
			}
			g.xAhead, g.yAhead, g.xStep, g.yStep = x-g.xOff, y-g.yOff, p.StrideH*p.StrideW, 1
			if g.xAhead == 0 {
				g.xStep, g.yStep = 0, 0
			}
			g.group(n, r)
			g.add = 1
		}
	}
	blocks := (o1 - o0) / d.Lanes
	if blocks > 0 {
		d.NineAdd(&g.sums[0], &dw[9*o0], blocks)
	}
	if at := blocks * d.Lanes; o0+at < o1 {
		addNine(dw[9*(o0+at):], g.sums[9*at:], d.Lanes, o1-o0-at)
	}
}

// columns counts the columns as the kernel needs them.
func (g *nine) columns() {
	p := g.geom
	if p.StrideW == 1 {
		beyond := p.OW + 2 - p.PadLeft // the column behind the last that is reached
		inner := min(p.W, beyond) - 2
		g.left, g.whole, g.rest, g.right = p.PadLeft, inner/3, inner%3, min(max(beyond-p.W, 0), 2)
		g.limit = p.OH
		return
	}
	g.left, g.right = 1-p.PadLeft, max(nineBeyond(p), 0)
	g.whole = p.OW - 1 - g.right
	g.limit = p.H
}

// at returns where x and dy begin for the row r of image n.
func (g *nine) at(n, r int) (x, y int) {
	p := g.geom
	xRow, yRow := r, r+p.PadTop
	if p.StrideH == 2 {
		xRow, yRow = 2*r-p.PadTop, r
	}
	return (n*p.H+xRow)*p.W*p.C + g.o0, (n*p.OH+yRow)*p.OW*p.C + g.o0
}

// group adds the contribution of the group of rows from r of image n.
func (g *nine) group(n, r int) {
	p := g.geom
	blocks, tail := (g.o1-g.o0)/g.Lanes, (g.o1-g.o0)%g.Lanes
	kind, end := p.StrideW-1, g.pos+g.rows*p.StrideH
	if blocks > 0 {
		pix, row := g.xElem*p.C, g.xElem*p.W*p.C
		if g.x.F != nil {
			g.Nines[kind](&g.x.F[0], &g.dy[0], &g.sums[0], blocks, 4*g.xOff, 4*g.yOff, g.pos, end, g.limit, g.left, g.whole, g.rest, g.right,
				pix, row, 4*p.C, 4*p.OW*p.C, 4*g.xAhead, 4*g.yAhead, 4*g.Lanes*g.xStep, 4*g.Lanes*g.yStep, 0, g.add)
		} else {
			g.NineCodes[kind](&g.x.Q[0], &g.dy[0], &g.sums[0], blocks, g.xOff, 4*g.yOff, g.pos, end, g.limit, g.left, g.whole, g.rest, g.right,
				pix, row, 4*p.C, 4*p.OW*p.C, g.xAhead, 4*g.yAhead, g.Lanes*g.xStep, 4*g.Lanes*g.yStep, int(g.x.Zero), g.add)
		}
	}
	if tail > 0 {
		x, xOff, dy, yOff := g.aside(n, r, tail)
		g.Nines[kind](&x[0], &dy[0], &g.sums[9*blocks*g.Lanes], 1, 4*xOff, 4*yOff, g.pos, end, g.limit, g.left, g.whole, g.rest, g.right,
			4*g.Lanes, 4*p.W*g.Lanes, 4*g.Lanes, 4*p.OW*g.Lanes, 0, 0, 0, 0, 0, g.add)
	}
}

// aside copies the last tail channels of a group, one vector per pixel, and returns where they begin.
func (g *nine) aside(n, r, tail int) (x []float32, xOff int, dy []float32, yOff int) {
	p, c := g.geom, g.o1-tail
	xa, xb, ya, yb := r, r+g.rows, max(0, g.pos-2), min(p.OH, g.pos+g.rows)
	if p.StrideH == 2 {
		xa, xb, ya, yb = max(0, g.pos), min(p.H, g.pos+2*g.rows+1), r, r+g.rows
		xOff = (g.pos - xa) * p.W * g.Lanes
	} else {
		yOff = (g.pos - ya) * p.OW * g.Lanes
	}
	pixels := max(0, xb-xa) * p.W
	x, dy = g.room, g.room[pixels*g.Lanes:]
	clear(x[:pixels*g.Lanes])
	for i, at := 0, (n*p.H+xa)*p.W*p.C+c; i < pixels; i, at = i+1, at+p.C {
		to := x[i*g.Lanes:][:tail]
		if g.x.F != nil {
			copy(to, g.x.F[at:])
			continue
		}
		for l, q := range g.x.Q[at:][:tail] {
			to[l] = float32(int32(q) - g.x.Zero)
		}
	}
	pixels = max(0, yb-ya) * p.OW
	clear(dy[:pixels*g.Lanes])
	for i, at := 0, (n*p.OH+ya)*p.OW*p.C+c; i < pixels; i, at = i+1, at+p.C {
		copy(dy[i*g.Lanes:][:tail], g.dy[at:])
	}
	return x, xOff, dy, yOff
}
