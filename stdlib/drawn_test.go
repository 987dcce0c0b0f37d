package stdlib

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/view"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// TestNetworksShown: of every model `qpipe graph -model` adds up to the parameters and
// MACs of the network, before and after fusion and by modules; each layer is there once, behind those that it reads; and the
// drawings have a box for each, none over another.
func TestNetworksShown(t *testing.T) {
	seen := map[string]bool{"Network": true}
	for _, r := range listedModels(t) {
		seen[r.model] = true
		shownSoundly(t, r.model+" "+r.args, r.graph(t, r.in))
	}
	for _, p := range Catalog() {
		if p.Kind == program.ModelKind && !seen[p.Name] {
			args := ""
			if p.Name == "ONNX" {
				args = `path = "../testdata/onnx/tiny.onnx"`
			}
			built, err := part.Build(modelOf(t, p.Name, args), []tensor.Shape{{H: 28, W: 28, C: 1}}, files.Folder)
			must(t, err)
			shownSoundly(t, p.Name, built.Graph)
		}
	}
}

func shownSoundly(t *testing.T, what string, g *nn.Graph) {
	t.Helper()
	params := 0
	for _, v := range g.Tensors() {
		if v.Trainable {
			params += int(size(v.Shape))
		}
	}
	var members []string
	for _, m := range g.Modules() {
		members = append(members, m.Members...)
	}
	for _, how := range []view.Shown{{}, {Fused: true}, {Depth: 1}, {Depth: 2}, {Fused: true, Depth: 3}} {
		how.Network = &lower.Network{Model: &program.Model{Name: "net"}, Graph: g}
		n := view.NewNetwork(how)
		sum, macs, known := 0, int64(0), map[string]bool{}
		var layers []string
		for _, l := range n.Layers {
			sum, macs = sum+l.Parameters, macs+l.MACs
			if known[l.Name] || len(l.Shapes) == 0 {
				t.Errorf("%s: the layer %s is there twice, or nothing reads it", what, l.Name)
			}
			for _, in := range l.Inputs {
				if !known[in] && how.Depth == 0 {
					t.Errorf("%s: %s reads %s, which comes later", what, l.Name, in)
				}
			}
			known[l.Name] = true
			if layers = append(layers, l.Members...); len(l.Members) == 0 {
				layers = append(layers, l.Name)
			}
		}
		if sum != params || n.Parameters != params || macs != g.MACs() || n.MACs != g.MACs() {
			t.Errorf("%s: %d parameters and %d MACs are shown, it has %d and %d", what, sum, macs, params, g.MACs())
		}
		if how.Depth == 0 && !slices.Equal(slices.Sorted(slices.Values(layers)), slices.Sorted(slices.Values(members))) {
			t.Errorf("%s: the layers are %v, and the members %v", what, layers, members)
		}
		drawnSoundly(t, what, n)
	}
}

func drawnSoundly(t *testing.T, what string, n *view.NetworkItem) {
	t.Helper()
	d := view.NetworkDiagram(n)
	image, err := d.SVG()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	edges, dot, mermaid := 0, d.DOT(), d.Mermaid()
	for _, l := range n.Layers {
		edges += len(l.Inputs)
		if strings.Count(image, "<g><title>"+l.Name+"</title>") != 1 || strings.Count(dot, "\""+l.Name+"\" [label = ") != 1 || strings.Count(mermaid, "[\""+l.Name+"<br/>") != 1 {
			t.Errorf("%s: the drawings do not have %s once", what, l.Name)
		}
	}
	if a, b, c := strings.Count(image, "marker-"), strings.Count(dot, " -> "), strings.Count(mermaid, " --> "); a != edges || b != edges || c != edges {
		t.Errorf("%s: %d, %d and %d edges are drawn of %d", what, a, b, c, edges)
	}
	var boxes [][4]float64
	for _, m := range rect.FindAllStringSubmatch(image, -1) {
		var b [4]float64
		for i := range b {
			var err error
			b[i], err = strconv.ParseFloat(m[i+1], 64)
			must(t, err)
		}
		for _, o := range boxes {
			if b[0] < o[0]+o[2] && o[0] < b[0]+b[2] && b[1] < o[1]+o[3] && o[1] < b[1]+b[3] {
				t.Fatalf("%s: two boxes overlap: %v, %v", what, o, b)
			}
		}
		boxes = append(boxes, b)
	}
	if len(boxes) != len(n.Layers) {
		t.Errorf("%s: %d boxes are drawn of %d layers", what, len(boxes), len(n.Layers))
	}
}

var rect = regexp.MustCompile(`<rect x="([-.0-9]+)" y="([-.0-9]+)" width="([.0-9]+)" height="([.0-9]+)"`)
