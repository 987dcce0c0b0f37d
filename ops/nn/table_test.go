package nn

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/internal/optest"
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
)

// TestEveryRowIsWhole: a row of the table of ops has all that the passes and the engine ask of it, and what it says of
// itself is so.
func TestEveryRowIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		lacks := func(what string) { t.Errorf("op %q: %s", k.Name, what) }
		if k.Name == "" || seen[k.Name] {
			lacks("it has no name of its own")
		}
		seen[k.Name] = true
		switch {
		case k.Shape == nil:
			lacks("nothing says what its output's shape is")
		case !k.View && (k.Train == nil || k.Rests && k.Integer != nil):
			lacks("it does not run in every form")
		case k.Rests && k.Output != layer.Passes:
			lacks("outside of training its output is its operand, so nothing is quantized")
		case k.View && (k.Train != nil || k.Integer != nil || k.Output != layer.Passes):
			lacks("its output is its operand, so nothing runs and nothing is quantized")
		case k.Most >= 0 && k.Most < k.Least:
			lacks("it takes no number of operands")
		case k.Aligned && k.Least < 1:
			lacks("there is no operand that its output could be aligned with")
		case k.Output != layer.Own && k.Least < 1:
			lacks("there is no operand whose format its output could have")
		}
		cases := optest.Of(k)
		if len(cases) == 0 {
			lacks("internal/optest has no case of it")
			continue
		}
		n, err := cases[0].Op.Node(cases[0].Sources())
		if err != nil {
			t.Fatal(err)
		}
		if (n.Body != nil) != (k.Restore != nil) {
			lacks("its nodes' attributes are written and not read, or read and not written")
		}
		if c := convbn.Of(n); (c != nil) != (k.Role == layer.Head) {
			lacks("a head of a chain has the weights of a convolution, and no other node")
		}
		if (convbn.BNOf(n) != nil) != (k.Role == layer.Norm) {
			lacks("its role is that of a BN, and its body is not, or the other way round")
		}
	}
}

// TestStructuresKeepEveryOp: what a structure holds of a node of any op is what is read back.
func TestStructuresKeepEveryOp(t *testing.T) {
	for _, c := range optest.Cases() {
		made, err := c.Op.Node(c.Sources())
		if err != nil {
			t.Fatal(err)
		}
		n := &node{Node: made, members: []string{"x"}}
		n.Name = "x"
		if bn := convbn.BNOf(n.Node); bn != nil {
			bn.Name = "x"
		}
		text, err := (&Graph{form: Float}).nodeJSON(n).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var j nodeJSON
		if err := j.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		again := &Graph{form: Float}
		if err := again.restoreNode(j, map[string]int{}); err != nil {
			t.Errorf("%T: %v\n%s", c.Op, err, text)
			continue
		}
		if r := again.nodes[0]; r.Kind != n.Kind || r.Shape != n.Shape || r.Act != n.Act || r.Window() != n.Window() || !reflect.DeepEqual(r.Body, n.Body) {
			t.Errorf("%T is read back otherwise than it was written:\n%s", c.Op, text)
		}
	}
}

// TestLabels: the label of a node says what listings tell nodes of its op apart by.
func TestLabels(t *testing.T) {
	labels := map[string]bool{}
	for _, c := range optest.Cases() {
		n, err := c.Op.Node(c.Sources())
		if err != nil {
			t.Fatal(err)
		}
		labels[n.Label()] = true
	}
	for _, want := range []string{
		"conv 2×1", "grouped conv 3×2 /2×1", "depthwise 3×3 dilation 2", "conv_transpose 2×2 /2", "max_pool 3×2 /2×1", "global_avg_pool 6×5",
		"relu6", "sigmoid", "leaky_relu", "leaky_relu negative_slope 0.3", "clip min -0.5 max 1.25", "softmax axis 0", "reduce_mean axes 0,2",
		"slice 1:6:2,2:5,0:3", "pad begins 1,0,0 ends 0,2,0 mode constant value -0.7", "transpose order 2,0,1", "channel_shuffle groups 3",
		"resize_nearest asymmetric ×2", "resize_bilinear align_corners", "group_norm groups 2 eps 1e-05 affine", "dropout p 0.5 channels", "linear", "add",
	} {
		if !labels[want] {
			t.Errorf("no case has the label %q; there are %q", want, slices.Sorted(maps.Keys(labels)))
		}
	}
}

// TestNobodyAsksWhichOp: nothing but an op's own file compares the kind of a node or its name: what depends on the op is in its row.
func TestNobodyAsksWhichOp(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Kinds() {
		names[fmt.Sprintf("%q", k.Name)] = true
	}
	mayAsk := []string{"../../interp/bench/subject.go"} // a qconfig that chooses nodes by their op, as a user's may
	for _, pattern := range []string{"*.go", "../engine/*.go", "../../interp/*/*.go", "../../stdlib/*.go", "../../stdlib/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") && !slices.Contains(mayAsk, file) {
				comparesKinds(t, file, names)
			}
		}
	}
}

// comparesKinds looks for comparisons and cases with the name of an op, where what is compared is called Op or Name.
func comparesKinds(t *testing.T, file string, names map[string]bool) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	asks := func(e ast.Expr) bool {
		s, ok := e.(*ast.SelectorExpr)
		return ok && (s.Sel.Name == "Op" || s.Sel.Name == "Kind" || s.Sel.Name == "Name")
	}
	named := func(e ast.Expr) bool {
		l, ok := e.(*ast.BasicLit)
		return ok && names[l.Value]
	}
	ast.Inspect(f, func(n ast.Node) bool {
		bad := false
		switch n := n.(type) {
		case *ast.BinaryExpr:
			bad = (n.Op == token.EQL || n.Op == token.NEQ) && (asks(n.X) && named(n.Y) || asks(n.Y) && named(n.X))
		case *ast.SwitchStmt:
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					bad = bad || n.Tag != nil && asks(n.Tag) && named(e)
				}
			}
		}
		if bad {
			t.Errorf("%s asks which op a node is: put what depends on it into the op's row (ops/layer)", fset.Position(n.Pos()))
		}
		return true
	})
}

// TestEveryOpHasAMap: the map in whose order an output's elements lie has as many as the output, also where an operand is repeated.
func TestEveryOpHasAMap(t *testing.T) {
	for _, c := range optest.Cases() {
		if len(c.In) == 0 {
			continue
		}
		b := NewBuilder(c.In[0])
		x := []Value{b.Input()}
		for i, s := range c.In[1:] {
			x = append(x, b.AddInput(fmt.Sprint("input", i+1), s))
		}
		g, err := b.Graph(b.Apply("op", c.Op, x...))
		if err != nil {
			t.Fatal(err)
		}
		if m := g.Modules()[g.Place("op")]; m.Map.WithN(1).Len() != m.Out.WithN(1).Len() {
			t.Errorf("%T of %v: its output is %v, and in the order of %v", c.Op, c.In, m.Out, m.Map)
		}
	}
}
