package models

import (
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// zoo are the networks as the literature and other libraries have them: with
// their multiply-accumulates and parameters, which an independent PyTorch
// implementation of the same networks counted.
var zoo = []struct {
	name         string
	model        func() (part.Model, error)
	in           tensor.Shape
	macs, params int64
}{
	{"LeNet-5", func() (part.Model, error) { return NewLeNet5(LeNet5Defaults()) }, tensor.Shape{H: 28, W: 28, C: 1}, 416_520, 61_932},
	{"ConvNet", func() (part.Model, error) { return NewConvNet(ConvNetDefaults()) }, tensor.Shape{H: 28, W: 28, C: 1}, 29_128_448, 288_170},
	{"ResNet-18, CIFAR", func() (part.Model, error) { return NewResNet(resnetArgs(18, cifar, 10)) }, tensor.Shape{H: 32, W: 32, C: 3}, 555_422_720, 11_173_962},
	{"ResNet-18", func() (part.Model, error) { return NewResNet(resnetArgs(18, imagenet, 1000)) }, tensor.Shape{H: 224, W: 224, C: 3}, 1_814_073_344, 11_689_512},
	{"ResNet-50", func() (part.Model, error) { return NewResNet(resnetArgs(50, imagenet, 1000)) }, tensor.Shape{H: 224, W: 224, C: 3}, 4_089_184_256, 25_557_032},
	{"MobileNetV2, CIFAR", func() (part.Model, error) { return NewMobileNetV2(mobilenetArgs(cifar, 10)) }, tensor.Shape{H: 32, W: 32, C: 3}, 87_976_448, 2_236_682},
	{"MobileNetV2", func() (part.Model, error) { return NewMobileNetV2(mobilenetArgs(imagenet, 1000)) }, tensor.Shape{H: 224, W: 224, C: 3}, 300_774_272, 3_504_872},
}

func resnetArgs(depth int, stem string, classes int) ResNetArgs {
	a := ResNetDefaults()
	a.Depth, a.Width, a.Stem, a.NumClasses = depth, 64, stem, classes
	return a
}

func mobilenetArgs(strides string, classes int) MobileNetV2Args {
	a := MobileNetV2Defaults()
	a.Strides, a.NumClasses = strides, classes
	return a
}

func TestZoo(t *testing.T) {
	for _, z := range zoo {
		m, err := z.model()
		g := build(t, m, err, z.in)
		if got := g.MACs(); got != z.macs {
			t.Errorf("%s: %d multiply-accumulates, want %d", z.name, got, z.macs)
		}
		if got := int64(count(g)); got != z.params {
			t.Errorf("%s: %d parameters, want %d", z.name, got, z.params)
		}
	}
}

// fused describes the nodes: what each was fused from, without the backbone's name.
func fused(g *nn.Graph) (lines []string) {
	for _, m := range g.Modules() {
		lines = append(lines, strings.ReplaceAll(strings.Join(m.Members, " ")+" "+m.Out.WithN(1).String(), "backbone.", ""))
	}
	return lines
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLeNet5Nodes(t *testing.T) {
	m, err := NewLeNet5(LeNet5Defaults())
	wantLines(t, fused(build(t, m, err, tensor.Shape{H: 28, W: 28, C: 1})), []string{
		"input 1×28×28×1",
		"conv1.conv conv1.bn conv1.act 1×28×28×6", "pool1 1×14×14×6",
		"conv2.conv conv2.bn conv2.act 1×10×10×16", "pool2 1×5×5×16",
		"conv3.conv conv3.bn conv3.act 1×1×1×120", "conv4.conv conv4.bn conv4.act 1×1×1×84",
		"head.fc 1×1×1×10",
	})
}

func TestConvNetNodes(t *testing.T) {
	a := ConvNetDefaults()
	a.Width = 4
	m, err := NewConvNet(a)
	wantLines(t, fused(build(t, m, err, tensor.Shape{H: 28, W: 28, C: 1})), []string{
		"input 1×28×28×1",
		"stage1.conv1.conv stage1.conv1.bn stage1.conv1.act 1×28×28×4", "stage1.conv2.conv stage1.conv2.bn stage1.conv2.act 1×28×28×4",
		"stage1.pool 1×14×14×4",
		"stage2.conv1.conv stage2.conv1.bn stage2.conv1.act 1×14×14×8", "stage2.conv2.conv stage2.conv2.bn stage2.conv2.act 1×14×14×8",
		"stage2.pool 1×7×7×8",
		"stage3.conv1.conv stage3.conv1.bn stage3.conv1.act 1×7×7×16", "stage3.conv2.conv stage3.conv2.bn stage3.conv2.act 1×7×7×16",
		"head.pool 1×1×1×16", "head.fc 1×1×1×10",
	})
}

// The beginning of ResNet-50: the ImageNet stem, a block that widens the map at stride 1, and one that keeps its shape.
func TestResNet50Nodes(t *testing.T) {
	m, err := NewResNet(resnetArgs(50, imagenet, 1000))
	lines := fused(build(t, m, err, tensor.Shape{H: 224, W: 224, C: 3}))
	wantLines(t, lines[:11], []string{
		"input 1×224×224×3",
		"stem.conv stem.bn stem.act 1×112×112×64", "stem.pool 1×56×56×64",
		"stage1.0.conv1.conv stage1.0.conv1.bn stage1.0.conv1.act 1×56×56×64",
		"stage1.0.conv2.conv stage1.0.conv2.bn stage1.0.conv2.act 1×56×56×64",
		"stage1.0.downsample.conv stage1.0.downsample.bn 1×56×56×256",
		"stage1.0.conv3.conv stage1.0.conv3.bn stage1.0.add stage1.0.act 1×56×56×256",
		"stage1.1.conv1.conv stage1.1.conv1.bn stage1.1.conv1.act 1×56×56×64",
		"stage1.1.conv2.conv stage1.1.conv2.bn stage1.1.conv2.act 1×56×56×64",
		"stage1.1.conv3.conv stage1.1.conv3.bn stage1.1.add stage1.1.act 1×56×56×256",
		"stage1.2.conv1.conv stage1.2.conv1.bn stage1.2.conv1.act 1×56×56×64",
	})
	for _, want := range []string{
		"stage2.0.conv1.conv stage2.0.conv1.bn stage2.0.conv1.act 1×56×56×128", // the stride is in the 3×3 convolution
		"stage2.0.conv2.conv stage2.0.conv2.bn stage2.0.conv2.act 1×28×28×128",
		"stage4.2.conv3.conv stage4.2.conv3.bn stage4.2.add stage4.2.act 1×7×7×2048",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no node %q", want)
		}
	}
}

func TestMobileNetV2Nodes(t *testing.T) {
	m, err := NewMobileNetV2(mobilenetArgs(cifar, 10))
	g := build(t, m, err, tensor.Shape{H: 32, W: 32, C: 3})
	lines := fused(g)
	wantLines(t, lines[:10], []string{
		"input 1×32×32×3",
		"stem.conv stem.bn stem.act 1×32×32×32",
		"stage1.0.depthwise.conv stage1.0.depthwise.bn stage1.0.depthwise.act 1×32×32×32", "stage1.0.project.conv stage1.0.project.bn 1×32×32×16",
		"stage2.0.expand.conv stage2.0.expand.bn stage2.0.expand.act 1×32×32×96",
		"stage2.0.depthwise.conv stage2.0.depthwise.bn stage2.0.depthwise.act 1×32×32×96",
		"stage2.0.project.conv stage2.0.project.bn 1×32×32×24",
		"stage2.1.expand.conv stage2.1.expand.bn stage2.1.expand.act 1×32×32×144",
		"stage2.1.depthwise.conv stage2.1.depthwise.bn stage2.1.depthwise.act 1×32×32×144",
		"stage2.1.project.conv stage2.1.project.bn stage2.1.add 1×32×32×24",
	})
	wantLines(t, lines[len(lines)-3:], []string{"last.conv last.bn last.act 1×4×4×1280", "head.pool 1×1×1×1280", "head.fc 1×1×1×10"})
	for _, m := range g.Modules() {
		if strings.HasSuffix(m.Name, "depthwise.conv") && m.Act.String() != "relu6" {
			t.Errorf("%s has the activation %v", m.Name, m.Act)
		}
	}
}

// The rounding of other widths is torchvision's: 0.35 and 1.4 are in the paper.
func TestMobileNetV2Widths(t *testing.T) {
	for _, c := range []struct {
		mult float64
		in   []int
		want []int
	}{
		{0.35, []int{32, 16, 24, 32, 64, 96, 160, 320}, []int{16, 8, 8, 16, 24, 32, 56, 112}},
		{1.4, []int{32, 16, 24, 32, 64, 96, 160, 320, 1280}, []int{48, 24, 32, 48, 88, 136, 224, 448, 1792}},
	} {
		for i, n := range c.in {
			if got := scaled(n, c.mult); got != c.want[i] {
				t.Errorf("%v times %d channels are %d, want %d", c.mult, n, got, c.want[i])
			}
		}
	}
	for _, bad := range []float64{0, -1, 9} {
		a := MobileNetV2Defaults()
		a.WidthMult = bad
		if a.Validate() == nil {
			t.Errorf("width_mult = %v is not refused", bad)
		}
	}
}
