package stdlib

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
	"qpipe/stdlib/layers"
)

// notLayers are the ops that no layer is, and why.
var notLayers = map[string]string{
	"input": "a network has input blocks",
}

// TestEveryOpIsALayer: every op of the table is what some layer of a written network adds.
func TestEveryOpIsALayer(t *testing.T) {
	made := map[string]bool{}
	for _, p := range Catalog() {
		if p.Kind == program.LayerKind {
			for _, op := range opsOf(t, p) {
				made[op] = true
			}
		}
	}
	bilinear := layers.UpsampleDefaults()
	bilinear.Mode = "bilinear"
	for _, m := range slices.Concat(addLayer(t, "Upsample", bilinear, 1), addLayer(t, "GELU", layers.GELUArgs{Approximate: "tanh"}, 1)) {
		made[m.Op] = true
	}
	for _, op := range nn.Ops() {
		if why := notLayers[op]; made[op] == (why != "") {
			t.Errorf("op %q: a layer adds it: %t; reason why none does: %q", op, made[op], why)
		}
	}
}

// opsOf are the ops that a layer of the shelf adds with its defaults, for as many operands as it takes.
func opsOf(t *testing.T, p part.Part) (ops []string) {
	args := reflect.ValueOf(p.Args()).Elem()
	for f, v := range program.Arguments(args.Addr().Interface()) {
		checkArg(t, p.Name, f, v)
	}
	for operands := 1; operands <= 2; operands++ {
		for _, m := range addLayer(t, p.Name, args.Interface(), operands) {
			ops = append(ops, m.Op)
		}
	}
	if len(ops) == 0 {
		t.Errorf("layer %q can be added neither to one map nor to two", p.Name)
	}
	return ops
}

// addLayer adds a layer to maps of a size that it takes, and lists the nodes; none where there is no such size.
func addLayer(t *testing.T, name string, args any, operands int) []nn.Module {
	t.Helper()
	l, err := part.New[part.Layer](Catalog(), part.Call{Kind: program.LayerKind, Type: name, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []tensor.Shape{{H: 8, W: 8, C: 4}, {H: 1, W: 8, C: 4}, {H: 2, W: 1, C: 4}, {H: 8, W: 8, C: 8}} {
		b := nn.NewBuilder(s)
		xs := []nn.Value{b.Input()}
		for i := 1; i < operands; i++ {
			xs = append(xs, b.AddInput(fmt.Sprint("more", i), s))
		}
		if g, err := b.Graph(l.Add(b, "tried", xs...)); err == nil {
			return slices.DeleteFunc(g.Modules(), func(m nn.Module) bool { return m.Name != "tried" && len(m.Inputs) == 0 })
		}
	}
	return nil
}

// TestLayersRefuse: an argument that no layer can have is refused at its name, before a network is built.
func TestLayersRefuse(t *testing.T) {
	up := func(change func(a *layers.UpsampleArgs)) layers.UpsampleArgs {
		a := layers.UpsampleDefaults()
		change(&a)
		return a
	}
	for _, c := range []struct {
		layer string
		args  any
		attr  string
	}{
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Size, a.Scale = []int{2}, []float64{2} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Scale = []float64{0} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Scale = []float64{1, 2, 3} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Size = []int{1, 2, 3} }), "size"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.AlignCorners = true }), "align_corners"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Mode, a.AlignCorners, a.Coordinates = "bilinear", true, "half_pixel" }), "align_corners"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Mode, a.Nearest = "bilinear", "floor" }), "nearest_mode"},
		{"AdaptiveAvgPool2d", layers.AdaptivePoolArgs{}, "output_size"},
		{"AdaptiveMaxPool2d", layers.AdaptivePoolArgs{Size: []int{-1}}, "output_size"},
		{"ReduceMean", layers.ReduceArgs{}, "axes"},
		{"ReduceSum", layers.ReduceArgs{Axes: []string{"depth"}}, "axes"},
		{"ReduceMax", layers.ReduceArgs{Axes: []string{"width", "width"}}, "axes"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height"}}, "dims"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height", "width"}}, "dims"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height", "depth"}}, "dims"},
		{"BasicVarGBlock", layers.BasicVarGBlockArgs{MidC: 8, OutC: 8, Kernel: 2}, "kernel_size"},
		{"MBConv", layers.MBConvArgs{OutC: 8, SERatio: 1.5}, "se_ratio"},
		{"GroupNorm", layers.GroupNormArgs{Groups: 0, Eps: 1e-5}, "num_groups"},
		{"InstanceNorm2d", layers.InstanceNormArgs{Eps: 0}, "eps"},
		{"LayerNorm", layers.LayerNormArgs{Eps: -1}, "eps"},
		{"Dropout", layers.DropoutArgs{P: 1}, "p"},
		{"Dropout2d", layers.DropoutArgs{P: -0.1}, "p"},
		{"Conv1d", layers.Conv1dArgs{OutC: 1, Kernel: 0, Stride: 1, Dilation: 1, Groups: 1}, "kernel_size"},
	} {
		v := c.args.(interface{ Validate() error })
		var arg *part.ArgError
		if err := v.Validate(); !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%s %+v: %v, where %s is wrong", c.layer, c.args, err, c.attr)
		}
	}
}
