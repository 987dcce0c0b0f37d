// Package formula describes functions of one number as lists of steps, which a kernel takes for many numbers at a time. A function is
// written once, with a few operations in float64; every kernel set computes it, with the same bits.
package formula

// Op is what a step computes of the numbers a, b and c, in float64. Every operation is rounded by itself.
type Op uint8

// The operations.
const (
	Add    Op = iota // a + b
	Sub              // a - b
	Mul              // a · b
	Div              // a / b
	Max              // b where b > a, else a: so a where either is NaN
	Min              // b where b < a, else a
	MulAdd           // a · b + c, two operations
	Choose           // b where a > 0, else c
	Exp              // elementary.Exp of a
	Expm1            // elementary.Expm1 of a
	Ops              // their number
)

// Arity is the number of its operands.
func (o Op) Arity() int {
	switch o {
	case MulAdd, Choose:
		return 3
	case Exp, Expm1:
		return 1
	}
	return 2
}

// Step computes Op of registers and constants: i is register i, and ^i constant i.
type Step struct {
	Op   Op
	To   int // a register, which may be one of Args
	Args [3]int
}

// Formula is a function: with x in register 0 the steps leave the result in that of the last one.
type Formula struct {
	Steps     []Step
	Constants []Constant
	Registers int
}

// Block is how many numbers a register has at most.
const Block = 512

// Width is how many copies there are of a constant, which are read as if they were a piece of a register.
const Width = 32

// Constant is a number.
type Constant [Width]float64

// Result is the register of the result.
func (f *Formula) Result() int { return f.Steps[len(f.Steps)-1].To }

// Room is how many float64 the registers have.
func (f *Formula) Room() int { return Block * f.Registers }
