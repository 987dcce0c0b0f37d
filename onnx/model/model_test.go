package model

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/wire"
)

// shared are all files of the shared material with that ending.
func shared(t testing.TB, ending string) (paths []string) {
	for _, room := range []string{"onnx-node-tests", "onnx-models"} {
		err := filepath.WalkDir(refvec.Folder(t, room), func(path string, d fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ending) && err == nil && d.Type().IsRegular() {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(paths) == 0 {
		t.Fatalf("no file *%s", ending)
	}
	return paths
}

// TestWriteRead: what is written of a file and read again is the same model, and is written to the same bytes.
func TestWriteRead(t *testing.T) {
	for _, path := range shared(t, ".onnx") {
		m, err := Read(path, Usual())
		if err != nil {
			t.Error(err)
			continue
		}
		first, err := m.Bytes()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		again, err := Parse(first, nil, Usual())
		if err != nil {
			t.Fatalf("%s, written: %v", path, err)
		}
		if !reflect.DeepEqual(normal(m), normal(again)) {
			t.Errorf("%s is another model after it was written and read", path)
		}
		second, err := again.Bytes()
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: the second writing gives other bytes (%v)", path, err)
		}
	}
	for _, path := range shared(t, ".pb") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, err := ParseTensor(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, err := first.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseTensor(b)
		if err != nil || !reflect.DeepEqual(normalTensor(first), normalTensor(second)) {
			t.Errorf("%s is another tensor after it was written and read (%v)", path, err)
		}
	}
}

// normal makes lists that are empty and missing ones the same: the format has no difference.
func normal(m *Model) *Model {
	c := *m
	c.Graph = normalGraph(m.Graph)
	return &c
}

func normalGraph(g *Graph) *Graph {
	c := *g
	c.Nodes = nil
	for _, n := range g.Nodes {
		m := *n
		m.Attributes = nil
		for _, a := range n.Attributes {
			v := reflect.ValueOf(a.Value)
			if t, ok := a.Value.(*Tensor); ok {
				a.Value = normalTensor(t)
			} else if v.Kind() == reflect.Slice && v.Len() == 0 {
				a.Value = reflect.Zero(v.Type()).Interface()
			}
			m.Attributes = append(m.Attributes, a)
		}
		c.Nodes = append(c.Nodes, &m)
	}
	c.Initializers = nil
	for _, t := range g.Initializers {
		c.Initializers = append(c.Initializers, normalTensor(t))
	}
	return &c
}

func normalTensor(t *Tensor) *Tensor {
	c := *t
	c.Data = append([]byte{}, t.Data...)
	return &c
}

// small is a correct model: y = Relu(x + w).
func small() *wire.Model {
	size := int64(2)
	value := func(name string) wire.Value {
		return wire.Value{Name: name, Type: &wire.Type{Tensor: &wire.TensorType{Elem: int32(Float), Shape: &wire.Shape{Dims: []wire.Dim{{Param: "N"}, {Size: &size}}}}}}
	}
	return &wire.Model{IRVersion: 8, Opsets: []wire.Opset{{Version: 17}}, Graph: &wire.Graph{
		Name: "g", Inputs: []wire.Value{value("x")}, Outputs: []wire.Value{value("y")},
		Initializers: []wire.Tensor{{Name: "w", Type: int32(Float), Dims: []int64{2}, Raw: make([]byte, 8)}},
		Nodes: []wire.Node{
			{Op: "Add", Name: "sum", Inputs: []string{"x", "w"}, Outputs: []string{"s"}},
			{Op: "Relu", Inputs: []string{"s"}, Outputs: []string{"y"}},
		},
	}}
}

func TestMistakes(t *testing.T) {
	long, huge, negative := int64(1)<<62, make([]int64, 65), int64(-3)
	for _, c := range []struct {
		name, want string
		change     func(m *wire.Model)
	}{
		{"nothing", "", func(*wire.Model) {}},
		{"no graph", "no graph", func(m *wire.Model) { m.Graph = nil }},
		{"no operator set", "which operator set", func(m *wire.Model) { m.Opsets = nil }},
		{"two operator sets", `two versions, 17 and 9`, func(m *wire.Model) { m.Opsets = append(m.Opsets, wire.Opset{Domain: "ai.onnx", Version: 9}) }},
		{"operator set 0", `has the version 0`, func(m *wire.Model) { m.Opsets[0].Version = 0 }},
		{"dangling input", `input 1 of node 0, Add "sum", is "q", which nothing computes`, func(m *wire.Model) { m.Graph.Nodes[0].Inputs[1] = "q" }},
		{"dangling output", `the output "y" of the graph is computed by no node`, func(m *wire.Model) { m.Graph.Nodes[1].Outputs[0] = "z" }},
		{"twice", `output 0 of node 1, Relu without a name, which computes "s", is named "s"`, func(m *wire.Model) { m.Graph.Nodes[1].Outputs = []string{"s", "y"} }},
		{"an input's name", `is named "x"`, func(m *wire.Model) { m.Graph.Nodes[1].Outputs = []string{"x", "y"} }},
		{"two initializers", `two initializers "w"`, func(m *wire.Model) { m.Graph.Initializers = append(m.Graph.Initializers, m.Graph.Initializers[0]) }},
		{"circle", `Add "sum" Relu without a name`, func(m *wire.Model) { m.Graph.Nodes[0].Inputs[0] = "y" }},
		{"itself", `are a circle`, func(m *wire.Model) { m.Graph.Nodes[0].Inputs[0] = "s" }},
		{"no op", "which op", func(m *wire.Model) { m.Graph.Nodes[0].Op = "" }},
		{"unnamed", "has no name", func(m *wire.Model) { m.Graph.Inputs[0].Name = "" }},
		{"short weights", `the initializer "w": float[2] takes 8 bytes, and there are 7`, func(m *wire.Model) { m.Graph.Initializers[0].Raw = make([]byte, 7) }},
		{"negative weights", "the dimension -3 is negative", func(m *wire.Model) { m.Graph.Initializers[0].Dims = []int64{0, -3} }},
		{"huge weights", "more than 2^40", func(m *wire.Model) { m.Graph.Initializers[0].Dims = []int64{1 << 32, 1 << 32} }},
		{"overflow", "more than 2^40", func(m *wire.Model) { m.Graph.Initializers[0].Dims = []int64{long, 4} }},
		{"many dimensions", "65 dimensions", func(m *wire.Model) { m.Graph.Initializers[0].Dims = huge }},
		{"type", "elements of the type string", func(m *wire.Model) { m.Graph.Initializers[0].Type = 8 }},
		{"unknown type", "type number 99", func(m *wire.Model) { m.Graph.Initializers[0].Type = 99 }},
		{"size", `the input "x": its dimension 1 has the size`, func(m *wire.Model) { m.Graph.Inputs[0].Type.Tensor.Shape.Dims[1].Size = &long }},
		{"negative size", `has the size -3`, func(m *wire.Model) { m.Graph.Inputs[0].Type.Tensor.Shape.Dims[1].Size = &negative }},
		{"sparse", "sparse initializers", func(m *wire.Model) { m.Graph.Sparse = [][]byte{{}} }},
		{"attribute twice", `two attributes "a"`, func(m *wire.Model) { m.Graph.Nodes[0].Attributes = []wire.Attribute{{Name: "a"}, {Name: "a"}} }},
		{"attribute's kind", `attributes of the kind 13`, func(m *wire.Model) { m.Graph.Nodes[0].Attributes = []wire.Attribute{{Name: "a", Kind: 13}} }},
		{"no tensor", `the tensor is missing`, func(m *wire.Model) {
			m.Graph.Nodes[0].Attributes = []wire.Attribute{{Name: "a", Kind: wire.KindTensor}}
		}},
		{"inner graph", `input 0 of node 0, Relu "r", is "nowhere"`, func(m *wire.Model) {
			inner := &wire.Graph{Nodes: []wire.Node{{Op: "Relu", Name: "r", Inputs: []string{"nowhere"}, Outputs: []string{"o"}}}}
			m.Graph.Nodes[0].Attributes = []wire.Attribute{{Name: "body", Kind: wire.KindGraph, G: inner}}
		}},
		{"another folder", `only files in the model's folder`, external("../w.bin", "0")},
		{"absolute", `only files in the model's folder`, external("/etc/passwd", "0")},
		{"nothing beside", `was read from no folder`, external("w.bin", "0")},
		{"offset", `the offset "-1" of its elements`, external("w.bin", "-1")},
		{"offset's text", `the offset "x" of its elements`, external("w.bin", "x")},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := small()
			c.change(m)
			data, err := wire.Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(data, nil, Usual())
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func external(name, offset string) func(m *wire.Model) {
	return func(m *wire.Model) {
		w := &m.Graph.Initializers[0]
		w.Raw, w.Location = nil, wire.InFile
		w.External = []wire.Entry{{Key: "location", Value: name}, {Key: "offset", Value: offset}}
	}
}

// TestExternal: weights in a file beside the model are read, and nothing else is.
func TestExternal(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write := func(path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "w.bin"), []byte("....12345678"))
	write(filepath.Join(outside, "secret"), make([]byte, 100))
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ file, offset, want string }{
		{"w.bin", "4", ""},
		{"w.bin", "5", "the file has 12"},
		{"w.bin", "9223372036854775807", "the file has 12"},
		{"link", "0", "is a link"},
		{"none", "0", "no such file"},
		{".", "0", "folder"},
	} {
		m := small()
		external(c.file, c.offset)(m)
		data, err := wire.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "m.onnx")
		write(path, data)
		got, err := Read(path, Usual())
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: got %v", c, err)
			}
		case err != nil:
			t.Error(err)
		case string(got.Graph.Initializers[0].Data) != "12345678":
			t.Errorf("read %q", got.Graph.Initializers[0].Data)
		}
		if _, err := Read(path, Limits{File: 1 << 20, External: 7}); err == nil {
			t.Error("8 bytes of weights were read where 7 are allowed")
		}
	}
}

