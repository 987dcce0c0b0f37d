package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

func build(t testing.TB, m part.Model, err error, in tensor.Shape) *nn.Graph {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Build([]tensor.Shape{in})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func resnet(t *testing.T, depth, width, channels int) *nn.Graph {
	t.Helper()
	a := ResNetDefaults()
	a.Depth, a.Width = depth, width
	m, err := NewResNet(a)
	return build(t, m, err, tensor.Shape{H: 32, W: 32, C: channels})
}

// count is the number of trainable values.
func count(g *nn.Graph) (n int) {
	for _, t := range g.Tensors() {
		if t.Trainable {
			size := 1
			for _, d := range t.Shape {
				size *= d
			}
			n += size
		}
	}
	return n
}

// resNetParams counts by hand: convolutions without bias, two values a BN channel, one linear layer.
func resNetParams(blocks []int, w, channels, classes int) int {
	conv := func(in, out, k int) int { return in*out*k*k + 2*out }
	n, in := conv(channels, w, 3), w
	for s, count := range blocks {
		out := w << s
		for range count {
			n += conv(in, out, 3) + conv(out, out, 3)
			if in != out {
				n += conv(in, out, 1)
			}
			in = out
		}
	}
	return n + in*classes + classes
}

func TestResNetParameters(t *testing.T) {
	for _, c := range []struct {
		depth, width int
		blocks       []int
	}{
		{8, 8, []int{1, 1, 1}},
		{8, 16, []int{1, 1, 1}},
		{20, 16, []int{3, 3, 3}},
		{56, 8, []int{9, 9, 9}},
		{18, 64, []int{2, 2, 2, 2}},
		{34, 8, []int{3, 4, 6, 3}},
	} {
		g := resnet(t, c.depth, c.width, 3)
		if got, want := count(g), resNetParams(c.blocks, c.width, 3, 10); got != want {
			t.Errorf("ResNet-%d of width %d has %d parameters, want %d", c.depth, c.width, got, want)
		}
	}
	// The literature's figures: 0.27 M for ResNet-20 (He et al. 2015, table 6; ours has 1×1 convolutions in two
	// shortcuts), 11.17 M for ResNet-18 on CIFAR-10.
	if n := count(resnet(t, 20, 16, 3)); n < 265_000 || n > 275_000 {
		t.Errorf("ResNet-20 has %d parameters", n)
	}
	if n := count(resnet(t, 18, 64, 3)); n != 11_173_962 {
		t.Errorf("ResNet-18 has %d parameters", n)
	}
}

// members are the names of all parts of all nodes, in order.
func members(g *nn.Graph) (names []string) {
	for _, m := range g.Modules() {
		names = append(names, m.Members...)
	}
	return names
}

func TestResNetNames(t *testing.T) {
	want := []string{"input", "backbone.stem.conv", "backbone.stem.bn", "backbone.stem.act"}
	for s := 1; s <= 3; s++ {
		b := fmt.Sprintf("backbone.stage%d.0.", s)
		want = append(want, b+"conv1.conv", b+"conv1.bn", b+"conv1.act", b+"conv2.conv", b+"conv2.bn", b+"add", b+"act")
		if s > 1 {
			want = append(want, b+"downsample.conv", b+"downsample.bn")
		}
	}
	want = append(want, "head.pool", "head.fc")
	got := members(resnet(t, 8, 8, 1))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if all := strings.Join(members(resnet(t, 18, 4, 1)), " "); !strings.Contains(all, "backbone.stage4.1.conv2.bn") {
		t.Error(all)
	}
}

// The modules fuse by themselves: one node for each convolution, which takes BN, addition and activation in.
func TestResNetFuses(t *testing.T) {
	g := resnet(t, 20, 4, 3)
	for _, m := range g.Modules() {
		if !slices.Contains([]string{"input", "conv", "linear", "global_avg_pool"}, m.Op) {
			t.Errorf("%s is a node of its own: %s", m.Name, m.Op)
		}
		if m.Op == "conv" && m.BN == "" {
			t.Errorf("%s has no BN", m.Name)
		}
		if strings.HasSuffix(m.Name, ".conv2.conv") && len(m.Members) != 4 {
			t.Errorf("%s consists of %v", m.Name, m.Members)
		}
	}
}

func TestShapes(t *testing.T) {
	out := map[string]tensor.Shape{}
	for _, m := range resnet(t, 18, 4, 3).Modules() {
		out[m.Name] = m.Out.WithN(0)
	}
	for name, want := range map[string]tensor.Shape{
		"backbone.stem.conv":                {H: 32, W: 32, C: 4},
		"backbone.stage1.1.conv2.conv":      {H: 32, W: 32, C: 4},
		"backbone.stage2.0.conv1.conv":      {H: 16, W: 16, C: 8},
		"backbone.stage4.1.conv2.conv":      {H: 4, W: 4, C: 32},
		"backbone.stage3.0.downsample.conv": {H: 8, W: 8, C: 16},
		"head.fc":                           {H: 1, W: 1, C: 10},
	} {
		if out[name] != want {
			t.Errorf("%s has the shape %v, want %v", name, out[name], want)
		}
	}
}

func TestLeNet(t *testing.T) {
	m, err := NewLeNet(LeNetDefaults())
	g := build(t, m, err, tensor.Shape{H: 28, W: 28, C: 1})
	want := []string{
		"input", "backbone.conv1.conv", "backbone.conv1.bn", "backbone.conv1.act", "backbone.pool1",
		"backbone.conv2.conv", "backbone.conv2.bn", "backbone.conv2.act", "backbone.pool2", "head.fc",
	}
	if got := members(g); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if n := count(g); n != 1*8*25+16+8*16*25+32+16*49*10+10 {
		t.Errorf("%d parameters", n)
	}
}

// Every BN of every model can be absorbed, and every model converted.
func TestModelsAreConvertible(t *testing.T) {
	for name, m := range map[string]func() (part.Model, error){
		"ConvNet":     func() (part.Model, error) { return NewConvNet(ConvNetDefaults()) },
		"LeNet":       func() (part.Model, error) { return NewLeNet(LeNetDefaults()) },
		"LeNet5":      func() (part.Model, error) { return NewLeNet5(LeNet5Defaults()) },
		"MobileNetV2": func() (part.Model, error) { return NewMobileNetV2(MobileNetV2Defaults()) },
		"ResNet":      func() (part.Model, error) { a := ResNetDefaults(); a.Depth, a.Act = 8, "relu6"; return NewResNet(a) },
		"ResNet-50": func() (part.Model, error) {
			a := ResNetDefaults()
			a.Depth, a.Width, a.Stem = 50, 8, imagenet
			return NewResNet(a)
		},
	} {
		made, err := m()
		g := build(t, made, err, tensor.Shape{H: 28, W: 28, C: 1})
		g.SetQConfig(int8Config)
		if err := g.Prepare(nn.QAT, nn.WithBN); err != nil {
			t.Fatal(name, err)
		}
		for _, e := range g.Convertible() {
			t.Errorf("%s: %v", name, e)
		}
		for _, m := range g.Modules() {
			if m.Op == "conv" && m.BN == "" || m.Op == "add" || m.Op == "act" || m.Op == "bn" {
				t.Errorf("%s: %s (%s) is not fused: %v", name, m.Name, m.Op, m.Members)
			}
		}
	}
}

// int8Config quantizes everything but the logits.
func int8Config(m nn.Module) nn.QConfig {
	c := nn.QConfig{
		Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: asSeen{}},
		Weight:     nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}, Observer: asSeen{}},
	}
	if m.Name == "head.fc" {
		c.Activation = nn.Quant{}
	}
	return c
}

