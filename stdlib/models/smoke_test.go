package models

import (
	"maps"
	"math/rand/v2"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// added is a network of one module, whose output goes into a linear layer.
type added struct {
	module interface {
		Add(b *nn.Builder, name string, x nn.Value) nn.Value
	}
}

// Build implements part.Model.
func (m added) Build(in []tensor.Shape) (*nn.Graph, error) {
	b := nn.NewBuilder(in[0])
	x := module.Conv(8, 3, 2, curve.Pointwise{Function: "silu"}, module.Norm{}).Add(b, "stem", b.Input())
	x = module.Conv(8, 3, 1, nil, module.Norm{}).Add(b, "second", x)
	return b.Graph(b.Linear("head.fc", m.module.Add(b, "tried", x), 10, true))
}

// smallNets are the modules, each in a small network, and the models, as small as they get.
func smallNets() map[string]func() (part.Model, error) {
	relu, three, two := layer.Op(op.Act{Act: kernel.ReLU}), [2]int{3, 3}, [2]int{2, 2}
	sigmoid := curve.Pointwise{Function: "sigmoid"}
	conv := convbn.Conv{OutC: 12, Kernel: three, Stride: two}
	all := map[string]func() (part.Model, error){}
	for name, m := range map[string]added{
		"SeparableConvModule2d":      {module.SeparableConvModule2d{Conv: conv, DwAct: relu, PwAct: relu}},
		"SeparableGroupConvModule2d": {module.SeparableGroupConvModule2d{Conv: conv, PwC: 8, PwAct: relu}},
		"BasicVarGBlock":             {module.BasicVarGBlock{MidC: 8, OutC: 8, Kernel: 3, Stride: 1, Factor: 2, GroupBase: 4, Act: relu}},
		"BasicVarGBlock, branches":   {module.BasicVarGBlock{MidC: 8, OutC: 12, Kernel: 3, Stride: 2, Factor: 1, GroupBase: 4, Merge: true, Act: relu}},
		"SEBlock":                    {module.SEBlock{Squeeze: 2, Act: relu, Gate: sigmoid}},
		"MBConv":                     {module.MBConv{MidC: 16, OutC: 8, Kernel: 3, Stride: 1, Act: sigmoid, Squeeze: 3, SqueezeAct: relu, Gate: sigmoid}},
		"ConvTransposeModule2d":      {module.ConvTransposeModule2d{Conv: convbn.ConvTranspose{OutC: 6, Kernel: three, Stride: two}, Act: relu}},
		"ConvUpsample2d":             {module.ConvUpsample2d{ConvModule2d: module.Conv(6, 3, 1, relu, module.Norm{}), Factor: 2}},
		"ConvUpsample2d, bilinear":   {module.ConvUpsample2d{ConvModule2d: module.Conv(6, 3, 1, relu, module.Norm{}), Factor: 3, Bilinear: true}},
		"ShuffleUnit":                {module.ShuffleUnit{OutC: 8, Stride: 1, Act: relu}},
		"ShuffleUnit, stride 2":      {module.ShuffleUnit{OutC: 20, Stride: 2, Act: relu}},
		"FireModule":                 {module.FireModule{Squeeze: 3, Expand1: 4, Expand3: 5, Plain: true, Act: relu}},
		"DenseBlock":                 {module.DenseBlock{Layers: 3, Growth: 4, Bottleneck: 2, Act: relu}},
		"Transition":                 {module.Transition{OutC: 4, Act: relu}},
	} {
		all[name] = func() (part.Model, error) { return m, nil }
	}
	maps.Copy(all, smallModels())
	return all
}

// smallModels are the models of the shelf that have no test like this one of their own, with few channels.
func smallModels() map[string]func() (part.Model, error) {
	v3, lite, b0, deep := MobileNetV3Defaults(), EfficientNetDefaults(), EfficientNetDefaults(), DenseNetDefaults()
	v3.WidthMult, lite.WidthMult, b0.WidthMult, lite.DepthMult, b0.DepthMult, lite.Lite = 0.1, 0.1, 0.1, 0.3, 0.3, true
	deep.Depth, deep.Growth, deep.BNSize = 40, 2, 2
	large, v1 := v3, MobileNetV1Defaults()
	large.Size, v1.WidthMult = "large", 0.1
	shuffle, fire, normed := ShuffleNetV2Defaults(), SqueezeNetDefaults(), SqueezeNetDefaults()
	shuffle.WidthMult, shuffle.Stem, fire.Stem, normed.Stem, normed.Norm, normed.Version = 0.5, imagenet, imagenet, imagenet, true, "1.0"
	v := VGGDefaults()
	v.Depth, v.Width, v.Hidden = 11, 2, 8
	plain := v
	plain.Norm = false
	words, u, blended := DSCNNDefaults(), UNetDefaults(), UNetDefaults()
	words.Width, u.Width, u.Depth = 8, 4, 2
	blended.Width, blended.Depth, blended.Up = 4, 2, "bilinear"
	return map[string]func() (part.Model, error){
		"MobileNetV1":               func() (part.Model, error) { return NewMobileNetV1(v1) },
		"MobileNetV3, small":        func() (part.Model, error) { return NewMobileNetV3(v3) },
		"MobileNetV3, large":        func() (part.Model, error) { return NewMobileNetV3(large) },
		"EfficientNet":              func() (part.Model, error) { return NewEfficientNet(b0) },
		"EfficientNet, lite":        func() (part.Model, error) { return NewEfficientNet(lite) },
		"ShuffleNetV2":              func() (part.Model, error) { return NewShuffleNetV2(shuffle) },
		"SqueezeNet":                func() (part.Model, error) { return NewSqueezeNet(fire) },
		"SqueezeNet with BatchNorm": func() (part.Model, error) { return NewSqueezeNet(normed) },
		"DenseNet":                  func() (part.Model, error) { return NewDenseNet(deep) },
		"VGG":                       func() (part.Model, error) { return NewVGG(v) },
		"VGG without BatchNorm":     func() (part.Model, error) { return NewVGG(plain) },
		"DSCNN":                     func() (part.Model, error) { return NewDSCNN(words) },
		"UNet":                      func() (part.Model, error) { return NewUNet(u) },
		"UNet, bilinear":            func() (part.Model, error) { return NewUNet(blended) },
	}
}

// TestSmallNetsAreExact: every module and every model goes through float, calibration and QAT, in each mode; then the int8 form has
// the integers of the QAT evaluation at every node.
func TestSmallNetsAreExact(t *testing.T) {
	const n = 2
	in := tensor.Shape{H: 32, W: 32, C: 3}
	for name, model := range smallNets() {
		for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				m, err := model()
				g := build(t, m, err, in)
				g.Init(1)
				r := rand.New(rand.NewPCG(7, uint64(len(name))))
				oddGammas(t, g, r)
				if errs := g.SetQConfig(int8Config); len(errs) > 0 {
					t.Fatal(errs)
				}
				x := make([]float32, 2*n*in.WithN(1).Len())
				for i := range x {
					x[i] = float32(r.NormFloat64())
				}
				best := best(t)
				must(t, g.Prepare(nn.Calibration, mode))
				run(t, g, best, 1, false).Forward(x, 2*n, engine.Calibrate)
				must(t, g.Prepare(nn.QAT, mode))
				for _, e := range g.Convertible() {
					t.Error(e)
				}
				e := run(t, g, best, 1, true)
				y := e.Forward(x, 2*n, engine.Train)
				grad := make([]float32, len(y))
				for i := range grad {
					grad[i] = float32(r.NormFloat64()) * 0.01
				}
				e.Backward(grad)
				compare(t, "QAT2Quantize", outputs(t, g, best, 1, x, n), outputs(t, converted(t, g), best, 1, x, n))
			})
		}
	}
}
