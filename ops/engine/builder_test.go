package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// names lists a graph as "name(op: members)".
func names(g *nn.Graph) string {
	var s []string
	for _, m := range g.Modules() {
		s = append(s, fmt.Sprintf("%s<%s>%s", m.Name, strings.Join(m.Inputs, ","), strings.Join(m.Members, "+")))
	}
	return strings.Join(s, " ")
}

func conv(b *nn.Builder, name string, x nn.Value, c, k, stride int) nn.Value {
	return b.Conv(name, x, convbn.Conv{OutC: c, Kernel: [2]int{k, k}, Stride: [2]int{stride, stride}, Padding: [2]int{k / 2, k / 2}})
}

func TestFuse(t *testing.T) {
	tests := []struct {
		name  string
		build func(b *nn.Builder) nn.Value
		want  string
	}{
		{"whole chain, add into the last conv", func(b *nn.Builder) nn.Value {
			x := b.Act("r0", b.BatchNorm("n0", conv(b, "c0", b.Input(), 4, 3, 1), 0, 0), kernel.ReLU)
			d := b.BatchNorm("nd", conv(b, "cd", x, 8, 1, 2), 0, 0)
			y := b.BatchNorm("n1", conv(b, "c1", x, 8, 3, 2), 0, 0)
			return b.Act("r1", b.Add("a", y, d), kernel.ReLU6)
		}, "input<>input c0<input>c0+n0+r0 cd<c0>cd+nd c1<c0,cd>c1+n1+a+r1"},
		{"the later operand is no conv", func(b *nn.Builder) nn.Value {
			c := conv(b, "c", b.Input(), 3, 3, 1)
			p := b.MaxPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{1, 1}})
			return b.Add("a", c, p)
		}, "input<>input p<input>p c<input,p>c+a"},
		{"a conv read twice takes nothing", func(b *nn.Builder) nn.Value {
			c := conv(b, "c", b.Input(), 3, 3, 1)
			n := b.BatchNorm("n", c, 0, 0)
			return b.Add("a", n, c)
		}, "input<>input c<input>c n<c>n a<n,c>a"},
		{"a BN that is read twice stays without the add", func(b *nn.Builder) nn.Value {
			n := b.BatchNorm("n", conv(b, "c", b.Input(), 3, 3, 1), 0, 0)
			return b.Add("a", n, b.Act("r", n, kernel.ReLU))
		}, "input<>input c<input>c+n r<c>r a<c,r>a"},
		{"a gate is added to a conv by a node of its own", func(b *nn.Builder) nn.Value {
			c := conv(b, "c", b.Input(), 3, 3, 1)
			return b.Act("r", b.Add("a", c, b.GlobalAvgPool("g", b.Input())), kernel.ReLU)
		}, "input<>input c<input>c g<input>g a<c,g>a r<a>r"},
		{"x + x", func(b *nn.Builder) nn.Value {
			c := conv(b, "c", b.Input(), 3, 3, 1)
			return b.Add("a", c, c)
		}, "input<>input c<input>c a<c,c>a"},
		{"no act behind the output, linear over a flattened map", func(b *nn.Builder) nn.Value {
			f := b.Flatten("f", b.AvgPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}}))
			return b.Linear("fc", f, 5, true)
		}, "input<>input p<input>p f<p>f fc<f>fc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := nn.NewBuilder(tensor.Shape{H: 8, W: 8, C: 3})
			g, err := b.Graph(tt.build(b))
			if err != nil {
				t.Fatal(err)
			}
			if got := names(g); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			r, err := nn.Restore(g.Structure())
			if err != nil {
				t.Fatal(err)
			}
			if got := names(r); got != tt.want {
				t.Errorf("restored %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBuilderMistakes(t *testing.T) {
	in := tensor.Shape{H: 8, W: 8, C: 3}
	tests := []struct {
		node, attr, text string
		build            func(b *nn.Builder) nn.Value
	}{
		{"c", "Groups", "2 groups", func(b *nn.Builder) nn.Value {
			return b.Conv("c", b.Input(), convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Groups: 2})
		}},
		{"c", "Kernel", "does not fit", func(b *nn.Builder) nn.Value {
			return b.Conv("c", b.Input(), convbn.Conv{OutC: 4, Kernel: [2]int{9, 9}})
		}},
		{"c", "OutC", "0 output", func(b *nn.Builder) nn.Value { return b.Conv("c", b.Input(), convbn.Conv{Kernel: [2]int{1, 1}}) }},
		{"c", "", "cannot be used twice", func(b *nn.Builder) nn.Value { return conv(b, "c", conv(b, "c", b.Input(), 3, 3, 1), 3, 3, 1) }},
		{"a", "", "8×8×3", func(b *nn.Builder) nn.Value { return b.Add("a", b.Input(), conv(b, "c", b.Input(), 4, 3, 1)) }},
		{"k", "", "height and width", func(b *nn.Builder) nn.Value { return b.Concat("k", b.Input(), conv(b, "c", b.Input(), 4, 3, 2)) }},
		{"c2", "", "flattened from 8×8×3", func(b *nn.Builder) nn.Value { return conv(b, "c2", b.Flatten("f", b.Input()), 4, 1, 1) }},
		{"d", "", "nothing reads", func(b *nn.Builder) nn.Value {
			conv(b, "d", b.Input(), 4, 3, 1)
			return conv(b, "c", b.Input(), 4, 3, 1)
		}},
		{"p", "Padding", "half the window", func(b *nn.Builder) nn.Value {
			return b.MaxPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Padding: [2]int{2, 2}})
		}},
		{"p", "Pads", "nothing but padding", func(b *nn.Builder) nn.Value {
			return b.MaxPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Pads: [4]int{0, 2, 0, 0}})
		}},
		{"p", "Dilation", "no dilation", func(b *nn.Builder) nn.Value {
			return b.AvgPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Dilation: [2]int{2, 2}})
		}},
		{"p", "Auto", "neither same_upper", func(b *nn.Builder) nn.Value {
			return b.AvgPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Auto: "same"})
		}},
		{"p", "Auto", "no ceil mode", func(b *nn.Builder) nn.Value {
			return b.AvgPool("p", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Auto: "valid", Ceil: true})
		}},
		{"c", "Pads", "given twice", func(b *nn.Builder) nn.Value {
			return b.Conv("c", b.Input(), convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}, Pads: [4]int{1, 0, 0, 0}})
		}},
		{"c", "Pads", "the padding is", func(b *nn.Builder) nn.Value {
			return b.Conv("c", b.Input(), convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Pads: [4]int{1, 0, 0, 1 << 62}})
		}},
		{"t", "OutputPadding", "less than the stride", func(b *nn.Builder) nn.Value {
			return b.ConvTranspose("t", b.Input(), convbn.ConvTranspose{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, OutputPadding: [2]int{2, 0}})
		}},
		{"t", "Padding", "more than a kernel", func(b *nn.Builder) nn.Value {
			return b.ConvTranspose("t", b.Input(), convbn.ConvTranspose{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{3, 0}})
		}},
		{"t", "Stride", "more than the", func(b *nn.Builder) nn.Value {
			return b.ConvTranspose("t", b.Input(), convbn.ConvTranspose{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{1 << 20, 1 << 20}})
		}},
		{"c", "", "has 8 rows", func(b *nn.Builder) nn.Value { return b.Conv1d("c", b.Input(), convbn.Conv1d{OutC: 4, Kernel: 3}) }},
		{"n", "momentum", "0…1", func(b *nn.Builder) nn.Value { return b.BatchNorm("n", b.Input(), 0, 2) }},
	}
	for _, tt := range tests {
		b := nn.NewBuilder(in)
		_, err := b.Graph(tt.build(b))
		var se *nn.ShapeError
		if !errors.As(err, &se) || se.Node != tt.node || se.Attr != tt.attr || !strings.Contains(se.Error(), tt.text) {
			t.Errorf("node %s, attr %q: got %v", tt.node, tt.attr, err)
		}
	}
}