// asSeen is an observer whose range is that of the values.
type asSeen struct{}

func (asSeen) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (asSeen) Averaging() float32                                                 { return 0.01 }
func (asSeen) Fixed() bool                                                        { return false }

// anchorUnits maps the units of the training anchors (../shared/anchors) to
// ResNet-8's modules: unit.weight is the module's conv.weight, unit.gamma, beta,
// running_mean and running_var its bn.weight, bias, running_mean and running_var.
var anchorUnits = map[string]string{
	"stem":     "backbone.stem",
	"b1.conv1": "backbone.stage1.0.conv1", "b1.conv2": "backbone.stage1.0.conv2",
	"b2.conv1": "backbone.stage2.0.conv1", "b2.conv2": "backbone.stage2.0.conv2", "b2.down": "backbone.stage2.0.downsample",
	"b3.conv1": "backbone.stage3.0.conv1", "b3.conv2": "backbone.stage3.0.conv2", "b3.down": "backbone.stage3.0.downsample",
	"fc": "head.fc",
}

// ResNet-8 of width 8 is the anchors' net: the same units with the same sources, strides, shapes and activations.
func TestResNet8IsTheAnchor(t *testing.T) {
	nodes := map[string]nn.Module{}
	for _, m := range resnet(t, 8, 8, 1).Modules() {
		nodes[m.Name] = m
	}
	node := func(unit string) nn.Module {
		name := anchorUnits[unit]
		if unit != "fc" {
			name += ".conv"
		}
		m, ok := nodes[name]
		if !ok {
			t.Fatalf("there is no node %s", name)
		}
		return m
	}
	for _, u := range []struct {
		name   string
		inputs []string // the source and the added unit
		size   int
		out    int
		act    bool
	}{
		{"stem", nil, 32, 8, true},
		{"b1.conv1", []string{"stem"}, 32, 8, true},
		{"b1.conv2", []string{"b1.conv1", "stem"}, 32, 8, true},
		{"b2.conv1", []string{"b1.conv2"}, 16, 16, true},
		{"b2.down", []string{"b1.conv2"}, 16, 16, false},
		{"b2.conv2", []string{"b2.conv1", "b2.down"}, 16, 16, true},
		{"b3.conv1", []string{"b2.conv2"}, 8, 32, true},
		{"b3.down", []string{"b2.conv2"}, 8, 32, false},
		{"b3.conv2", []string{"b3.conv1", "b3.down"}, 8, 32, true},
	} {
		m := node(u.name)
		inputs := []string{"input"}
		if u.inputs != nil {
			inputs = nil
			for _, in := range u.inputs {
				inputs = append(inputs, node(in).Name)
			}
		}
		if !slices.Equal(m.Inputs, inputs) || m.Out.WithN(0) != (tensor.Shape{H: u.size, W: u.size, C: u.out}) || (m.Act != 0) != u.act {
			t.Errorf("%s: %s of %v gives %v with activation %v", u.name, m.Name, m.Inputs, m.Out, m.Act)
		}
	}
	if fc := node("fc"); fc.Inputs[0] != "head.pool" || fc.Out.C != 10 {
		t.Errorf("%+v", fc)
	}
}

