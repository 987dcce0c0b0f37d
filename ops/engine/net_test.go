package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// prepared is the graph with every op in a mode, "" for float.
func prepared(t testing.TB, mode nn.Mode) *nn.Graph {
	g := everyOp(t)
	g.Init(3)
	netdraw.Jitter(g, rand.New(rand.NewPCG(4, 4)))
	if mode != "" {
		if errs := g.SetQConfig(int8Config("fc")); len(errs) > 0 {
			t.Fatal(errs)
		}
		must(t, g.Prepare(nn.QAT, mode))
	}
	return g
}

func modes() []nn.Mode { return []nn.Mode{"", nn.FuseBN, nn.WithBN, nn.ReverseFold} }

// hash is over all tensors.
func hash(t testing.TB, g *nn.Graph) string {
	h := sha256.New()
	for _, s := range g.Tensors() {
		fmt.Fprintln(h, s.Name, s.Shape)
		must(t, binary.Write(h, binary.LittleEndian, s.Data))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// TestThreads: training gives the same bytes whatever the number of threads, with
// every set, and a last batch may be smaller.
func TestThreads(t *testing.T) {
	for _, set := range sets.All() {
		if set.Name == "ref" {
			continue // slow, and nothing in it knows of ranges
		}
		for _, mode := range modes() {
			want := hashAfter(t, set, mode, 1)
			for _, threads := range []int{2, 3, 7} {
				if got := hashAfter(t, set, mode, threads); got != want {
					t.Errorf("%s, %q: %d threads give %s, 1 thread %s", set.Name, mode, threads, got, want)
				}
			}
		}
	}
}

// hashAfter is the hash of a graph after some steps, with an absorption in the middle.
func hashAfter(t *testing.T, set *kernel.Set, mode nn.Mode, threads int) string {
	g := prepared(t, mode)
	pool := NewWorkers(threads)
	defer pool.Close()
	e, err := Compile(g, 9, true, set, pool)
	must(t, err)
	tr, r := newTrainer(e, 0.05, 1e-4), rand.New(rand.NewPCG(8, 8))
	for s := range 6 {
		n := []int{9, 9, 4}[s%3]
		labels := make([]int32, n)
		for i := range labels {
			labels[i] = int32(r.IntN(5))
		}
		tr.step(randn(r, n*g.Input().WithN(1).Len(), 1), labels, nil)
		if s == 3 && (mode == nn.WithBN || mode == nn.ReverseFold) {
			must(t, g.Absorb("c1", false))
		}
	}
	return hash(t, g)
}

// TestEvalChangesNothing: eval leaves every bit of the state as it was; what
// calibration changes is the ranges alone.
func TestEvalChangesNothing(t *testing.T) {
	for _, mode := range modes() {
		g := prepared(t, mode)
		r := rand.New(rand.NewPCG(6, 6))
		e := compile(t, g, 4, true)
		x := randn(r, g.Input().WithN(4).Len(), 1)
		e.Forward(x, 4, Train)
		e.Backward(randn(r, 20, 1))
		before := g.Tensors()
		e.Forward(x, 4, Eval)
		if a, b := before, g.Tensors(); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%q: eval changed the state", mode)
		}
		e.Forward(randn(r, len(x), 2), 4, Calibrate)
		for i, s := range g.Tensors() {
			isRange := len(s.Shape) == 1 && s.Shape[0] == 2 && s.Name[max(0, len(s.Name)-8):] == ".min_max"
			if !isRange && fmt.Sprint(s) != fmt.Sprint(before[i]) {
				t.Errorf("%q: calibration changed %s", mode, s.Name)
			}
		}
	}
}

// TestStepAllocatesNothing: after the first step no step allocates.
func TestStepAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, mode := range modes() {
		g := prepared(t, mode)
		x, dy := randn(r, g.Input().WithN(4).Len(), 1), randn(r, 20, 1)
		e := compile(t, g, 4, true)
		passes := map[string]func(){
			"train":     func() { e.Forward(x, 4, Train); e.Backward(dy); e.NotFinite() },
			"eval":      func() { e.Forward(x, 4, Eval) },
			"calibrate": func() { e.Forward(x, 4, Calibrate) },
		}
		if mode == nn.FuseBN {
			e.Forward(x, 4, Train)
			c, err := g.Convert()
			must(t, err)
			q := compile(t, c, 4, false)
			passes["int8"] = func() { q.Forward(x, 4, Eval) }
		}
		for name, f := range passes {
			f()
			if n := testing.AllocsPerRun(5, f); n != 0 {
				t.Errorf("%q: a %s step allocates %v times", mode, name, n)
			}
		}
	}
}

