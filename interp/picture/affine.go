package picture

import "math"

// Affine says which pixel each pixel of a result comes from: x = A·x + B·y + C, y = D·x + E·y + F.
type Affine struct{ A, B, C, D, E, F float64 }

// Rotation turns an image of h×w around its middle, by degrees against the clock.
func Rotation(degrees float64, h, w int) Affine {
	angle := -degrees * math.Pi / 180
	cos, sin := rounded(math.Cos(angle)), rounded(math.Sin(angle))
	x, y := float64(float64(w)/2), float64(float64(h)/2)
	return Affine{
		cos, sin, (float64(-cos*x) - float64(sin*y)) + x,
		-sin, cos, (float64(sin*x) - float64(cos*y)) + y,
	}
}

// rounded is a number with 15 digits behind the point.
func rounded(v float64) float64 { return math.RoundToEven(v*1e15) / 1e15 }

// Warp writes the pixels of an h×w map that t names to out, and fill where there are none. A pixel has channels values.
// Positions are computed with 16 bits behind the point.
func Warp[T any](in []T, h, w, channels int, t Affine, fill T, out []T) {
	fixed := func(v float64) int64 { return int64(math.Floor(float64(v*65536) + 0.5)) }
	a, b, d, e := fixed(t.A), fixed(t.B), fixed(t.D), fixed(t.E)
	// the middle of the first pixel
	x0 := fixed(t.C + float64(t.A*0.5) + float64(t.B*0.5))
	y0 := fixed(t.F + float64(t.D*0.5) + float64(t.E*0.5))
	for y := range h {
		fx, fy := x0+b*int64(y), y0+e*int64(y)
		for x := range w {
			to := out[(y*w+x)*channels:][:channels]
			if ix, iy := fx>>16, fy>>16; ix >= 0 && ix < int64(w) && iy >= 0 && iy < int64(h) {
				copy(to, in[(int(iy)*w+int(ix))*channels:])
			} else {
				for c := range to {
					to[c] = fill
				}
			}
			fx, fy = fx+a, fy+d
		}
	}
}
