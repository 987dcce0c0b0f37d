package dense

import "qpipe/ops/kernel"

// flat computes the pixels [p0, p1) of a 1×1 convolution.
func (c *int8Call) flat(p0, p1 int) {
	v, n := &c.view, p1-p0
	if key := [2]int{0, n}; c.key != key && c.key[1] < n {
		c.key = key
		for i := range n {
			c.tab[2*i], c.tab[2*i+1] = int32(i*v.C*v.unit), int32(i*v.OutC)
		}
	}
	a := c.x[p0*v.C : p1*v.C]
	if !v.direct {
		c.copyRun(c.bytes, a)
		a = c.bytes
	}
	c.panels(0, a, n, 0, p0*v.OutC)
}

// copyRun copies activations as Gemm8 reads them.
func (c *int8Call) copyRun(dst, src []uint8) {
	if c.kernels.Widen == nil {
		copy(dst, src)
	} else if len(src) > 0 {
		_ = dst[2*len(src)-1]
		c.kernels.Widen(&dst[0], &src[0], len(src))
	}
}

// fill writes n padding values.
func (c *int8Call) fill(dst []uint8, n int) {
	if n <= 0 {
		return
	}
	dst = dst[:n*c.view.unit]
	dst[0] = c.pad
	if c.view.unit == 2 {
		dst[1] = 0
	}
	for i := c.view.unit; i < len(dst); i *= 2 {
		copy(dst[i:], dst[:i])
	}
}

// rows computes the output rows [r0, r1) of group g.
func (c *int8Call) rows(g, r0, r1 int) {
	v := &c.view
	a, pitch := c.bytes, v.pitch()
	switch {
	case v.direct:
		a = c.x[v.origin(r0):]
	case v.patch:
		c.patches(g, r0, r1)
		pitch = 0
	default:
		c.strip(g, r0, r1)
	}
	if c.key != v.shape(r0, r1) {
		c.key = v.shape(r0, r1)
		if v.skipH {
			c.sort(r0, r1)
		} else {
			c.table(r0, r1)
		}
	}
	c.panels(g, a, (r1-r0)*v.OW, v.DilationH*pitch, r0*v.OW*v.OutC+g*v.og)
}

// shape is the same for strips whose tables are the same.
func (v *int8View) shape(r0, r1 int) [2]int {
	h0, h1 := r0%v.OH, r0%v.OH+r1-r0
	if h1 > v.OH || v.skipH && (h0*v.StrideH < v.PadTop || (h1-1)*v.StrideH-v.PadTop+v.span > v.H) {
		return [2]int{h0, h1 - h0}
	}
	return [2]int{-1, h1 - h0}
}

// origin is the offset in x of the first row that the output row r needs.
func (v *int8View) origin(r int) int {
	return (r/v.OH*v.H + min(max(r%v.OH*v.StrideH-v.PadTop, 0), v.H-1)) * v.W * v.C
}

// windowStart is the offset of the first window of the output row r in the strip
// that begins with r0. The window may begin before the image.
func (v *int8View) windowStart(r0, r int) int {
	if v.direct {
		return ((r/v.OH*v.H+r%v.OH*v.StrideH-v.PadTop)*v.W-v.PadLeft)*v.C - v.origin(r0)
	}
	return v.stripStart(r0, r)
}

// table writes the offsets of the pixels of the output rows [r0, r1).
func (c *int8Call) table(r0, r1 int) {
	v := &c.view
	i := 0
	for r := r0; r < r1; r++ {
		at, step := v.windowStart(r0, r), v.StrideW*v.cg*v.unit
		if v.patch {
			at, step = (r-r0)*v.OW*v.quads*4, v.quads*4
		}
		for range v.OW {
			c.tab[2*i], c.tab[2*i+1] = int32(at), int32(i*v.OutC)
			at += step
			i++
		}
	}
}

// sort writes the offsets of the pixels of the output rows [r0, r1), sorted into
// parts by the taps that lie in the image; offsets are those of the first such tap.
func (c *int8Call) sort(r0, r1 int) {
	v := &c.view
	c.nparts = 0
	pixels := 0
	for oh := 0; oh < v.OH; {
		h0, h1, endH := alike(oh, v.OH, v.StrideH, v.PadTop, v.DilationH, v.KH, v.H)
		for ow := 0; ow < v.OW; {
			w0, w1, endW := 0, v.KW, v.OW
			if v.skipW {
				w0, w1, endW = alike(ow, v.OW, v.StrideW, v.PadLeft, 1, v.KW, v.W)
			}
			t := int8Part{pixels, pixels, h0, h1, w0, w1}
			for n := r0 / v.OH; n*v.OH < r1; n++ {
				for r := max(n*v.OH+oh, r0); r < min(n*v.OH+endH, r1); r++ {
					c.add(&t, r0, r, ow, endW)
				}
			}
			if pixels = t.to; t.from < t.to {
				c.parts[c.nparts] = t
				c.nparts++
			}
			ow = endW
		}
		oh = endH
	}
}