// TestTensors: a graph that is made anew, with the absorptions replayed and the
// tensors set, computes the same; so does one restored from its structure, and so
// does the int8 model without any of the pipeline.
func TestTensors(t *testing.T) {
	for _, mode := range modes() {
		g := prepared(t, mode)
		r := rand.New(rand.NewPCG(6, 6))
		x := randn(r, g.Input().WithN(4).Len(), 1)
		e := compile(t, g, 4, true)
		e.Forward(x, 4, Train)
		e.Backward(randn(r, 20, 1))
		graphs := map[string]*nn.Graph{"made anew": everyOp(t)}
		if mode != "" {
			graphs["made anew"].SetQConfig(int8Config("fc"))
			must(t, graphs["made anew"].Prepare(nn.QAT, mode))
		}
		if mode == nn.WithBN || mode == nn.ReverseFold {
			must(t, g.Absorb("nd", false))
			must(t, g.Absorb("c1", true))
			must(t, graphs["made anew"].ReplayAbsorbed(g.Absorbed()))
		}
		var err error
		graphs["restored"], err = nn.Restore(g.Structure())
		must(t, err)
		graphs["cloned"] = g.Clone()
		want := slices.Clone(e.Forward(x, 4, Eval))
		check := func(what string, from, to *nn.Graph, want []float32) {
			for _, s := range from.Tensors() {
				must(t, to.SetTensor(s))
			}
			if a, b := hash(t, from), hash(t, to); a != b {
				t.Errorf("%q, %s: the tensors differ", mode, what)
			}
			if d := maxDiff(want, compile(t, to, 4, false).Forward(x, 4, Eval)); d != 0 {
				t.Errorf("%q, %s: the output differs by %g", mode, what, d)
			}
		}
		for what, f := range graphs {
			check(what, g, f, want)
		}
		if mode == "" {
			continue
		}
		c, err := g.Convert()
		must(t, err)
		f, err := nn.Restore(c.Structure())
		must(t, err)
		check("int8", c, f, compile(t, c, 4, false).Forward(x, 4, Eval))
	}
}

// TestSetTensorMistakes: names, shapes and types that do not fit are errors.
func TestSetTensorMistakes(t *testing.T) {
	g := prepared(t, "")
	for want, s := range map[string]nn.Tensor{
		`the float model has no tensor "x"`:                                     {Name: "x"},
		`tensor "fc.bias" has the shape [4] and the model wants [5]`:            {Name: "fc.bias", Shape: []int{4}, Data: make([]float32, 4)},
		`tensor "fc.bias" is of type []int32 and the model wants []float32`:     {Name: "fc.bias", Shape: []int{5}, Data: make([]int32, 5)},
		`tensor "fc.bias" has 3 values of type []float32 and the model wants 5`: {Name: "fc.bias", Shape: []int{5}, Data: make([]float32, 3)},
	} {
		if err := g.SetTensor(s); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestLinearOrder: a linear layer over a map has its weights in the order of
// channels, rows and columns in files, and the layout functions are inverse.
func TestLinearOrder(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 2, W: 3, C: 4})
	g, err := b.Graph(b.Linear("fc", b.Flatten("f", b.Input()), 1, false))
	must(t, err)
	w := make([]float32, 24)
	w[1*6+1*3+2] = 1 // channel 1, row 1, column 2
	must(t, g.SetTensor(nn.Tensor{Name: "fc.weight", Shape: []int{1, 24}, Data: w}))
	x := make([]float32, 24)
	for i := range x {
		x[i] = float32(i)
	}
	if y := compile(t, g, 1, false).Forward(x, 1, Eval); y[0] != (1*3+2)*4+1 {
		t.Errorf("picked element %g", y[0])
	}
	_, f := g.ToFile("fc.weight", x)
	if back := g.FromFile("fc.weight", f); !slices.Equal(back, x) || slices.Equal(f, x) {
		t.Errorf("ToFile and FromFile: %v, %v", f, back)
	}
}

