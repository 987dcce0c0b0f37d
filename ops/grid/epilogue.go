package grid

import "qpipe/ops/kernel"

// Epilogue is kernel.Requant for accumulators in float32 or int32 and codes less
// their zero points on both sides: the same expression, rounded in the same
// places, so that it gives the integers of the int8 model.
type Epilogue struct {
	Unit []float32 // of the accumulator per channel, scale_x·scale_w
	M    []float32 // Unit/scale_y
	Bias []float64 // integers, per channel
	UZ   float32   // scale_z
	MZ   float32   // scale_z/scale_y
	Act  kernel.Act
	Q    kernel.Quant // of the output
}

// NewEpilogue returns the epilogue for c channels, without numbers.
func NewEpilogue(c int, act kernel.Act) Epilogue {
	return Epilogue{Unit: make([]float32, c), M: make([]float32, c), Bias: make([]float64, c), Act: act}
}

// Target sets the output's quantization, after Unit and UZ.
func (e *Epilogue) Target(q kernel.Quant) {
	e.Q = q
	for c, u := range e.Unit {
		e.M[c] = u / q.Scale
	}
	e.MZ = e.UZ / q.Scale
}

// Six is the code of 6.0, less the zero point.
func Six(q kernel.Quant) float32 { return round(6/q.Scale, q.HalfUp) }

// Bounds returns the limits, less the zero point, of codes behind an activation.
func Bounds(q kernel.Quant, act kernel.Act) (lo, hi float32) {
	lo, hi = limits(q)
	if act != kernel.None {
		lo = max(lo, 0)
	}
	if act == kernel.ReLU6 {
		hi = min(hi, Six(q))
	}
	return lo, hi
}

// Fill writes codes, with their mask unless it is nil, or values.
func Fill[A float32 | int32](e *Epilogue, acc []A, z, y []float32, codes bool, mask []uint8) {
	switch {
	case !codes:
		Values(e, acc, z, y)
	case mask == nil:
		Codes(e, acc, z, y)
	default:
		CodesMask(e, acc, z, y, mask)
	}
}

// Codes computes y = clamp(round(float32(acc + bias)·M [+ z·MZ])) over rows of
// as many channels as there are in Unit. y may be acc.
func Codes[A float32 | int32](e *Epilogue, acc []A, z, y []float32) {
	lo, hi := Bounds(e.Q, e.Act)
	c := len(e.Unit)
	for i := 0; i < len(acc); i += c {
		a, yr := acc[i:i+c], y[i:i+c]
		m, b := e.M[:len(a)], e.Bias[:len(a)]
		for j, v := range a {
			t := float32(float32(float64(v)+b[j]) * m[j])
			if z != nil {
				t += float32(z[i+j] * e.MZ)
			}
			yr[j] = clamp(round(t, e.Q.HalfUp), lo, hi)
		}
	}
}

// CodesMask is Codes, and notes in mask where the gradient passes.
func CodesMask[A float32 | int32](e *Epilogue, acc []A, z, y []float32, mask []uint8) {
	lo, hi := Bounds(e.Q, e.Act)
	qlo, qhi := limits(e.Q)
	floor, ceil := linear(e.Act)
	ceil /= e.Q.Scale
	c := len(e.Unit)
	for i := 0; i < len(acc); i += c {
		a, yr, mr := acc[i:i+c], y[i:i+c], mask[i:i+c]
		m, b := e.M[:len(a)], e.Bias[:len(a)]
		for j, v := range a {
			t := float32(float32(float64(v)+b[j]) * m[j])
			if z != nil {
				t += float32(z[i+j] * e.MZ)
			}
			r := round(t, e.Q.HalfUp)
			var pass uint8
			if t > floor && t < ceil {
				pass = 1
			}
			if r < qlo || r > qhi {
				pass = 0
			}
			yr[j], mr[j] = clamp(r, lo, hi), pass
		}
	}
}

// Values computes y = act(float32(acc + bias)·Unit [+ z·UZ]).
func Values[A float32 | int32](e *Epilogue, acc []A, z, y []float32) {
	c := len(e.Unit)
	floor, ceil := linear(e.Act)
	for i := 0; i < len(acc); i += c {
		a, yr := acc[i:i+c], y[i:i+c]
		u, b := e.Unit[:len(a)], e.Bias[:len(a)]
		for j, v := range a {
			t := float32(float32(float64(v)+b[j]) * u[j])
			if z != nil {
				t += float32(z[i+j] * e.UZ)
			}
			yr[j] = clamp(t, floor, ceil)
		}
	}
}
