// Package op says what an ONNX op is for the evaluator: a row with its name, its attributes, the shapes of its outputs
// and what they contain. The rows are in the packages below, a family each.
package op

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

// Row is an op, in all versions that its attributes and functions honour.
type Row struct {
	Name        string
	Domain      string
	Since       []int // the operator sets in which it changed, ascending
	Least, Most int   // inputs; any number if Most is negative
	Outputs     int   // at most; any number if negative
	Attrs       []Attr
	Shape       func(c *Call) []Type // of the outputs; it may read elements of inputs that are known beforehand
	Eval        func(c *Call)        // fills the outputs, which are zero; they are rounded to their types afterwards
	ShapeOnly   bool                 // whether Eval reads only the shapes of the inputs
}

// Version is the version of the op that an operator set has: the operator set in which it changed last. 0 if there is
// none yet.
func (r *Row) Version(opset int64) int {
	v := 0
	for _, s := range r.Since {
		if int64(s) <= opset {
			v = s
		}
	}
	return v
}

// Type is the type and the shape of an output.
type Type struct {
	Elem model.Type
	Dims []int
}

// Attr is an attribute of an op. The type of Default is that of the attribute; Need means that it has none.
type Attr struct {
	Name    string
	Default any
	Need    bool
	Before  int // the version of the op that has it no more; 0 if all have it
}

// Until returns the attribute of versions before one.
func (a Attr) Until(version int) Attr {
	a.Before = version
	return a
}

// Int is an attribute with an integer.
func Int(name string, x int64) Attr { return Attr{Name: name, Default: x} }

// NeedInt is an integer that must be given.
func NeedInt(name string) Attr { return Attr{Name: name, Default: int64(0), Need: true} }

// Float is an attribute with a number.
func Float(name string, x float32) Attr { return Attr{Name: name, Default: x} }

// Text is an attribute with a word.
func Text(name, word string) Attr { return Attr{Name: name, Default: word} }

// Ints is an attribute with integers, by default none.
func Ints(name string) Attr { return Attr{Name: name, Default: []int64(nil)} }

// NeedInts are integers that must be given.
func NeedInts(name string) Attr { return Attr{Name: name, Default: []int64(nil), Need: true} }

// Floats is an attribute with numbers, by default none.
func Floats(name string) Attr { return Attr{Name: name, Default: []float32(nil)} }

// Tensor is an attribute with a tensor, by default none.
func Tensor(name string) Attr { return Attr{Name: name, Default: (*model.Tensor)(nil)} }

// Fault is what Shape and Eval panic with if a call cannot be computed; the evaluator recovers it.
type Fault struct{ Err error }

// Unknown is the Fault of a shape that depends on elements that are not known.
type Unknown struct{ Input int }

func (u Unknown) Error() string {
	return fmt.Sprintf("the elements of input %d are not known", u.Input)
}

// Call is one node with its inputs.
type Call struct {
	Row     *Row
	Node    *model.Node
	Since   int            // the version of the op
	In      []*value.Value // nil for one that is left out
	Out     []*value.Value
	Threads int
	Budget  *Budget
}

// Fail ends the call.
func (c *Call) Fail(format string, args ...any) { panic(Fault{fmt.Errorf(format, args...)}) }

// Check ends the call if there is an error.
func (c *Call) Check(err error) {
	if err != nil {
		panic(Fault{err})
	}
}

// Has reports whether the input is there.
func (c *Call) Has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// Arg is an input that must be there.
func (c *Call) Arg(i int) *value.Value {
	if !c.Has(i) {
		c.Fail("input %d is missing", i)
	}
	return c.In[i]
}

// Known is an input with its elements.
func (c *Call) Known(i int) *value.Value {
	v := c.Arg(i)
	if !v.Known() {
		panic(Fault{Unknown{i}})
	}
	return v
}

