package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// networkMistake is a network with mistakes, and everything that validation must report about it, in the order of the text: for each
// diagnostic the text that it points at, and a part of its summary and detail.
type networkMistake struct {
	name, text string
	want       []string
}

// TestNetworkMistakes: mistakes inside of networks are found at the argument that causes them, with the shapes on both sides, all in
// one run; what follows from one is not reported.
func TestNetworkMistakes(t *testing.T) {
	const data = `
dataset "Glyphs" "train" { num_samples = 32 }
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_steps  = 4
    batch_size = 8
    optimizer "SGD" { lr = 0.01 }
  }
}
`
	for _, c := range networkMistakes() {
		list, src := validated(t, c.text+data)
		var got []string
		for _, d := range list.Sorted() {
			if d.Severity == diag.Error {
				if regexp.MustCompile(`\[-?\d+ -?\d`).MatchString(d.Summary + d.Detail) {
					t.Errorf("%s: a list is not written as the language writes it: %s. %s", c.name, d.Summary, d.Detail)
				}
				got = append(got, fmt.Sprintf("%s| %s. %s", src(d.Subject.File)[d.Subject.Start.Byte:d.Subject.End.Byte], d.Summary, d.Detail))
			}
		}
		right := len(got) == len(c.want)
		for i, w := range c.want {
			place, text, _ := strings.Cut(w, "| ")
			right = right && strings.HasPrefix(got[i], place+"| ") && strings.Contains(got[i], text)
		}
		if !right {
			t.Errorf("%s: got\n  %s\nwant\n  %s", c.name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

func networkMistakes() []networkMistake {
	conv := func(name, rest string) string {
		return fmt.Sprintf("layer \"Conv2d\" %q {\nout_channels = 4\n%s\n}\n", name, rest)
	}
	net := func(layers ...string) string {
		return "model \"Network\" \"net\" {\n" + strings.Join(layers, "") + "layer \"Linear\" \"fc\" { out_features = 36 }\n}\n"
	}
	const act, two = "layer \"ReLU\" \"a\" { count = 3 }\n", "layer \"Conv2d\" \"c\" {\nout_channels = 4\nkernel_size = 3\n}\nlayer \"Conv2d\" \"d\" {\nfrom = input\nout_channels = 5\nkernel_size = 5\n}\n"
	return []networkMistake{
		{"several, and what follows from them", net(
			conv("a", "kernel_size = 29"), conv("b", "kernel_size = 3"), // b reads a
			conv("c", "from = input\nkernel_size = 3\ngroups = 3"),
			conv("d", "from = input\nkernel_size = 3\npadding = [1, 2, 3]\nstride = 0"),
			"layer \"Concat\" \"e\" { from = [layer.b, layer.c, layer.d, layer.nowhere] }\n",
		), []string{
			"29| a: a 29×29 kernel",
			"3| c: 3 groups divide neither or only one of 1 input and 4 output channels",
			"[1, 2, 3]| \"padding\" has 3 numbers; give one, two (height and width), or four",
			"0| \"stride\" 0; it must be 1 to",
			"layer.nowhere| there is no layer.nowhere here",
		}},
		{
			"in a definition that is used often", "network \"n\" {\nvariable \"k\" {}\n" + conv("x", "kernel_size = var.k") + conv("y", "kernel_size = 1\ngroups = 3") + conv("z", "kernel_size = 1") + "}\n" +
				net("layer \"n\" \"first\" {\nfrom = input\nk = 3\ncount = 50\n}\n", "layer \"Concat\" \"all\" { from = layer.first }\n", conv("own", "kernel_size = 40\nfrom = input"), "layer \"Add\" \"s\" { from = [layer.own, layer.all] }\n"),
			[]string{"3| first.0.y: 3 groups divide neither or only one of 4 input and 4 output channels (and so 49 other layers made from the same text)", "40| own: a 40×40 kernel"},
		},
		{
			"in two definitions, and in their arguments", "network \"n\" {\nvariable \"k\" {}\n" + conv("x", "kernel_size = 99") + "}\nnetwork \"m\" {\nvariable \"j\" { type = number }\n" + conv("x", "kernel_size = var.j") + conv("y", "oops = 1\nkernel_size = 3") + "}\n" +
				net("layer \"n\" \"first\" { k = 3 }\n", "layer \"m\" \"second\" {}\n", "layer \"m\" \"third\" {\nfrom = input\nj = 77\n}\n", "layer \"Add\" \"s\" { from = [layer.second, layer.third] }\n"),
			[]string{"99| first.x: a 99×99", "var.j| third.x: a 77×77", "oops| has no argument \"oops\"", "layer \"m\" \"second\"| \"j\" is missing"},
		},
		{"too many operands", net(act, "layer \"ReLU\" \"b\" { from = layer.a }\n"), []string{"layer.a| b: it reads one value, and 3 are given, a.0 (28×28×1), a.1 (28×28×1), a.2 (28×28×1): name one of them"}},
		{"two for a convolution", net(act, "layer \"Conv2d\" \"b\" {\nfrom = [layer.a[1], layer.a[2]]\nout_channels = 4\nkernel_size = 1\n}\n"), []string{"[layer.a[1], layer.a[2]]| b: it reads one value, and 2 are given"}},
		{"a shape in a definition", "network \"n\" {\ninput \"l\" { shape = [3, 3, 1] }\nlayer \"ReLU\" \"r\" {}\n}\n" + net("layer \"n\" \"b\" {}\n"), []string{"shape| an input of a definition has no shape of its own"}},
		{"too many for a module", net(act, "layer \"ConvModule2d\" \"b\" {\nfrom = [layer.a[1], layer.a[2]]\nout_channels = 4\nkernel_size = 3\n}\n"), []string{"[layer.a[1], layer.a[2]]| b: it reads one value, and 2 are given"}},
		{"too few operands", net("layer \"Add\" \"b\" { from = input }\n"), []string{"input| b: it reads two values, and one is given, input (28×28×1): name what it reads"}},
		{"too few, not written", net("layer \"Concat\" \"b\" {}\n"), []string{"layer \"Concat\" \"b\"| b: it reads at least two values, and one is given"}},
		{"branches of two sizes", net(two, "layer \"Add\" \"s\" { from = [layer.c, layer.d] }\n"), []string{
			"[layer.c, layer.d]| s: cannot add c (26×26×4) and d (24×24×5): they differ in height, width and channels. Give the layers on both ways the same stride and padding, or bring one of the two to the size of the other. Give both the same number of channels: 4 or 5",
		}},
		{"branches of two depths", net(conv("c", "kernel_size = 1"), "layer \"Conv2d\" \"d\" {\nfrom = input\nout_channels = 5\nkernel_size = 1\n}\n", "layer \"Mul\" \"s\" { from = [layer.c, layer.d] }\n"), []string{
			"[layer.c, layer.d]| s: cannot multiply c (28×28×4) and d (28×28×5): they differ in channels. Give both the same number of channels",
		}},
		{"one of several branches", net(two, "layer \"Concat\" \"s\" { from = [layer.c, layer.d, layer.c] }\n"), []string{"layer.d| s: cannot join c (26×26×4) and d (24×24×5): they differ in height and width"}},
		{"the first of several branches", net(two, "layer \"Concat\" \"s\" { from = [layer.d, layer.c, layer.c] }\n"), []string{"layer.d| s: cannot join d (24×24×5) and c (26×26×4)"}},
		{"a flattened map", net("layer \"Flatten\" \"f\" {}\n", "layer \"ConvModule2d\" \"c\" {\nfrom = [layer.f]\nout_channels = 4\nkernel_size = 1\n}\n"), []string{"layer.f| c.conv: conv does not read a flattened map, and f was flattened from 28×28×1"}},
		{"a map for a line", net("layer \"Conv1d\" \"c\" {\nfrom = input\nout_channels = 4\nkernel_size = 3\n}\n"), []string{"input| c: its input input has 28 rows"}},
		{"nothing reads it", net(conv("c", "kernel_size = 1"), conv("lonely", "kernel_size = 40"), conv("d", "from = layer.c\nkernel_size = 1")), []string{"layer \"Conv2d\" \"lonely\"| nothing reads layer \"lonely\"", "40| lonely: a 40×40"}},
		{"an input more than the data has", "model \"Network\" \"net\" {\ninput \"x\" {}\ninput \"y\" {}\nlayer \"Add\" \"a\" { from = [input.x, input.y] }\nlayer \"Linear\" \"fc\" { out_features = 36 }\n}\n", []string{"input \"y\"| the network has 2 inputs, and the data gives 1 input (28×28×1): leave out \"y\""}},
		{"another size than the data", "model \"Network\" \"net\" {\ninput \"x\" { shape = [32, 32, 3] }\nlayer \"Linear\" \"fc\" { out_features = 36 }\n}\n", []string{"[32, 32, 3]| input \"x\" has the shape 32×32×3, and the data gives 28×28×1"}},
		{"no size", "model \"Network\" \"net\" {\ninput \"x\" { shape = [0, 28, 1] }\nlayer \"Linear\" \"fc\" { out_features = 36 }\n}\n", []string{"[0, 28, 1]| a height of 0: all three numbers of a shape are at least 1"}},
		{"a layer called input", net(conv("input", "kernel_size = 1")), []string{"\"input\"| is what an input of the network is called"}},
		{"a qconfig in a layer", net(conv("c", "kernel_size = 1\nqconfig = 3")), []string{"qconfig| How a layer is quantized is said in the qconfig that a stage names"}},
		{"a target in a definition", "network \"n\" {\n" + conv("x", "kernel_size = 1") + "qconfig { target = \"tflite\" }\n}\n" + net("layer \"n\" \"first\" {}\n"), []string{"target| no attribute \"target\" in a qconfig block. A target holds for whole stages"}},
		{"a padding that is too large", net("layer \"ConvTranspose2d\" \"c\" {\nout_channels = 4\nkernel_size = 3\nstride = 2\npadding = 29\n}\n"), []string{"29| c: the padding 29 cuts off more than a kernel of 3 adds"}},
		{"two axes for three", net("layer \"Permute\" \"p\" { dims = [\"width\", \"height\"] }\n"), []string{"[\"width\", \"height\"]| \"dims\" has 2 names; name three"}},
		{"an instance that is not there", net(act, "layer \"ReLU\" \"b\" { from = layer.a[5] }\n"), []string{"[5]| layer.a has 3 instances, and no [5]. There are layer.a[0] to layer.a[2]."}},
		{"wrong kinds of values", net("layer \"Conv2d\" \"c\" {\nout_channels = \"three\"\nkernel_size = [3, 3, 3]\nstride = true\n}\n"), []string{
			"\"three\"| \"out_channels\" needs a whole number", "[3, 3, 3]| \"kernel_size\" has 3 numbers", "true| \"stride\" needs a whole number, not true. Write it as: stride = 10",
		}},
	}
}
