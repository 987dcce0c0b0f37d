package dense

import "qpipe/ops/kernel"

// F32 are the micro-kernels of float convolutions other than depthwise ones, and their sizes: tiles have MR rows
// (pixels) and NR columns (channels).
type F32 struct {
	MR, NR int

	// Rows computes, for r < m and j < n <= NR, with kh·klen rows of NR values in b (of NR/2, if n is not larger),
	//
	//	s = Σ_{i<kh, k<klen} a[aoff[r] + i·ajump + k] · b[(i·klen + k)·NR + j]
	//
	// in one chain of fused additions in this order, which with mode&1 starts from c[coff[r]+j]; then
	// c[coff[r]+j] = s, or += s with mode&2. What lies ahead bytes behind the rows that are read is prefetched,
	// or with 0 the next places in c, if they are cstep elements apart.
	Rows func(m int, a *float32, aoff *int32, kh, klen, ajump int, b, c *float32, coff *int32, n, mode, ahead, cstep int)

	// Finish computes c[coff[r]+j] = s[r·NR+j], or += with add = 1, for r < m and j < n <= NR.
	Finish func(m int, s, c *float32, coff *int32, n, add int)

	// Outer computes c[r·ldc+j] += Σ_{p<count} a[aoff[p]+r] · b[boff[p]+j] for r < m and j < n <= NR,
	// each sum formed first, in ascending p.
	Outer func(count int, a *float32, aoff *int32, m int, b *float32, boff *int32, n int, c *float32, ldc int)

	// Gather computes s[r·lds+j] = a[aoff[r]+j] for r < m and j < n <= NR.
	Gather func(m int, a *float32, aoff *int32, s *float32, lds, n int)

	// Transpose computes dst[c·ldd+r] = src[r·lds+c], or += with add = 1, for r < 8 and c < cols, a multiple of 8.
	Transpose func(src *float32, lds int, dst *float32, ldd, cols, add int)

	// Values computes y[i] = float32(q[i] - zero) for i < n.
	Values func(q *uint8, zero int, y *float32, n int)
}

// The modes of Rows.
const (
	modeSet   = 0
	modeChain = 1
	modeAdd   = 2
)

// width is how many columns a panel of n channels has.
func (f *F32) width(n int) int {
	if n <= f.NR/2 {
		return f.NR / 2
	}
	return f.NR
}

// padded is how many columns the panels of n channels have.
func (f *F32) padded(n int) int {
	full := n / f.NR * f.NR
	if full == n {
		return n
	}
	return full + f.width(n-full)
}

// PackSize is ConvPackSize.
func (f *F32) PackSize(p *kernel.Conv) int { return p.Groups * f.padded(p.OutC/p.Groups) * p.K() }

// Pack is ConvPack: for each group, panels of NR output channels; in a panel the weights of a tap are contiguous,
// [K][NR].
func (f *F32) Pack(p *kernel.Conv, w, packed []float32, o0, o1 int) {
	k, og := p.K(), p.OutC/p.Groups
	f.panels(og, o0, o1, func(g, j, n int) {
		width := f.width(n)
		to := packed[(g*f.padded(og)+j)*k:][:width*k]
		if n < width {
			clear(to)
		}
		f.transpose(w[(g*og+j)*k:], k, to, width, n, k, 0)
	})
}

// panels calls do for the panels of the channels [o0, o1): the group, its channel
// where the panel begins, and how many there are.
func (f *F32) panels(og, o0, o1 int, do func(g, j, n int)) {
	for g := o0 / og; g*og < o1; g++ {
		for j := max(o0-g*og, 0); j < min(o1-g*og, og); j += f.NR {
			do(g, j, min(f.NR, min(o1-g*og, og)-j))
		}
	}
}

// transpose computes dst[c·ldd+r] = src[r·lds+c], or += with add = 1, for r < rows and c < cols.
func (f *F32) transpose(src []float32, lds int, dst []float32, ldd, rows, cols, add int) {
	r, whole := 0, cols&^7
	for ; r+8 <= rows && whole > 0; r += 8 {
		f.Transpose(&src[r*lds], lds, &dst[r], ldd, whole, add)
	}
	f.transposeRest(src, lds, dst, ldd, 0, r, whole, cols, add)
	f.transposeRest(src, lds, dst, ldd, r, rows, 0, cols, add)
}

// transposeRest is transpose for the rows [r0, r1) and the columns [c0, c1).
func (f *F32) transposeRest(src []float32, lds int, dst []float32, ldd, r0, r1, c0, c1, add int) {
	for r := r0; r < r1; r++ {
		for c := c0; c < c1; c++ {
			if v := src[r*lds+c]; add == 0 {
				dst[c*ldd+r] = v
			} else {
				dst[c*ldd+r] += v
			}
		}
	}
}

// DataPackSize is ConvDataPackSize.
func (f *F32) DataPackSize(p *kernel.Conv) int {
	if w, ok := f.wide(p); ok {
		return w.packSize()
	}
	return p.Groups * f.padded(p.C/p.Groups) * p.KH * p.KW * (p.OutC / p.Groups)
}

// DataPack is ConvDataPack: for each group, panels of NR input channels, in a panel
// the taps, last first, and in a tap the output channels.
func (f *F32) DataPack(p *kernel.Conv, w, packed []float32, c0, c1 int) {
	if few, ok := f.wide(p); ok {
		if c0 < c1 {
			few.pack(w, packed)
		}
		return
	}
	cg, og, taps := p.C/p.Groups, p.OutC/p.Groups, p.KH*p.KW
	f.panels(cg, c0, c1, func(g, j, n int) {
		width := f.width(n)
		to := packed[(g*f.padded(cg)+j)*taps*og:][:width*taps*og]
		for tap := taps - 1; tap >= 0; tap-- {
			for o := range og {
				copy(to[:n], w[((g*og+o)*taps+tap)*cg+j:])
				clear(to[n:width])
				to = to[width:]
			}
		}
	})
}

// Install makes the kernels those of a set.
func (f *F32) Install(s *kernel.Set) {
	s.Block = max(s.Block, f.NR)
	c := &s.Dense
	c.Pack, c.PackSize = f.Pack, f.PackSize
	c.Forward, c.ForwardRoom = f.Forward, f.ForwardRoom
	c.DataPack, c.DataPackSize = f.DataPack, f.DataPackSize
	c.BackwardData, c.BackwardDataRoom = f.BackwardData, f.DataRoom
	c.BackwardWeights, c.BackwardWeightsRoom = f.BackwardWeights, f.WeightsRoom
}