func TestBadArguments(t *testing.T) {
	for i, c := range []struct {
		attr   string
		change func(*ResNetArgs)
	}{
		{"depth", func(a *ResNetArgs) { a.Depth = 19 }},
		{"depth", func(a *ResNetArgs) { a.Depth = 26 }},
		{"stem", func(a *ResNetArgs) { a.Stem = "big" }},
		{"num_classes", func(a *ResNetArgs) { a.NumClasses = 1 }},
		{"width", func(a *ResNetArgs) { a.Width = 0 }},
		{"bn_eps", func(a *ResNetArgs) { a.BNEps = 0 }},
		{"bn_momentum", func(a *ResNetArgs) { a.BNMomentum = 1.5 }},
	} {
		a := ResNetDefaults()
		a.Depth = 8
		c.change(&a)
		var arg *part.ArgError
		if _, err := NewResNet(a); !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%d: %s: %v", i, c.attr, err)
		}
	}
	l := LeNetDefaults()
	l.Width = -3
	var arg *part.ArgError
	if _, err := NewLeNet(l); !errors.As(err, &arg) || arg.Attr != "width" {
		t.Error(err)
	}
}

// An image that is too small is a mistake that names the node.
func TestImageTooSmall(t *testing.T) {
	m, err := NewLeNet(LeNetDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Build([]tensor.Shape{{H: 2, W: 2, C: 1}}); err == nil || !strings.Contains(err.Error(), "backbone.pool2") {
		t.Errorf("2×2: %v", err)
	}
}