// TestConvertible: what keeps a graph from int8, each with the node and a way out, and which nodes stay float32.
func TestConvertible(t *testing.T) {
	float, int16 := nn.Quant{}, nn.Quant{Spec: quant.Spec{DType: quant.Int16}, Observer: minMax{0.01}}
	tests := []struct {
		name    string
		change  func(m nn.Module, q *nn.QConfig)
		want    []string
		islands []nn.Island
	}{
		{"all int8", func(nn.Module, *nn.QConfig) {}, nil, nil},
		{"float output at the end", func(m nn.Module, q *nn.QConfig) { at(m, "fc", &q.Activation, float) }, nil, nil},
		{"int16", func(m nn.Module, q *nn.QConfig) { at(m, "k", &q.Activation, int16) }, []string{"k"}, nil},
		{
			"float in the middle", func(m nn.Module, q *nn.QConfig) { at(m, "c1", &q.Activation, float) }, nil,
			[]nn.Island{
				{Node: "c1", Why: "its output is float32"},
				{Node: "dw", Why: "its operand c1 is float32"},
				{Node: "mp", Why: "its operand c1 is float32"},
				{Node: "ap", Why: "its operand c1 is float32"},
				{Node: "ct", Why: "its operand c1 is float32"},
				{Node: "k", Why: "its operand mp is float32"},
			},
		},
		{"float island", func(m nn.Module, q *nn.QConfig) {
			at(m, "l1", &q.Activation, float)
			at(m, "l1", &q.Weight, float)
		}, nil, []nn.Island{{Node: "l1", Why: "its weight is float32"}, {Node: "a3", Why: "its operand l1 is float32"}}},
		{"float weight", func(m nn.Module, q *nn.QConfig) { at(m, "dw", &q.Weight, float) }, nil, []nn.Island{{Node: "dw", Why: "its weight is float32"}}},
		{
			"float input", func(m nn.Module, q *nn.QConfig) { at(m, "input", &q.Activation, float) }, nil,
			[]nn.Island{{Node: "input", Why: "its output is float32"}, {Node: "c0", Why: "its operand input is float32"}},
		},
		{"all float", func(_ nn.Module, q *nn.QConfig) { *q = nn.QConfig{} }, []string{"input"}, nil},
	}
	for _, tt := range tests {
		g := everyOp(t)
		errs := g.SetQConfig(func(m nn.Module) nn.QConfig {
			q := int8Config()(m)
			tt.change(m, &q)
			return q
		})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		must(t, g.Prepare(nn.QAT, nn.WithBN))
		var got []string
		for _, e := range g.Convertible() {
			got = append(got, e.Node)
			if e.Way == "" {
				t.Errorf("%s: %v: no way out", tt.name, e)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, g.Convertible(), tt.want)
		}
		if is := g.Islands(); tt.want == nil && !slices.Equal(is, tt.islands) {
			t.Errorf("%s: the islands are %v, want %v", tt.name, is, tt.islands)
		}
		if _, err := g.Convert(); (err == nil) != (tt.want == nil) {
			t.Errorf("%s: Convert says %v", tt.name, err)
		}
	}
}

func at(m nn.Module, name string, q *nn.Quant, to nn.Quant) {
	if m.Name == name {
		*q = to
	}
}

// TestSetQConfigMistakes: types that a node cannot have.
func TestSetQConfigMistakes(t *testing.T) {
	bad := []nn.QConfig{
		{Weight: nn.Quant{Spec: quant.Spec{DType: quant.Int16}}},
		{Weight: nn.Quant{Spec: quant.Spec{DType: quant.UInt8}}},
		{Weight: nn.Quant{Spec: quant.Spec{DType: quant.Int8, Scheme: quant.Affine}}},
		{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}}},
		{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true}, Observer: minMax{}}},
		{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int16, Scheme: quant.Affine}, Observer: minMax{}}},
	}
	for _, q := range bad {
		g := everyOp(t)
		errs := g.SetQConfig(func(m nn.Module) nn.QConfig {
			if m.Name == "c1" {
				return q
			}
			return nn.QConfig{}
		})
		if len(errs) != 1 || errs[0].Node != "c1" || errs[0].Way == "" {
			t.Errorf("%+v: got %v", q, errs)
		}
	}
}