// TestOrder: nodes that are in the wrong order are brought into the right one.
func TestOrder(t *testing.T) {
	m := small()
	n := m.Graph.Nodes
	n[0], n[1] = n[1], n[0]
	data, err := wire.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data, nil, Usual())
	if err != nil {
		t.Fatal(err)
	}
	if got.Graph.Nodes[0].Op != "Add" || got.Graph.Nodes[1].Op != "Relu" {
		t.Errorf("the order is %v", got.Graph.Nodes)
	}
}

// TestMemory: no file takes more than Memory times its size, however little its parts contain.
func TestMemory(t *testing.T) {
	nested := []byte{}
	for range 5000 { // a graph in an attribute of a node of a graph …
		nested = wrap(1, wrap(5, wrap(6, nested)))
	}
	for name, data := range map[string][]byte{
		"empty nodes":        wrap(7, bytes.Repeat(wrap(1, nil), 1<<20)),
		"empty initializers": wrap(7, bytes.Repeat(wrap(5, nil), 1<<20)),
		"empty attributes":   wrap(7, wrap(1, bytes.Repeat(wrap(5, nil), 1<<20))),
		"empty names":        wrap(7, wrap(1, bytes.Repeat(wrap(1, nil), 1<<20))),
		"long name":          wrap(7, wrap(1, wrap(1, bytes.Repeat([]byte("a"), 1<<22)))),
		"small numbers":      wrap(7, wrap(5, wrap(7, make([]byte, 1<<22)))),
		"nested":             wrap(7, nested),
	} {
		data := bytes.Clone(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(data, nil, Usual())
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		used := after.TotalAlloc - before.TotalAlloc
		if most := uint64(len(data))*Memory + 1<<20; used > most {
			t.Errorf("%s: %d bytes were allocated for %d (%v)", name, used, len(data), err)
		}
	}
}

// wrap is a field that is a message or a list.
func wrap(number byte, content []byte) []byte {
	b := []byte{number<<3 | 2}
	n := uint64(len(content))
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), content...)
}

