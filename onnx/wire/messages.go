// Package wire reads and writes the protobuf messages of ONNX files. It knows how they are laid out and not what they
// mean: names, shapes and types are checked by onnx/model.
//
// A message is a struct, and the tag of a field is its number in the format
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Parts that qpipe never looks into stay bytes, so they are
// written back as they were read.
package wire

// Model is the message ModelProto.
type Model struct {
	IRVersion       int64    `pb:"1"`
	Producer        string   `pb:"2"`
	ProducerVersion string   `pb:"3"`
	Domain          string   `pb:"4"`
	ModelVersion    int64    `pb:"5"`
	Doc             string   `pb:"6"`
	Graph           *Graph   `pb:"7"`
	Opsets          []Opset  `pb:"8"`
	Metadata        []Entry  `pb:"14"`
	Training        [][]byte `pb:"20"`
	Functions       [][]byte `pb:"25"`
}

// Opset is the message OperatorSetIdProto.
type Opset struct {
	Domain  string `pb:"1"`
	Version int64  `pb:"2"`
}

// Entry is the message StringStringEntryProto.
type Entry struct {
	Key   string `pb:"1"`
	Value string `pb:"2"`
}

// Graph is the message GraphProto.
type Graph struct {
	Nodes        []Node   `pb:"1"`
	Name         string   `pb:"2"`
	Initializers []Tensor `pb:"5"`
	Doc          string   `pb:"10"`
	Inputs       []Value  `pb:"11"`
	Outputs      []Value  `pb:"12"`
	Values       []Value  `pb:"13"`
	Quantization [][]byte `pb:"14"`
	Sparse       [][]byte `pb:"15"`
	Metadata     []Entry  `pb:"16"`
}

// Node is the message NodeProto.
type Node struct {
	Inputs     []string    `pb:"1"`
	Outputs    []string    `pb:"2"`
	Name       string      `pb:"3"`
	Op         string      `pb:"4"`
	Attributes []Attribute `pb:"5"`
	Doc        string      `pb:"6"`
	Domain     string      `pb:"7"`
	Overload   string      `pb:"8"`
	Metadata   []Entry     `pb:"9"`
}

// Attribute is the message AttributeProto. One field has the value; which one, says Kind.
type Attribute struct {
	Name    string    `pb:"1"`
	F       *float32  `pb:"2"`
	I       *int64    `pb:"3"`
	S       []byte    `pb:"4"`
	T       *Tensor   `pb:"5"`
	G       *Graph    `pb:"6"`
	Floats  []float32 `pb:"7"`
	Ints    []int64   `pb:"8"`
	Strings [][]byte  `pb:"9"`
	Tensors []Tensor  `pb:"10"`
	Graphs  []Graph   `pb:"11"`
	Doc     string    `pb:"13"`
	Kind    int32     `pb:"20"`
	Ref     string    `pb:"21"`
}

// The kinds of attributes.
const (
	KindFloat   = 1
	KindInt     = 2
	KindString  = 3
	KindTensor  = 4
	KindGraph   = 5
	KindFloats  = 6
	KindInts    = 7
	KindStrings = 8
	KindTensors = 9
	KindGraphs  = 10
)

// Tensor is the message TensorProto. Its elements are in Raw, in one of the lists, or in a file beside the model.
type Tensor struct {
	Dims     []int64   `pb:"1"`
	Type     int32     `pb:"2"`
	Segment  []byte    `pb:"3"`
	Floats   []float32 `pb:"4"`
	Ints     []int32   `pb:"5"`
	Strings  [][]byte  `pb:"6"`
	Longs    []int64   `pb:"7"`
	Name     string    `pb:"8"`
	Raw      []byte    `pb:"9"`
	Doubles  []float64 `pb:"10"`
	Unsigned []uint64  `pb:"11"`
	Doc      string    `pb:"12"`
	External []Entry   `pb:"13"`
	Location int32     `pb:"14"`
	Metadata []Entry   `pb:"16"`
}

// InFile is the Location of a tensor whose elements are in a file beside the model.
const InFile = 1

// Value is the message ValueInfoProto.
type Value struct {
	Name     string  `pb:"1"`
	Type     *Type   `pb:"2"`
	Doc      string  `pb:"3"`
	Metadata []Entry `pb:"4"`
}

// Type is the message TypeProto. What is no dense tensor stays bytes.
type Type struct {
	Tensor     *TensorType `pb:"1"`
	Sequence   []byte      `pb:"4"`
	Map        []byte      `pb:"5"`
	Denotation string      `pb:"6"`
	Sparse     []byte      `pb:"8"`
	Optional   []byte      `pb:"9"`
}

// TensorType is the message TypeProto.Tensor.
type TensorType struct {
	Elem  int32  `pb:"1"`
	Shape *Shape `pb:"2"`
}

// Shape is the message TensorShapeProto.
type Shape struct {
	Dims []Dim `pb:"1"`
}

// Dim is the message TensorShapeProto.Dimension: a size, a name, or neither.
type Dim struct {
	Size       *int64 `pb:"1"`
	Param      string `pb:"2"`
	Denotation string `pb:"3"`
}