// Floats are the elements of an input with fractions.
func (c *Call) Floats(i int) []float64 {
	if t := c.Arg(i).Type; !t.Float() {
		c.Fail("input %d is %s; it must be a float", i, t)
	}
	return c.Known(i).F
}

// Ints are the elements of an input of integers.
func (c *Call) Ints(i int) []int64 {
	if t := c.Arg(i).Type; t.Float() {
		c.Fail("input %d is %s; it must be an integer", i, t)
	}
	return c.Known(i).I
}

// Single is an input with one element.
func (c *Call) Single(i int) *value.Value {
	if c.Arg(i).Len() != 1 {
		c.Fail("input %d has the shape %v; it must have one element", i, c.Arg(i).Dims)
	}
	return c.Known(i)
}

// Same checks that two inputs have one type.
func (c *Call) Same(i, k int) {
	if a, b := c.Arg(i).Type, c.Arg(k).Type; a != b {
		c.Fail("input %d is %s, and input %d is %s", i, a, k, b)
	}
}

// Given reports whether the node has the attribute.
func (c *Call) Given(name string) bool { return c.Node.Attr(name) != nil }

// attr is the value of an attribute, or its default. Types are checked when the node is looked up.
func attr[T any](c *Call, name string) T {
	if a := c.Node.Attr(name); a != nil {
		return a.Value.(T)
	}
	for _, a := range c.Row.Attrs {
		if a.Name == name {
			return a.Default.(T)
		}
	}
	panic(fmt.Sprintf("op: %s has no attribute %s", c.Row.Name, name))
}

// Int is the value of an attribute.
func (c *Call) Int(name string) int { return int(attr[int64](c, name)) }

// Flag is an attribute that is 0 or not.
func (c *Call) Flag(name string) bool { return attr[int64](c, name) != 0 }

// Float is the value of an attribute.
func (c *Call) Float(name string) float64 { return float64(attr[float32](c, name)) }

// Text is the value of an attribute.
func (c *Call) Text(name string) string { return attr[string](c, name) }

// AttrInts is the value of an attribute.
func (c *Call) AttrInts(name string) []int { return Narrow(attr[[]int64](c, name)) }

// AttrFloats is the value of an attribute.
func (c *Call) AttrFloats(name string) []float32 { return attr[[]float32](c, name) }

// AttrTensor is the value of an attribute, nil if it is not given.
func (c *Call) AttrTensor(name string) *model.Tensor { return attr[*model.Tensor](c, name) }

// Narrow makes ints of int64s.
func Narrow(list []int64) []int {
	out := make([]int, len(list))
	for i, x := range list {
		out[i] = int(x)
	}
	return out
}

// Axis is a dimension by its number, which may count from the end. Most is the largest.
func (c *Call) Axis(axis, rank int) int {
	if axis < -rank || axis >= rank {
		c.Fail("the axis %d is none of a tensor with %d dimensions", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis
}

// Axes are several dimensions; one that is listed twice is a mistake.
func (c *Call) Axes(axes []int, rank int) []bool {
	on := make([]bool, rank)
	for _, a := range axes {
		a = c.Axis(a, rank)
		if on[a] {
			c.Fail("the axes %v have one twice", axes)
		}
		on[a] = true
	}
	return on
}

// Budget bounds what an evaluation may take. Counters only fall.
type Budget struct {
	Work atomic.Int64 // multiplications, additions and moves
}

// Work counts operations before they are done. A product that overflows is too much.
func (c *Call) Work(factors ...int) {
	n := int64(1)
	for _, f := range factors {
		if f > 0 && n > (1<<62)/int64(f) {
			c.Fail("it takes more operations than is allowed")
		}
		n *= int64(f)
	}
	if c.Budget != nil && c.Budget.Work.Add(-n) < 0 {
		c.Fail("it takes more operations than is allowed")
	}
}

// Parallel calls f for 0 to n−1 on several goroutines. What f writes must not depend on their number.
func (c *Call) Parallel(n int, f func(i int)) {
	threads := c.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = min(threads, n)
	if threads <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}
