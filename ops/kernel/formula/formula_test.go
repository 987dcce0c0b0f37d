package formula

import (
	"math/rand"
	"testing"
)

// TestRegisters: the steps compute what was written, however often a number is used and registers are used again.
func TestRegisters(t *testing.T) {
	draw := rand.New(rand.NewSource(1))
	for range 2000 {
		x := float64(draw.Intn(7) - 3)
		var want float64
		f := New(func(n *Number) *Number {
			numbers, values := []*Number{n, Const(2), Const(-1)}, []float64{x, 2, -1}
			for range draw.Intn(15) {
				i, j, k := draw.Intn(len(numbers)), draw.Intn(len(numbers)), draw.Intn(len(numbers))
				made, a, b, c := numbers[i].Sub(numbers[j]), values[i], values[j], values[k]
				v := a - b
				if draw.Intn(2) == 0 {
					made = numbers[i].Choose(numbers[j], numbers[k])
					if v = c; a > 0 {
						v = b
					}
				}
				numbers, values = append(numbers, made), append(values, v)
			}
			i := draw.Intn(len(numbers))
			want = values[i]
			return numbers[i]
		})
		if got := run(t, f, x); got != want {
			t.Fatalf("%+v of %g is %g, want %g", f.Steps, x, got, want)
		}
	}
}

// run takes the steps.
func run(t *testing.T, f *Formula, x float64) float64 {
	registers := make([]float64, f.Registers)
	registers[0] = x
	at := func(i int) float64 {
		if i < 0 {
			return f.Constants[^i][Width-1]
		}
		return registers[i]
	}
	for _, s := range f.Steps {
		a, b := at(s.Args[0]), at(s.Args[1])
		switch {
		case s.Op == Max && a == b:
			registers[s.To] = a
		case s.Op == Sub:
			registers[s.To] = a - b
		case s.Op == Choose && a > 0:
			registers[s.To] = b
		case s.Op == Choose:
			registers[s.To] = at(s.Args[2])
		default:
			t.Fatalf("there is no operation %d", s.Op)
		}
	}
	return registers[f.Result()]
}

// TestFew: what is used twice is computed once, in as few registers as there are numbers in use.
func TestFew(t *testing.T) {
	f := New(func(x *Number) *Number {
		e := x.Exp()
		return e.Add(Const(1)).Mul(e.Sub(Const(1))).Div(e)
	})
	if len(f.Steps) != 5 || len(f.Constants) != 1 || f.Registers != 3 {
		t.Errorf("%d steps, %d constants and %d registers", len(f.Steps), len(f.Constants), f.Registers)
	}
}
