package grid

import "qpipe/ops/kernel"

// Epilogue is kernel.Requant for accumulators in float32 or int32 and codes less
// their zero points on both sides: the same expression, rounded in the same
// places, so that it gives the integers of the int8 model.
type Epilogue struct {
	Unit []float32 // of the accumulator per channel, scale_x·scale_w
	M    []float32 // Unit/scale_y
	Bias []float64 // integers (but for a float bias), per channel
	Fits bool      // every acc + Bias is exact in float32
	UZ   float32   // scale_z
	MZ   float32   // scale_z/scale_y
	Act  kernel.Act
	Q    kernel.Quant // of the output
	b32  []float32
}

// NewEpilogue returns the epilogue for c channels, without numbers.
func NewEpilogue(c int, act kernel.Act) Epilogue {
	return Epilogue{Unit: make([]float32, c), M: make([]float32, c), Bias: make([]float64, c), Act: act, b32: make([]float32, c)}
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

// Settle says how large |acc| can be; call it after Bias is set.
func (e *Epilogue) Settle(bound float64) {
	top := 0.0
	for c, b := range e.Bias {
		top = max(top, b, -b)
		e.b32[c] = float32(b)
		if float64(e.b32[c]) != b {
			top = bound + 1<<24
		}
	}
	e.Fits = bound+top <= 1<<24
}

// Fill writes codes, with their mask unless it is nil, or values:
//
//	code = clamp(round(float32(acc + bias)·M [+ z·MZ])) less the zero point
//	value = act(float32(acc + bias)·Unit [+ z·UZ])
//
// over rows of as many channels as there are in Unit. y may be acc.
func Fill[A float32 | int32](e *Epilogue, acc []A, z, y []float32, codes bool, mask []uint8) {
	m, mz := e.Unit, e.UZ
	lo, hi := linear(e.Act)
	if codes {
		m, mz = e.M, e.MZ
		lo, hi = Bounds(e.Q, e.Act)
	}
	scaled(e, acc, y, m)
	if z != nil {
		z = z[:len(y)]
		for i, v := range z {
			y[i] += float32(v * mz)
		}
	}
	if codes {
		finish(y, mask, lo, hi, e.Q, e.Act)
		return
	}
	for i, v := range y {
		y[i] = min(max(v, lo), hi)
	}
}

// scaled writes y = float32(acc + bias)·m, the sum exact before it is rounded.
func scaled[A float32 | int32](e *Epilogue, acc []A, y, m []float32) {
	c := len(m)
	for i := 0; i+c <= len(acc); i += c {
		a, yr := acc[i:i+c], y[i:i+c]
		if e.Fits {
			b := e.b32[:len(a)]
			for j, v := range a {
				yr[j] = (float32(v) + b[j]) * m[j]
			}
			continue
		}
		b := e.Bias[:len(a)]
		for j, v := range a {
			yr[j] = float32(float64(v)+b[j]) * m[j]
		}
	}
}
