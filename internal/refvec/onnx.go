package refvec

import (
	"fmt"
	"math"
	"os"
)

// Model is what the tests need of an ONNX file: the nodes in order and the
// constant tensors by name.
type Model struct {
	Nodes        []Node
	Initializers map[string]*Array
	Inputs       []string // the graph's inputs, initializers included where the file lists them
	Outputs      []string
}

// Node is one operator. An attribute is an int64, float32, string, *Array,
// []int64 or []float32.
type Node struct {
	Op              string
	Inputs, Outputs []string
	Attrs           map[string]any
}

// Ints returns an attribute that is a list of integers, def where it is missing.
func (n *Node) Ints(name string, def []int) []int {
	v, ok := n.Attrs[name].([]int64)
	if !ok {
		return def
	}
	return castSlice[int](v)
}

// Int returns an integer attribute, def where it is missing.
func (n *Node) Int(name string, def int) int {
	v, ok := n.Attrs[name].(int64)
	if !ok {
		return def
	}
	return int(v)
}

// ReadModel reads an ONNX file.
func ReadModel(path string) (*Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := ParseModel(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// ParseModel reads a serialized ModelProto; its field 7 is the graph.
func ParseModel(b []byte) (*Model, error) {
	m := &Model{Initializers: map[string]*Array{}}
	err := eachField(b, func(f field) error {
		if f.num == 7 {
			return m.parseGraph(f.bytes)
		}
		return nil
	})
	return m, err
}

// parseGraph reads a GraphProto: node = 1, initializer = 5, input = 11, output = 12.
func (m *Model) parseGraph(b []byte) error {
	return eachField(b, func(f field) error {
		switch f.num {
		case 1:
			n, err := parseNode(f.bytes)
			m.Nodes = append(m.Nodes, n)
			return err
		case 5:
			name, a, err := parseTensor(f.bytes)
			m.Initializers[name] = a
			return err
		case 11, 12:
			name, err := parseValueName(f.bytes)
			if f.num == 11 {
				m.Inputs = append(m.Inputs, name)
			} else {
				m.Outputs = append(m.Outputs, name)
			}
			return err
		}
		return nil
	})
}

// parseValueName reads the name (field 1) of a ValueInfoProto.
func parseValueName(b []byte) (name string, err error) {
	err = eachField(b, func(f field) error {
		if f.num == 1 {
			name = string(f.bytes)
		}
		return nil
	})
	return name, err
}

// parseNode reads a NodeProto: input = 1, output = 2, op_type = 4, attribute = 5.
func parseNode(b []byte) (Node, error) {
	n := Node{Attrs: map[string]any{}}
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			n.Inputs = append(n.Inputs, string(f.bytes))
		case 2:
			n.Outputs = append(n.Outputs, string(f.bytes))
		case 4:
			n.Op = string(f.bytes)
		case 5:
			return n.parseAttribute(f.bytes)
		}
		return nil
	})
	return n, err
}

// The values of AttributeProto.type that are read.
const (
	attrFloat  = 1
	attrInt    = 2
	attrString = 3
	attrTensor = 4
	attrFloats = 6
	attrInts   = 7
)

// parseAttribute reads an AttributeProto: name = 1, f = 2, i = 3, s = 4, t = 5,
// floats = 7, ints = 8, type = 20.
func (n *Node) parseAttribute(b []byte) error {
	var (
		name   string
		kind   uint64
		values = map[uint64]any{attrFloat: float32(0), attrInt: int64(0), attrString: "", attrFloats: []float32(nil), attrInts: []int64(nil)}
	)
	err := eachField(b, func(f field) (err error) {
		switch f.num {
		case 1:
			name = string(f.bytes)
		case 2:
			values[attrFloat] = math.Float32frombits(uint32(f.value))
		case 3:
			values[attrInt] = int64(f.value)
		case 4:
			values[attrString] = string(f.bytes)
		case 5:
			_, values[attrTensor], err = parseTensor(f.bytes)
		case 7:
			var raw []uint64
			raw, err = f.repeated(wireFixed32)
			values[attrFloats] = append(values[attrFloats].([]float32), floats(raw)...)
		case 8:
			var raw []uint64
			raw, err = f.repeated(wireVarint)
			values[attrInts] = append(values[attrInts].([]int64), castSlice64(raw)...)
		case 20:
			kind = f.value
		}
		return err
	})
	n.Attrs[name] = values[kind]
	return err
}

// tensorKinds are the data types of TensorProto that are read.
var tensorKinds = map[uint64]string{1: "f4", 2: "u1", 3: "i1", 6: "i4", 7: "i8", 11: "f8"}

// parseTensor reads a TensorProto: dims = 1, data_type = 2, float_data = 4,
// int32_data = 5, int64_data = 7, name = 8, raw_data = 9.
func parseTensor(b []byte) (string, *Array, error) {
	var (
		name   string
		kind   uint64
		raw    []byte
		values []uint64
		a      = &Array{}
	)
	err := eachField(b, func(f field) error {
		var more []uint64
		var err error
		switch f.num {
		case 1:
			more, err = f.repeated(wireVarint)
			for _, d := range more {
				a.Shape = append(a.Shape, int(d))
			}
		case 2:
			kind = f.value
		case 4:
			more, err = f.repeated(wireFixed32)
			values = append(values, more...)
		case 5, 7:
			more, err = f.repeated(wireVarint)
			values = append(values, more...)
		case 8:
			name = string(f.bytes)
		case 9:
			raw = f.bytes
		}
		return err
	})
	if err != nil {
		return name, nil, err
	}
	if raw != nil {
		a.Data, err = decode(raw, tensorKinds[kind])
	} else {
		a.Data, err = fromValues(values, tensorKinds[kind])
	}
	if err == nil && len(a.Float64s()) != a.Len() {
		err = fmt.Errorf("tensor %q of shape %v holds %d elements", name, a.Shape, len(a.Float64s()))
	}
	return name, a, err
}

// fromValues builds a tensor from its typed field.
func fromValues(v []uint64, kind string) (any, error) {
	switch kind {
	case "f4":
		return floats(v), nil
	case "u1":
		return castRaw[uint8](v), nil
	case "i1":
		return castRaw[int8](v), nil
	case "i4":
		return castRaw[int32](v), nil
	case "i8":
		return castRaw[int64](v), nil
	}
	return nil, fmt.Errorf("unsupported tensor type %q", kind)
}

func floats(v []uint64) []float32 {
	out := make([]float32, len(v))
	for i, b := range v {
		out[i] = math.Float32frombits(uint32(b))
	}
	return out
}

func castSlice64(v []uint64) []int64 { return castRaw[int64](v) }

func castRaw[T Number](v []uint64) []T {
	out := make([]T, len(v))
	for i, b := range v {
		out[i] = T(int64(b))
	}
	return out
}
