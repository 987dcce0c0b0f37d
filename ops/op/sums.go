package op

// blockSizes is how many sizes the blocks of a reduction may have: rows and columns differ by two at most.
const blockSizes = 9

// sums are blocks that are added up, and what each sum is divided by: one of a few numbers.
type sums struct {
	*spans
	mean   bool
	counts []int   // those numbers; of a sum 1 alone
	rowAt  []int   // by row and column: what to add up
	colAt  []int   // for the place in sets
	sets   [][]int // by kind of row, by kind of column: the place in counts
}

func newSums(s *spans, mean bool) *sums {
	kinds := func(list [][2]int) (at, first []int) {
		sizes := map[int]int{}
		for i, span := range list {
			size := span[1] - span[0]
			if _, known := sizes[size]; !known && (mean || len(first) == 0) {
				sizes[size], first = len(first), append(first, i)
			}
			at = append(at, sizes[size])
		}
		return at, first
	}
	r := &sums{spans: s, mean: mean}
	var rows, columns []int
	r.rowAt, rows = kinds(s.rows)
	r.colAt, columns = kinds(s.columns)
	for _, h := range rows {
		var set []int
		for _, w := range columns {
			set = append(set, len(r.counts))
			r.counts = append(r.counts, r.divisor(h, w))
		}
		r.sets = append(r.sets, set)
	}
	return r
}

// divisor is what the sum of a block is divided by.
func (s *sums) divisor(h, w int) int {
	if s.mean {
		return s.count(h, w)
	}
	return 1
}

// at is the place in counts of the block of output row row and column w.
func (s *sums) at(row, w int) int { return s.sets[s.rowAt[row%len(s.rows)]][s.colAt[w]] }

// integers adds up codes less their zero point, of an output row.
func (s *sums) integers(row int, x []uint8, zero int32, acc []int32) {
	c := s.channels()
	for w := range s.columns {
		o := acc[w*c:][:c]
		clear(o)
		total(s.spans, row, w, x, o)
		less := zero * int32(s.count(row%len(s.rows), w))
		for i := range o {
			o[i] -= less
		}
	}
}

// values adds up float32 values, of an output row, and divides.
func (s *sums) values(row int, x, y []float32) {
	c := s.channels()
	for w := range s.columns {
		o := y[w*c:][:c]
		clear(o)
		total(s.spans, row, w, x, o)
		if k := float32(s.counts[s.at(row, w)]); k != 1 {
			for i := range o {
				o[i] /= k
			}
		}
	}
}

// total adds the elements of a block to o, in order.
func total[T uint8 | float32, S int32 | float32](s *spans, row, w int, x []T, o []S) {
	c := s.in.C
	s.pixels(row, w, func(at int) {
		px := x[at:][:c]
		if !s.all {
			for i, v := range px {
				o[i] += S(v)
			}
			return
		}
		for _, v := range px {
			o[0] += S(v)
		}
	})
}