// TestMostNodes: a network of the most nodes is made, and the next one is refused under its name.
func TestMostNodes(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 1, W: 1, C: 1})
	x := b.Input()
	for i := range nn.MaxNodes - 1 {
		x = b.Act(fmt.Sprintf("n%d", i), x, kernel.ReLU)
	}
	must(t, b.Err())
	b.Act("more", x, kernel.ReLU)
	var se *nn.ShapeError
	if !errors.As(b.Err(), &se) || se.Node != "more" || !strings.Contains(se.Error(), "node 4097 of the network, and there may be 4096") {
		t.Errorf("one node too many: %v", b.Err())
	}
}

// TestSplit: the parts of a value are all of it, in order.
func TestSplit(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 2, W: 3, C: 5})
	parts := b.Split("s", b.Input(), 2, 1, 4)
	g, err := b.Graph(b.Concat("k", parts...))
	must(t, err)
	g.Init(1)
	x := randn(rand.New(rand.NewPCG(1, 2)), 30, 1)
	if y := compile(t, g, 1, false).Forward(x, 1, Eval); !slices.Equal(x, y) {
		t.Errorf("%v became %v", x, y)
	}
	for _, sizes := range [][]int{{1, 3}, {0, 5}, {6, -1}, {5, 1}} {
		b := nn.NewBuilder(tensor.Shape{H: 2, W: 3, C: 5})
		_, err := b.Graph(b.Split("s", b.Input(), 2, sizes...)...)
		if err == nil {
			t.Errorf("parts of %v are taken of 5 channels", sizes)
		}
	}
}