// alike returns the taps of the position i that lie inside limit elements, and the
// position up to which they are the same ones.
func alike(i, out, stride, pad, dilation, k, limit int) (k0, k1, end int) {
	k0, k1 = kernel.Window(i*stride-pad, dilation, k, limit)
	for end = i + 1; end < out; end++ {
		if a, b := kernel.Window(end*stride-pad, dilation, k, limit); a != k0 || b != k1 {
			break
		}
	}
	return k0, k1, end
}

// add writes the offsets of the pixels [ow, end) of the output row r, the next ones of a part.
func (c *int8Call) add(t *int8Part, r0, r, ow, end int) {
	v := &c.view
	at := v.windowStart(r0, r) + t.h0*v.DilationH*v.pitch() + (ow*v.StrideW+t.w0)*v.cg*v.unit
	step := v.StrideW * v.cg * v.unit
	if t.h0 == t.h1 || t.w0 == t.w1 {
		at, step = 0, 0 // nothing is read
	}
	to := ((r-r0)*v.OW + ow) * v.OutC
	for range end - ow {
		c.tab[2*t.to], c.tab[2*t.to+1] = int32(at), int32(to)
		at += step
		to += v.OutC
		t.to++
	}
}

// stripStart is the offset in the strip that begins with the output row r0 of the first window of r.
func (v *int8View) stripStart(r0, r int) int {
	row := 0
	if first, last := r0/v.OH, r/v.OH; first == last {
		row = (r - r0) * v.rowStep
	} else {
		row = v.stripRows((first+1)*v.OH-r0) + (last-first-1)*v.stripRows(v.OH) + r%v.OH*v.rowStep
	}
	return row * v.pitch()
}

// strip copies what the output rows [r0, r1) need of group g, the padding included.
func (c *int8Call) strip(g, r0, r1 int) {
	v := &c.view
	pitch := v.pitch()
	left := min(max(v.PadLeft, 0), v.width)
	right := max(v.width-max(v.W+v.PadLeft, 0), 0) // columns beyond the right edge
	inner := v.width - left - right
	if inner <= 0 {
		left, right, inner = v.width, 0, 0
	}
	dst := c.bytes
	for r := r0; r < r1; {
		n, oh := r/v.OH, r%v.OH
		end := min(r1, (n+1)*v.OH)
		for i := range v.stripRows(end - r) {
			ih := oh*v.StrideH - v.PadTop + i
			if v.KH == 1 {
				ih = (oh+i)*v.StrideH - v.PadTop
			}
			row := dst[:pitch]
			dst = dst[pitch:]
			if ih < 0 || ih >= v.H || inner == 0 {
				c.fill(row, v.width*v.cg)
				continue
			}
			c.fill(row, left*v.cg) // with skipW it is not read
			from := c.x[((n*v.H+ih)*v.W+left-v.PadLeft)*v.C:]
			to := row[left*v.cg*v.unit:]
			if v.Groups == 1 {
				c.copyRun(to, from[:inner*v.C])
			} else {
				for j := range inner {
					c.copyRun(to[j*v.cg*v.unit:], from[j*v.C+g*v.cg:][:v.cg])
				}
			}
			c.fill(row[(left+inner)*v.cg*v.unit:], right*v.cg)
		}
		r = end
	}
}

// patches copies the windows of group g whole.
func (c *int8Call) patches(g, r0, r1 int) {
	v := &c.view
	dst := c.bytes
	for r := r0; r < r1; r++ {
		n, oh := r/v.OH, r%v.OH
		for ow := range v.OW {
			to := dst
			for kh := range v.KH {
				ih := oh*v.StrideH - v.PadTop + kh*v.DilationH
				for kw := range v.KW {
					iw := ow*v.StrideW - v.PadLeft + kw*v.DilationW
					if ih < 0 || ih >= v.H || iw < 0 || iw >= v.W {
						c.fill(to, v.cg)
					} else {
						c.copyRun(to, c.x[((n*v.H+ih)*v.W+iw)*v.C+g*v.cg:][:v.cg])
					}
					to = to[v.cg*v.unit:]
				}
			}
			dst = dst[v.quads*4:]
		}
	}
}
