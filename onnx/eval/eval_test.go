package eval

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

// graph is a model with the nodes, an input x of the shape [2, 3] and an output y.
func graph(opset int64, nodes ...*model.Node) *model.Model {
	return &model.Model{IRVersion: 8, Opsets: map[string]int64{"": opset}, Graph: &model.Graph{
		Name:    "g",
		Inputs:  []*model.Value{{Name: "x", Type: model.Float, Known: true, Shape: []model.Dim{{Size: 2}, {Size: 3}}}},
		Outputs: []*model.Value{{Name: "y"}},
		Nodes:   nodes,
	}}
}

func node(op string, in, out string, attrs ...model.Attribute) *model.Node {
	return &model.Node{Op: op, Name: strings.ToLower(op), Inputs: strings.Fields(in), Outputs: strings.Fields(out), Attributes: attrs}
}

func attribute(name string, v any) model.Attribute { return model.Attribute{Name: name, Value: v} }

// TestUnsupported: all that cannot be computed is reported at once, each with its node and a way out.
func TestUnsupported(t *testing.T) {
	foreign := node("Fancy", "a", "b")
	foreign.Domain = "org.example"
	m := graph(30,
		node("NonMaxSuppression", "x", "a"),
		foreign,
		node("Relu", "b", "c", attribute("slope", float32(1))),
		node("Clip", "c", "d", attribute("min", float32(0))),
		node("If", "d", "y"),
	)
	_, err := New(m)
	var u *Unsupported
	if !errors.As(err, &u) || len(u.Items) != 6 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"operator set 30; 24 is the newest that is known here: export the model with operator set 24",
		`NonMaxSuppression "nonmaxsuppression": the op is not known here: cut the model before it`,
		`org.example.Fancy "fancy": the op is not known here: ops of the domain "org.example"`,
		`Relu "relu": the attribute "slope"`,
		`Clip "clip": the attribute "min": version 13 of the op has none`,
		`If "if": the op is not known here: export the model by tracing`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the text lacks %q:\n%v", want, err)
		}
	}
	if _, err := New(graph(12, node("HardSwish", "x", "y"))); err == nil || !strings.Contains(err.Error(), "the op is not in operator set 12: it came with 14") {
		t.Errorf("an op that is too new: %v", err)
	}
}

