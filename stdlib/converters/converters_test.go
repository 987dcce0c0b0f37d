package converters

import (
	"errors"
	"reflect"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

type fixed struct{}

func (fixed) Range([]float32, float32, float32, quant.Spec) (float32, float32) { return -1, 1 }
func (fixed) Averaging() float32                                               { return 1 }
func (fixed) Fixed() bool                                                      { return true }

func int8(nn.Module) nn.QConfig {
	return nn.QConfig{
		Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: fixed{}},
		Weight:     nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}, Observer: fixed{}},
	}
}

func conversion(t *testing.T, mode nn.Mode) *part.Conversion {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 1})
	x := b.Conv("a.conv", b.Input(), convbn.Conv{OutC: 2, Kernel: [2]int{3, 3}})
	x = b.Act("a.act", b.BatchNorm("a.bn", x, 0, 0), kernel.ReLU)
	g, err := b.Graph(b.Linear("fc", x, 2, true))
	if err != nil {
		t.Fatal(err)
	}
	g.Init(1)
	return &part.Conversion{Model: g, Mode: mode, QConfig: int8}
}

func convert(t *testing.T, c *part.Conversion, steps ...func(FormArgs) (part.Converter, error)) error {
	t.Helper()
	for _, make := range steps {
		s, err := make(FormArgs{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Convert(c); err != nil {
			return err
		}
	}
	return nil
}

// bns is the number of BNs in the model.
func bns(g *nn.Graph) (n int) {
	for _, m := range g.Modules() {
		if m.BN != "" {
			n++
		}
	}
	return n
}

func TestForms(t *testing.T) {
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		left := 1
		if mode == nn.FuseBN {
			left = 0
		}
		c := conversion(t, mode)
		if err := convert(t, c, NewFloat2Calibration); err != nil || c.Model.Form() != nn.Calibration || bns(c.Model) != left {
			t.Errorf("%s, calibration: %s with %d BNs, %v", mode, c.Model.Form(), bns(c.Model), err)
		}
		c = conversion(t, mode)
		if err := convert(t, c, NewFloat2QAT); err != nil || c.Model.Form() != nn.QAT || c.Model.Mode() != mode || bns(c.Model) != left {
			t.Errorf("%s, QAT: %s with %d BNs, %v", mode, c.Model.Form(), bns(c.Model), err)
		}
		qat := c.Model
		if err := convert(t, c, NewQAT2Quantize); err != nil || c.Model.Form() != nn.Quantized || bns(c.Model) != 0 || bns(qat) != left {
			t.Errorf("%s, quantized: %s with %d BNs, %v", mode, c.Model.Form(), bns(c.Model), err)
		}
	}
}

// What cannot work is an error, never a panic.
func TestWrongOrder(t *testing.T) {
	bare := conversion(t, nn.WithBN)
	bare.QConfig = nil
	for name, err := range map[string]error{
		"no qconfig":    convert(t, bare, NewFloat2QAT),
		"twice":         convert(t, conversion(t, nn.WithBN), NewFloat2QAT, NewFloat2QAT),
		"float to int8": convert(t, conversion(t, nn.WithBN), NewQAT2Quantize),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLoadCheckpointPassesItsArguments(t *testing.T) {
	a := LoadCheckpointDefaults()
	if want := (LoadCheckpointArgs{CheckHash: true, Names: "own"}); !reflect.DeepEqual(a, want) {
		t.Errorf("the defaults are %+v", a)
	}
	a.CheckpointPath = part.Checkpoint{Stage: "float", Which: "best"}
	a.AllowMiss, a.IgnoreTensorShape, a.Rename = true, true, map[string]string{"old": "new"}
	l, err := NewLoadCheckpoint(a)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	c := &part.Conversion{Load: func(from part.Checkpoint, o part.LoadOptions) error {
		want := part.LoadOptions{AllowMiss: true, IgnoreTensorShape: true, CheckHash: true, Rename: a.Rename}
		if from != a.CheckpointPath || !reflect.DeepEqual(o, want) {
			t.Errorf("from %+v with %+v", from, o)
		}
		return broken
	}}
	if err := l.Convert(c); !errors.Is(err, broken) {
		t.Error(err)
	}
	table := []part.Rename{{Ours: "stem", Torch: "conv1"}}
	a.Names = "torchvision"
	l, err = NewLoadCheckpoint(a)
	if err != nil {
		t.Fatal(err)
	}
	got := part.LoadOptions{}
	c = &part.Conversion{Names: table, Load: func(_ part.Checkpoint, o part.LoadOptions) error { got = o; return nil }}
	if err := l.Convert(c); err != nil || !got.Torchvision || !reflect.DeepEqual(got.Names, table) {
		t.Errorf("%v with %+v", err, got)
	}
	var arg *part.ArgError
	if err := l.Convert(&part.Conversion{}); !errors.As(err, &arg) || arg.Attr != "names" {
		t.Errorf("a model without a table: %v", err)
	}
	for _, rule := range []map[string]string{{" a": "b"}, {"a.*": "b.*.*"}, {"a.*": "b.**"}} {
		if _, err := NewLoadCheckpoint(LoadCheckpointArgs{CheckpointPath: part.Checkpoint{Path: "x"}, Rename: rule}); !errors.As(err, &arg) || arg.Attr != "rename" {
			t.Errorf("%v: %v", rule, err)
		}
	}
	for attr, bad := range map[string]LoadCheckpointArgs{
		"checkpoint_path": {},
	} {
		var arg *part.ArgError
		if _, err := NewLoadCheckpoint(bad); !errors.As(err, &arg) || arg.Attr != attr {
			t.Errorf("%s: %v", attr, err)
		}
	}
}