// TestNotFinite: a NaN is found where it is.
func TestNotFinite(t *testing.T) {
	var zero float32
	nan := zero / zero
	g := prepared(t, nn.ReverseFold)
	e := compile(t, g, 2, true)
	if node, what, bad := e.NotFinite(); bad {
		t.Fatalf("%s of %s in a sound graph", what, node)
	}
	c := nodesOf(g)[g.Place("c1")]
	for want, v := range map[string]*float32{
		"weight": &convbn.Of(c).W.Data[5], "gradient of the weight": &convbn.Of(c).W.Grad[0], "BN's running mean or variance": &convbn.Of(c).BN.Var[1],
		"activation range": &c.Quant.Max, "weight scale": &convbn.Of(c).WScale[2],
	} {
		old := *v
		*v = nan
		if node, what, bad := e.NotFinite(); !bad || node != "c1" || what != want {
			t.Errorf("got %q, %q, %t; want c1, %q", node, what, bad, want)
		}
		*v = old
	}
}

// A released net computes as before.
func TestRelease(t *testing.T) {
	g := resnet8(t, tensor.Shape{H: 16, W: 16, C: 3}, 8)
	g.Init(3)
	g.SetQConfig(int8Config("fc"))
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	x := randn(rand.New(rand.NewPCG(5, 5)), 2*16*16*3, 1)
	compile(t, g, 2, true).Forward(x, 2, Train)
	q, err := g.Convert()
	must(t, err)
	e := compile(t, q, 2, false)
	want := slices.Clone(e.Forward(x, 2, Eval))
	e.Release()
	if got := e.Forward(x, 2, Eval); !slices.Equal(got, want) {
		t.Errorf("%v after the release, %v before", got, want)
	}
}

// A sum of more products than int32 is sure to hold is computed in float32 in every form: of a network with other nodes a float island.
func TestTooManyProducts(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 300, W: 300, C: 1})
	g, err := b.Graph(b.Linear("fc", b.MaxPool("pool", b.Input(), op.PoolArgs{Kernel: [2]int{1, 1}}), 2, true))
	must(t, err)
	g.Init(1)
	g.SetQConfig(int8Config("fc"))
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	x := randn(rand.New(rand.NewPCG(6, 6)), 2*300*300, 1)
	e := compile(t, g, 2, true)
	e.Forward(x, 2, Train)
	e.Backward([]float32{1, 0, 0, -1})
	if is := g.Islands(); len(is) != 1 || is[0].Node != "fc" || !strings.Contains(is[0].Why, "90000 products") {
		t.Errorf("the islands are %v", is)
	}
	qat, int8 := pair(t, g, 2)
	sameCodes(t, "too many products", qat, int8, x, 2)
}