// TestNodeErrors: a mistake names the node and what is wrong with which input.
func TestNodeErrors(t *testing.T) {
	for _, c := range []struct {
		want  string
		nodes []*model.Node
	}{
		{`MatMul "matmul": matrices of the shapes [2 3] and [2 3] cannot be multiplied`, []*model.Node{node("MatMul", "x x", "y")}},
		{`Conv "conv": weights of the shape [2 3] do not fit an input of the shape [2 3]`, []*model.Node{node("Conv", "x x", "y")}},
		{`Reshape "reshape": input 1 is float; it must be an integer`, []*model.Node{node("Flatten", "x", "f", attribute("axis", int64(0))), node("Squeeze", "f", "s"), node("Reshape", "x s", "y")}},
		{`Transpose "transpose": the permutation [1] does not fit the shape [2 3]`, []*model.Node{node("Transpose", "x", "y", attribute("perm", []int64{1}))}},
		{`Transpose "transpose": the attribute "perm" is a int64; it must be a []int64`, []*model.Node{node("Transpose", "x", "y", attribute("perm", int64(1)))}},
		{`Concat "concat": the axis 5 is none of a tensor with 2 dimensions`, []*model.Node{node("Concat", "x x", "y", attribute("axis", int64(5)))}},
		{`Relu "relu": it has 2 inputs; it must have 1`, []*model.Node{node("Relu", "x x", "y")}},
		{`Cast "cast": the attribute "to" is missing`, []*model.Node{node("Cast", "x", "y")}},
		{`Not "not": input 0 is float; it must be an integer`, []*model.Node{node("Not", "x", "y")}},
		{`Equal "equal": input 0 is float, and input 1 is int64`, []*model.Node{node("Shape", "x", "s"), node("Equal", "x s", "y")}},
		{`ConstantOfShape "constantofshape": output 0: the shape [1048576 1048576 1048576] has more than 2^40 elements`, []*model.Node{
			node("Constant", "", "s", attribute("value_ints", []int64{1 << 20, 1 << 20, 1 << 20})), node("ConstantOfShape", "s", "y"),
		}},
		{`ConstantOfShape "constantofshape": output 0: the dimension -4 is negative`, []*model.Node{
			node("Constant", "", "s", attribute("value_ints", []int64{-4})), node("ConstantOfShape", "s", "y"),
		}},
		{`ConstantOfShape "constantofshape": its outputs take more memory than is allowed`, []*model.Node{
			node("Constant", "", "s", attribute("value_ints", []int64{1 << 20, 1 << 20})), node("ConstantOfShape", "s", "y"),
		}},
		{`Dropout "dropout": it drops values, as while training`, []*model.Node{
			node("Constant", "", "r", attribute("value_float", float32(0.5))), node("Cast", "r", "t", attribute("to", int64(model.Bool))), node("Dropout", "x r t", "y"),
		}},
	} {
		p, err := New(graph(17, c.nodes...))
		if err == nil {
			_, err = p.Run(map[string]*value.Value{"x": value.New(model.Float, []int{2, 3})}, Options{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

func TestInputs(t *testing.T) {
	p, err := New(graph(17, node("Relu", "x", "y")))
	must(t, err)
	x := value.New(model.Float, []int{2, 3})
	for want, in := range map[string]map[string]*value.Value{
		`the input "x" of the model is missing`:                       {},
		`the input "x" of the model is float, not int64`:              {"x": value.New(model.Int64, []int{2, 3})},
		`the input "x" of the model has the shape [2 3], not [3 2]`:   {"x": value.New(model.Float, []int{3, 2})},
		`the input "x" of the model has the shape [2 3], not [2 3 1]`: {"x": value.New(model.Float, []int{2, 3, 1})},
		`the model has no input "z"`:                                  {"x": x, "z": x},
	} {
		if _, err := p.Run(in, Options{}); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestObserve: every value is seen once, in order, and is not changed by later nodes; an evaluation can be ended.
func TestObserve(t *testing.T) {
	p, err := New(graph(17, node("Neg", "x", "a"), node("Relu", "a", "b"), node("Add", "a b", "y"), node("Exp", "x", "unused")))
	must(t, err)
	x := value.Floats([]int{2, 3}, 1, -2, 3, -4, 5, -6)
	seen := map[string]*value.Value{}
	var order []string
	out, err := p.Run(map[string]*value.Value{"x": x}, Options{Observe: func(name string, v *value.Value) {
		order, seen[name] = append(order, name), v
	}})
	must(t, err)
	if want := []string{"x", "a", "b", "y", "unused"}; !slices.Equal(order, want) {
		t.Errorf("%v were seen, not %v", order, want)
	}
	if want := []float64{0, 2, 0, 4, 0, 6}; !slices.Equal(seen["b"].F, want) {
		t.Errorf("b is %v", seen["b"].F)
	}
	if len(out) != 1 || !slices.Equal(out["y"].F, []float64{-1, 4, -3, 8, -5, 12}) {
		t.Errorf("the outputs are %v", out)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Run(map[string]*value.Value{"x": x}, Options{Context: ended}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gives %v", err)
	}
}

// TestLimits: memory counts what is alive at the same time, and work is refused before it is done.
func TestLimits(t *testing.T) {
	p, err := New(graph(17, node("Neg", "x", "a"), node("Neg", "a", "b"), node("Neg", "b", "c"), node("Neg", "c", "y")))
	must(t, err)
	x := map[string]*value.Value{"x": value.New(model.Float, []int{2, 3})}
	for _, c := range []struct {
		l  Limits
		ok bool
	}{{Limits{Elements: 12}, true}, {Limits{Elements: 11}, false}, {Limits{Work: 24}, true}, {Limits{Work: 23}, false}} {
		if _, err := p.Run(x, Options{Limits: c.l}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.l, err)
		}
	}
}

// TestThreads: the number of goroutines changes no bit.
func TestThreads(t *testing.T) {
	w := value.New(model.Float, []int{70, 5, 3, 3})
	for i := range w.F {
		w.F[i] = float64(float32(math.Sin(float64(i))))
	}
	m := graph(17, node("Conv", "x w", "y", attribute("pads", []int64{1, 1, 1, 1})))
	m.Graph.Inputs[0].Known = false
	m.Graph.Initializers = []*model.Tensor{w.Tensor("w")}
	p, err := New(m)
	must(t, err)
	x := value.New(model.Float, []int{2, 5, 19, 17})
	for i := range x.F {
		x.F[i] = float64(float32(math.Cos(float64(i))))
	}
	var first []float64
	for _, threads := range []int{1, 2, 7} {
		out, err := p.Run(map[string]*value.Value{"x": x}, Options{Threads: threads})
		must(t, err)
		if first == nil {
			first = out["y"].F
		}
		if !slices.Equal(first, out["y"].F) {
			t.Errorf("%d threads give other values", threads)
		}
	}
}

// TestListedOps: what CNNs in files of operator sets 7 to 24 use can be computed in each of them that has the op.
func TestListedOps(t *testing.T) {
	rows := table()
	for _, name := range strings.Fields(`Conv ConvTranspose BatchNormalization InstanceNormalization LayerNormalization Gemm MatMul Add Sub Mul Div Pow
		Sqrt Max Min Mean Relu LeakyRelu PRelu Elu Clip Sigmoid HardSigmoid HardSwish Tanh Softmax LogSoftmax MaxPool AveragePool GlobalAveragePool
		GlobalMaxPool ReduceMean ReduceSum ReduceMax ArgMax Concat Split Slice Pad Flatten Reshape Squeeze Unsqueeze Transpose Expand Gather DepthToSpace
		SpaceToDepth Resize Upsample Dropout Identity Cast Constant ConstantOfShape Shape QuantizeLinear DequantizeLinear DynamicQuantizeLinear
		QLinearConv QLinearMatMul ConvInteger MatMulInteger`) {
		row := rows[key{"", name}]
		if row == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		for opset := int64(7); opset <= Newest; opset++ {
			if v := row.Version(opset); v == 0 && row.Since[0] <= 7 || int64(v) > opset {
				t.Errorf("%s has version %d in operator set %d", name, v, opset)
			}
		}
		if !slices.IsSorted(row.Since) {
			t.Errorf("the versions of %s are %v", name, row.Since)
		}
	}
}
