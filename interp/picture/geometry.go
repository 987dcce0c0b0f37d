package picture

import (
	"math"
	"slices"
)

// Fit returns the size that an image of h×w gets: size is height and width, or one number for the shorter side, with the
// proportions kept. A line of a million pixels does not get a million times as many.
func Fit(h, w int, size []int) (toH, toW int) {
	if len(size) == 2 {
		return size[0], size[1]
	}
	n := size[0]
	most := max(n, MostPixels/n)
	if h < w {
		return n, min(n*w/h, most)
	}
	return min(n*h/w, most), n
}

// Middle is where the middle size pixels of a side begin; negative by the margin that it lacks.
func Middle(have, size int) int {
	if size > have {
		return -((size - have) / 2)
	}
	return int(math.RoundToEven(float64(have-size) / 2))
}

// Window cuts h×w pixels at (top, left) out of a map of inH×inW; what lies beyond gets the fill value. The window is
// written behind the map in the same slice and then moved to its front, so that nothing is allocated once the slice
// has grown.
func Window[T any](p []T, inH, inW, top, left, h, w int, fill T) []T {
	if len(p) == 0 {
		return p
	}
	src, c := len(p), len(p)/(inH*inW)
	p = slices.Grow(p, h*w*c)[:src+h*w*c]
	from, to := max(left, 0), min(left+w, inW)
	for y := range h {
		row, at := p[src+y*w*c:][:w*c], top+y
		if at < 0 || at >= inH || from >= to {
			repeat(row, fill)
			continue
		}
		repeat(row[:(from-left)*c], fill)
		copy(row[(from-left)*c:], p[(at*inW+from)*c:(at*inW+to)*c])
		repeat(row[(to-left)*c:], fill)
	}
	return p[:copy(p, p[src:])]
}

func repeat[T any](row []T, v T) {
	for i := range row {
		row[i] = v
	}
}
