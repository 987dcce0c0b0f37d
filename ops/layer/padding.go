package layer

import "qpipe/ops/tensor"

// Placing is how the windows of a kernel or a pool lie on an input, as an op's arguments say it. The padding is one
// of three: Padding on both sides, Pads, or Auto.
type Placing struct {
	Kernel, Stride, Dilation [2]int
	Padding                  [2]int
	Pads                     [4]int // top, left, bottom, right
	Auto                     string // "same_upper", "same_lower" or "valid", as ONNX has it
	Ceil                     bool   // the last window may reach beyond the padding, as PyTorch's ceil_mode
}

// Placed is what follows: the number of places, the padding, and how far the last windows reach beyond it.
type Placed struct {
	H, W     int
	Pads     [4]int
	Overhang [2]int
}

// On places the windows on an input. There are none where the kernel does not fit; a contradiction is an *ArgError.
func (p Placing) On(in tensor.Shape) (Placed, error) {
	var at Placed
	switch {
	case CheckExtents(nil, p.Padding[:]) != nil:
		return at, BadArg("Padding", "the padding is %d×%d", p.Padding[0], p.Padding[1])
	case CheckExtents(nil, p.Pads[:]) != nil:
		return at, BadArg("Pads", "the padding is %s (top, left, bottom, right)", tensor.List(p.Pads[:]...))
	case p.Pads != [4]int{} && p.Padding != [2]int{}:
		return at, BadArg("Pads", "the padding is given twice, as Padding and as Pads")
	case p.Auto != "" && (p.Pads != [4]int{} || p.Padding != [2]int{}):
		return at, BadArg("Auto", "the padding is %s and given, too", p.Auto)
	case p.Auto != "" && p.Ceil:
		return at, BadArg("Auto", "with the padding %s the size is the stride's alone: there is no ceil mode", p.Auto)
	}
	at.Pads = p.Pads
	switch p.Auto {
	case "":
		if p.Padding != [2]int{} {
			at.Pads = [4]int{p.Padding[0], p.Padding[1], p.Padding[0], p.Padding[1]}
		}
	case "same_upper", "same_lower":
		at.Pads[0], at.Pads[2] = p.same(0, in.H)
		at.Pads[1], at.Pads[3] = p.same(1, in.W)
	case "valid":
	default:
		return at, BadArg("Auto", "%q is neither same_upper nor same_lower nor valid", p.Auto)
	}
	at.H, at.Overhang[0] = p.places(0, in.H, at.Pads[0], at.Pads[2])
	at.W, at.Overhang[1] = p.places(1, in.W, at.Pads[1], at.Pads[3])
	return at, nil
}

// reach is how many elements of an axis a window covers.
func (p *Placing) reach(axis int) int { return (p.Kernel[axis]-1)*p.Dilation[axis] + 1 }

// same is the padding with which there are ⌈in/stride⌉ places.
func (p *Placing) same(axis, in int) (front, behind int) {
	places := (in + p.Stride[axis] - 1) / p.Stride[axis]
	total := max((places-1)*p.Stride[axis]+p.reach(axis)-in, 0)
	if p.Auto == "same_lower" {
		return total - total/2, total / 2
	}
	return total / 2, total - total/2
}

// places is the number of places on an axis: those of windows that end inside the padded input, or, in ceil mode, that begin
// inside the input or the padding in front.
func (p *Placing) places(axis, in, front, behind int) (n, overhang int) {
	stride, rest := p.Stride[axis], in+front+behind-p.reach(axis)
	if p.Ceil {
		rest += stride - 1
	}
	if rest < 0 {
		return 0, 0
	}
	n = rest/stride + 1
	if p.Ceil && (n-1)*stride >= in+front {
		n--
	}
	return n, max((n-1)*stride+p.reach(axis)-in-front-behind, 0)
}
