package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"qpipe/interp/artifact"
	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/stdlib/models"
)

// pytorch writes a checkpoint's tensors as PyTorch's state dict has them: without
// metadata, every BN with its counter, and in the float type that is asked for:
// pytorch F16 IN OUT. Every name begins with "model." more.
func pytorch(ts *testscript.TestScript, _ bool, args []string) {
	s, err := artifact.Read(ts.MkAbs(args[1]))
	ts.Check(err)
	f := &foreignFile{header: map[string]any{}}
	for _, t := range s.Model {
		f.floats("model."+t.Name, args[0], t)
		if bn, ok := strings.CutSuffix(t.Name, ".running_var"); ok {
			f.add("model."+bn+".num_batches_tracked", "I64", []int{}, binary.LittleEndian.AppendUint64(nil, 99))
		}
	}
	f.add("model.mask", "BOOL", []int{3}, []byte{1, 0, 1})
	f.add("model.scales", "F8_E4M3", []int{2}, []byte{1, 2})
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), f.bytes(), 0o600))
}

// torchvision writes a checkpoint of a ResNet-18 as torchvision's state dict has it: torchvision [-wrap] IN OUT. With -wrap it
// was trained in parallel.
func torchvision(ts *testscript.TestScript, _ bool, args []string) {
	prefix := ""
	if args[0] == "-wrap" {
		prefix, args = "module.", args[1:]
	}
	s, err := artifact.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	a := models.ResNetDefaults()
	a.Depth = 18
	m, err := models.NewResNet(a)
	ts.Check(err)
	f := &foreignFile{header: map[string]any{}}
	for _, n := range m.(part.TorchModel).TorchNames() {
		for _, t := range s.Model {
			rest, ok := strings.CutPrefix(t.Name, n.Ours+".")
			if !ok {
				continue
			}
			t.Name = prefix + n.Torch + "." + rest
			f.floats(t.Name, "F32", t)
			if bn, ok := strings.CutSuffix(t.Name, ".running_var"); ok {
				f.add(bn+".num_batches_tracked", "I64", []int{}, binary.LittleEndian.AppendUint64(nil, 99))
			}
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), f.bytes(), 0o600))
}

// foreignFile is a safetensors file that another program might have written.
type foreignFile struct {
	header map[string]any
	data   []byte
}

func (f *foreignFile) add(name, dtype string, shape []int, b []byte) {
	f.header[name] = map[string]any{"dtype": dtype, "shape": shape, "data_offsets": []int{len(f.data), len(f.data) + len(b)}}
	f.data = append(f.data, b...)
}

func (f *foreignFile) floats(name, dtype string, t nn.Tensor) {
	var b []byte
	for _, v := range t.Data.([]float32) {
		bits := math.Float32bits(v)
		switch dtype {
		case "F64":
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
		case "BF16":
			b = binary.LittleEndian.AppendUint16(b, uint16(bits>>16))
		case "F16": // cut off, not rounded; values that are too small become 0
			h := uint16(bits >> 16 & 0x8000)
			if exp := int(bits>>23&0xff) - 112; exp > 0 {
				h |= uint16(min(exp, 30)<<10) | uint16(bits>>13&0x3ff)
			}
			b = binary.LittleEndian.AppendUint16(b, h)
		default:
			b = binary.LittleEndian.AppendUint32(b, bits)
		}
	}
	f.add(name, dtype, slices.Clone(t.Shape), b)
}

func (f *foreignFile) bytes() []byte {
	head, err := json.Marshal(f.header)
	if err != nil {
		panic(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), f.data...)
}