// TestBiasBesideProducts: a sum of up to 65,792 products and the bias beside it fit into int32, also of codes that are 255 from
// their zero point, weights that are all at their limit, and a bias as large as its grid allows.
func TestBiasBesideProducts(t *testing.T) {
	for _, side := range []int{181, 183, 200, 256} { // 33,155 lies between the first two
		for _, scheme := range []quant.Scheme{quant.Symmetric, quant.Affine} {
			b := nn.NewBuilder(tensor.Shape{H: side, W: side, C: 1})
			g, err := b.Graph(b.Linear("fc", b.MaxPool("pool", b.Input(), op.PoolArgs{Kernel: [2]int{1, 1}}), 2, true))
			must(t, err)
			g.Init(1)
			const x, w = 1, 0.01
			k := float64(side * side)
			bias := 0.99 * (1 << 30) * x * w / 127 / 255
			for _, p := range g.Params() {
				soil(p.Data, w)
				if p.Name == "fc.bias" {
					p.Data[0], p.Data[1] = float32(bias), float32(-bias)
				}
			}
			g.SetQConfig(func(m nn.Module) nn.QConfig {
				q := nn.QConfig{Weight: weight8()}
				if m.Name != "fc" {
					q.Activation = nn.Quant{Spec: quant.Spec{DType: quant.Int8, Scheme: scheme}, Observer: minMax{1}}
				}
				return q
			})
			must(t, g.Prepare(nn.Calibration, nn.WithBN))
			in := slices.Repeat([]float32{x}, side*side)
			compile(t, g, 1, false).Forward(in, 1, Calibrate)
			must(t, g.Prepare(nn.QAT, nn.WithBN))
			int8, err := g.Convert()
			must(t, err)
			if is := int8.Islands(); len(is) > 0 {
				t.Fatalf("%d products: the islands are %v", side*side, is)
			}
			for _, form := range []*nn.Graph{g, int8} {
				y := compile(t, form, 1, false).Forward(in, 1, Eval)
				for o, sign := range []float64{1, -1} {
					if want := k*x*w + sign*bias; math.Abs(float64(y[o])-want) > 0.06*(k*x*w+bias) {
						t.Errorf("%d products, scheme %d, %s: output %d is %g, want %g", side*side, scheme, form.Form(), o, y[o], want)
					}
				}
			}
		}
	}
}

// TestSeveralInputsAndOutputs: a network with two inputs and two outputs, one of which is read on inside, is what two calls of
// one network are; the gradients of the outputs add up, and its structure is read back.
func TestSeveralInputsAndOutputs(t *testing.T) {
	s := tensor.Shape{H: 6, W: 6, C: 2}
	b := nn.NewBuilder(s)
	side := b.AddInput("side", s)
	x := b.Conv("stem", b.Add("sum", b.Input(), side), convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}})
	mask := b.Conv("mask", b.Act("relu", x, kernel.ReLU), convbn.Conv{OutC: 3, Kernel: [2]int{1, 1}})
	class := b.Linear("class", b.GlobalAvgPool("gap", mask), 5, true)
	g, err := b.Graph(mask, class)
	must(t, err)
	g.Init(1)
	if in, out := g.Inputs(), g.Outputs(); len(in) != 2 || in[1].Name != "side" || len(out) != 2 || out[0].Name != "mask" || out[1].Shape.C != 5 {
		t.Fatalf("inputs %v, outputs %v", in, out)
	}
	again, err := nn.Restore(g.Structure())
	must(t, err)
	if !bytes.Equal(again.Structure(), g.Structure()) {
		t.Errorf("the structure is read back as\n%s\nand was\n%s", again.Structure(), g.Structure())
	}
	const n = 3
	r := rand.New(rand.NewPCG(1, 2))
	size := s.WithN(n).Len()
	in := [][]float32{randn(r, size, 1), randn(r, size, 1)}
	dy := [][]float32{randn(r, n*6*6*3, 1), randn(r, n*5, 1)}
	e := compile(t, g, n, true)
	loss := func() float64 {
		y := e.ForwardAll(in, n, Train)
		return dot(y[0], dy[0]) + dot(y[1], dy[1])
	}
	loss()
	e.BackwardAll(dy)
	for _, p := range g.Params() {
		grad := slices.Clone(p.Grad)
		if want, ok := difference(p, 0, loss); ok && math.Abs(want-float64(grad[0])) > 2e-2*math.Abs(want)+2e-2 {
			t.Errorf("%s[0]: gradient %g, difference %g", p.Name, grad[0], want)
		}
	}
	g.SetQConfig(int8Config("class"))
	must(t, g.Prepare(nn.QAT, nn.FuseBN))
	e.ForwardAll(in, n, Train)
	int8, err := g.Convert()
	must(t, err)
	want, got := keeping(t, g, n).ForwardAll(in, n, Eval), keeping(t, int8, n).ForwardAll(in, n, Eval)
	for k := range want {
		if !slices.Equal(want[k], got[k]) {
			t.Errorf("output %d of the int8 form is not that of the QAT evaluation", k)
		}
	}
}
