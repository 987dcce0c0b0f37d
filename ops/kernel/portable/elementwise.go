package portable

import (
	"math"

	"qpipe/ops/kernel"
)

// ScaleShift is ref.ScaleShift, a row of channels at a time.
func ScaleShift(x, z, y, a, b []float32, act kernel.Act) {
	c := len(a)
	for i := 0; i < len(x); i += c {
		row := y[i : i+c]
		switch {
		case z != nil:
			scaleShiftAdd(x[i:i+c], z[i:i+c], row, a, b)
			activate(row, act)
		case act == kernel.ReLU:
			scaleShiftReLU(x[i:i+c], row, a, b)
		default:
			scaleShift(x[i:i+c], row, a, b)
			activate(row, act)
		}
	}
}

func scaleShift(x, y, a, b []float32) {
	y, a, b = y[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = float32(v*a[c]) + b[c]
	}
}

func scaleShiftReLU(x, y, a, b []float32) {
	y, a, b = y[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = relu(float32(v*a[c]) + b[c])
	}
}

func scaleShiftAdd(x, z, y, a, b []float32) {
	y, z, a, b = y[:len(x)], z[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = float32(v*a[c]) + b[c] + z[c]
	}
}

// relu is max(v, 0) by the bits: what is negative and no NaN becomes 0. The
// condition becomes a conditional move, where a branch would be taken at random.
func relu(v float32) float32 {
	b := math.Float32bits(v)
	if b-signBit <= infBits {
		b = 0
	}
	return math.Float32frombits(b)
}

// positive is v where y > 0, else 0, by the bits.
func positive(y, v float32) float32 {
	b := math.Float32bits(v)
	if math.Float32bits(y)-1 >= infBits {
		b = 0
	}
	return math.Float32frombits(b)
}

const (
	signBit = 1 << 31
	infBits = 0x7f800000
)

// activate applies the activation in place.
func activate(y []float32, act kernel.Act) {
	switch act {
	case kernel.ReLU:
		for i, v := range y {
			y[i] = relu(v)
		}
	case kernel.ReLU6:
		for i, v := range y {
			y[i] = min(relu(v), 6)
		}
	}
}

// ActBackward is ref.ActBackward.
func ActBackward(y, dy, dx []float32, act kernel.Act) {
	dy, dx = dy[:len(y)], dx[:len(y)]
	switch act {
	case kernel.None:
		copy(dx, dy)
	case kernel.ReLU:
		for i, v := range y {
			dx[i] = positive(v, dy[i])
		}
	case kernel.ReLU6:
		for i, v := range y {
			dx[i] = positive(6-v, positive(v, dy[i]))
		}
	}
}

// Add is ref.Add.
func Add(a, b, y []float32, act kernel.Act) {
	b, y = b[:len(a)], y[:len(a)]
	for i, v := range a {
		y[i] = v + b[i]
	}
	activate(y, act)
}

// AddTo is ref.AddTo.
func AddTo(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += v
	}
}

// MinMax is ref.MinMax. What lies between the extremes so far, which is nearly
// everything, costs two comparisons; a NaN lies between no two values.
func MinMax(x []float32) (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		if !(lo <= v && v <= hi) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}

// SGD is ref.SGD.
func SGD(w, g, v []float32, lr, momentum, decay float32, nesterov bool) {
	g, v = g[:len(w)], v[:len(w)]
	if nesterov {
		for i, p := range w {
			d := g[i] + float32(decay*p)
			s := float32(momentum*v[i]) + d
			v[i] = s
			w[i] = p - float32(lr*(d+float32(momentum*s)))
		}
		return
	}
	for i, p := range w {
		d := g[i] + float32(decay*p)
		s := float32(momentum*v[i]) + d
		v[i] = s
		w[i] = p - float32(lr*s)
	}
}

// ChannelSums is ref.ChannelSums, four rows at a time, in the same order.
func ChannelSums(x, y []float32, sum, prod []float64) {
	c := len(sum)
	prod = prod[:c]
	i := 0
	for ; i+4*c <= len(x); i += 4 * c {
		channelSums4(x[i:i+4*c], y[i:i+4*c], sum, prod)
	}
	for ; i < len(x); i += c {
		xs, ys := x[i:i+c], y[i:i+c]
		for j, v := range xs {
			sum[j] += float64(v)
			prod[j] += float64(v) * float64(ys[j])
		}
	}
}

func channelSums4(x, y []float32, sum, prod []float64) {
	c := len(sum)
	x0, x1, x2, x3 := x[:c], x[c:][:c], x[2*c:][:c], x[3*c:][:c]
	y0, y1, y2, y3 := y[:c], y[c:][:c], y[2*c:][:c], y[3*c:][:c]
	prod = prod[:c]
	for j, s := range sum {
		a0, a1, a2, a3 := float64(x0[j]), float64(x1[j]), float64(x2[j]), float64(x3[j])
		s += a0
		s += a1
		s += a2
		s += a3
		sum[j] = s
		p := prod[j]
		p += a0 * float64(y0[j])
		p += a1 * float64(y1[j])
		p += a2 * float64(y2[j])
		p += a3 * float64(y3[j])
		prod[j] = p
	}
}
