// Package window has the ops that slide a window over a tensor with any number of spatial dimensions: convolutions and
// pools.
package window

import (
	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Rows are the ops of this package.
func Rows() []*op.Row {
	return append(poolRows(), convRow(), convTransposeRow(), convIntegerRow(), lrnRow())
}

// Attrs are the attributes that windows have in common.
func Attrs(more ...op.Attr) []op.Attr {
	return append(more, op.Text("auto_pad", "NOTSET"), op.Ints("kernel_shape"), op.Ints("pads"), op.Ints("strides"), op.Ints("dilations"))
}

// Geometry is where windows lie: a number for each spatial dimension.
type Geometry struct {
	In, Out        []int
	Kernel         []int
	Stride, Dilate []int
	Before, After  []int // padding
	turned         bool  // of a transposed convolution: strides spread the input, not the output
}

// Of reads the geometry of a window with the given kernel over an input of the shape dims; sizes of the output are
// rounded up where ceil is set.
func Of(c *op.Call, dims, kernel []int, ceil bool) Geometry {
	g := basic(c, dims, kernel)
	auto := c.Text("auto_pad")
	for d, in := range g.In {
		reach := g.reach(d)
		switch auto {
		case "NOTSET", "":
		case "VALID":
			g.Before[d], g.After[d] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			total := max((in-1)/g.Stride[d]*g.Stride[d]+reach-in, 0)
			g.Before[d], g.After[d] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				g.Before[d], g.After[d] = total-total/2, total/2
			}
		default:
			c.Fail("auto_pad %q is not supported", auto)
		}
		room := in + g.Before[d] + g.After[d] - reach
		if room < 0 {
			c.Fail("a window of %d does not fit into %d with pads of %d and %d", reach, in, g.Before[d], g.After[d])
		}
		n := room/g.Stride[d] + 1
		if ceil && room%g.Stride[d] > 0 && n*g.Stride[d] < in+g.Before[d] { // no window begins behind the input
			n++
		}
		g.Out[d] = n
	}
	return g
}

// most bounds what attributes say of one dimension.
const most = 1 << 30

func basic(c *op.Call, dims, kernel []int) Geometry {
	if len(dims) < 3 {
		c.Fail("input 0 has the shape %v; it must have a batch, channels and at least one more dimension", dims)
	}
	n := len(dims) - 2
	if len(kernel) != n {
		c.Fail("the kernel %v does not fit the shape %v", kernel, dims)
	}
	g := Geometry{
		In: dims[2:], Out: make([]int, n), Kernel: kernel,
		Stride: list(c, "strides", n, 1, 1), Dilate: list(c, "dilations", n, 1, 1),
	}
	pads := list(c, "pads", 2*n, 0, 0)
	g.Before, g.After = pads[:n], pads[n:]
	for d, k := range kernel {
		if k < 1 || k > most || g.reach(d) > most {
			c.Fail("the kernel %v with dilations %v is not possible", kernel, g.Dilate)
		}
	}
	if _, err := model.Elements(kernel); err != nil {
		c.Fail("the kernel %v is not possible", kernel)
	}
	return g
}

// list is an attribute with n numbers, which are at least least.
func list(c *op.Call, name string, n, standard, least int) []int {
	x := c.AttrInts(name)
	if len(x) == 0 {
		for range n {
			x = append(x, standard)
		}
	}
	if len(x) != n {
		c.Fail("%s are %v, and there are %d spatial dimensions", name, x, len(c.Arg(0).Dims)-2)
	}
	for _, v := range x {
		if v < least || v > most {
			c.Fail("%s are %v", name, x)
		}
	}
	return x
}

// reach is how many elements a window spans.
func (g Geometry) reach(d int) int { return (g.Kernel[d]-1)*g.Dilate[d] + 1 }

// Taps is the number of elements of a window.
func (g Geometry) Taps() int { return value.Count(g.Kernel) }

// at is the place along a dimension that element k of the window at o lies on, −1 outside of the input.
func (g Geometry) at(d, o, k int) int {
	i := 0
	if g.turned {
		i = o + g.Before[d] - k*g.Dilate[d]
		if i%g.Stride[d] != 0 {
			return -1
		}
		i /= g.Stride[d]
	} else {
		i = o*g.Stride[d] - g.Before[d] + k*g.Dilate[d]
	}
	if i < 0 || i >= g.In[d] {
		return -1
	}
	return i
}

// padded reports whether element k of the window at o lies on the input or its padding.
func (g Geometry) padded(d, o, k int) bool {
	return o*g.Stride[d]+k*g.Dilate[d] < g.In[d]+g.Before[d]+g.After[d]
}

// window calls f for each element of the window at a place of the output, with its place in the input, or −1; and whether
// it lies on the input or its padding.
func (g Geometry) window(p int, f func(tap, at int, padded bool)) {
	rank := len(g.In)
	o, k := make([]int, rank), make([]int, rank)
	for d := rank - 1; d >= 0; d-- {
		o[d] = p % g.Out[d]
		p /= g.Out[d]
	}
	for t := range g.Taps() {
		at, padded := 0, true
		for d := range rank {
			i := g.at(d, o[d], k[d])
			padded = padded && g.padded(d, o[d], k[d])
			if i < 0 || at < 0 {
				at = -1
				continue
			}
			at = at*g.In[d] + i
		}
		f(t, at, padded)
		for d := rank - 1; d >= 0; d-- {
			if k[d]++; k[d] < g.Kernel[d] {
				break
			}
			k[d] = 0
		}
	}
}