// TestTypes: values survive a tensor of their type, and those between two values of a type are rounded to the nearest.
func TestTypes(t *testing.T) {
	for _, typ := range []Type{Int4, Uint4, Int8, Uint8, Int16, Uint16, Int32, Uint32, Int64, Uint64, Bool} {
		values := []int64{0, 1, 1, 0, 1}
		if b := typ.Bits(); typ != Bool {
			values = []int64{0, 1, 7, 3, 1<<(b-1) - 1}
		}
		if got := OfInts("", typ, []int{5}, values).Ints(); !reflect.DeepEqual(got, values) {
			t.Errorf("%v: %v became %v", typ, values, got)
		}
	}
	if got := OfInts("", Int4, []int{3}, []int64{-8, -1, 7}).Ints(); !reflect.DeepEqual(got, []int64{-8, -1, 7}) {
		t.Errorf("int4: %v", got)
	}
	for h := range 1 << 16 {
		if x := fromHalf(uint16(h)); x == x && toHalf(x) != uint16(h) {
			t.Fatalf("float16 %#x is %v, and that is %#x", h, x, toHalf(x))
		}
		if x := OfInts("", Uint16, []int{1}, []int64{int64(h)}); true {
			x.Type = BFloat16
			if v := x.Floats()[0]; v == v && toBrain(v) != uint16(h) {
				t.Fatalf("bfloat16 %#x is %v, and that is %#x", h, v, toBrain(v))
			}
		}
	}
	for _, c := range []struct {
		typ     Type
		x, want float64
	}{
		{Float16, 1 + 0x1p-11, 1},
		{Float16, 1 + 3*0x1p-11, 1 + 0x1p-9},
		{Float16, 65519, 65504},
		{Float16, 0x1p-25, 0},
		{Float16, 0x1.8p-25, 0x1p-24},
		{BFloat16, 1 + 0x1p-8, 1},
		{BFloat16, 1 + 3*0x1p-8, 1 + 0x1p-6},
		{BFloat16, 1 + 0x1.00001p-8, 1 + 0x1p-7},
		{BFloat16, -3.0000001, -3},
	} {
		if got := Round(c.typ, c.x); got != c.want {
			t.Errorf("%v: %v became %v, not %v", c.typ, c.x, got, c.want)
		}
	}
}

// FuzzParse: no bytes make the reader fail in another way than with an error, and what it reads can be written.
func FuzzParse(f *testing.F) {
	for i, path := range shared(f, ".onnx") {
		if info, err := os.Stat(path); err != nil || info.Size() > 2000 || i%20 != 0 {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data, nil, Limits{File: 1 << 20})
		if err != nil {
			return
		}
		first, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first, nil, Limits{File: 1 << 20})
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if second, err := again.Bytes(); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("the second writing gives other bytes (%v)", err)
		}
	})
}
